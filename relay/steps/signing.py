"""DKIM signing off the loop: all that waits for a signature shares one hop to one thread.

Only the keys' operations go there. They leave the interpreter to the loop and so use a second core; anything more
would have the two threads wait for one another.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from relay.core import dkim
from relay.ports import Clock, Secrets
from relay.steps.offload import offload

_LARGEST_BATCH = 16


@dataclass(frozen=True, slots=True)
class _Request:
    unsigned: Sequence[dkim.Unsigned]
    signed: asyncio.Future[bytes]


class BatchSigner:
    """Implements `ports.Signer`. Keys are read from the store once per domain; `forget()` after they changed."""

    def __init__(self, *, secrets: Secrets, clock: Clock, algorithms: Sequence[str], expire_s: int) -> None:
        self._secrets = secrets
        self._clock = clock
        self._algorithms = frozenset(algorithms)
        self._expire_s = expire_s
        self._keys: dict[str, Sequence[dkim.SigningKey]] = {}
        self._waiting: list[_Request] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dkim")
        self._running: asyncio.Task[None] | None = None

    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        keys = self._keys.get(domain)
        if keys is None:
            keys = self._keys[domain] = await self._load(domain)
        if not keys:
            return b""
        now = self._clock.now()
        unsigned = await offload(len(body), dkim.prepare, header, body, keys, now, self._expire_s)
        signed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(unsigned, signed))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work())
        return await signed

    def forget(self) -> None:
        self._keys.clear()

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _load(self, domain: str) -> Sequence[dkim.SigningKey]:
        stored = await self._secrets.dkim_keys(domain)
        return tuple(
            dkim.SigningKey.load(key.private_der, domain=key.domain, selector=key.selector)
            for key in stored
            if key.algorithm in self._algorithms
        )

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
            outcomes = await loop.run_in_executor(self._thread, _sign_all, batch)
            for request, outcome in zip(batch, outcomes, strict=True):
                if request.signed.done():
                    continue
                if isinstance(outcome, bytes):
                    request.signed.set_result(outcome)
                else:
                    request.signed.set_exception(outcome)


def _sign_all(batch: Sequence[_Request]) -> list[bytes | Exception]:
    outcomes: list[bytes | Exception] = []
    for request in batch:
        try:
            outcomes.append(b"".join(one.signed() for one in request.unsigned))
        except Exception as error:  # noqa: BLE001 - one message's failure is its own, not the batch's
            outcomes.append(error)
    return outcomes
