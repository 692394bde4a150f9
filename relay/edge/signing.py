"""DKIM signing off the loop: all that waits for a signature shares one hop to one thread.

Only the keys' operations go there. They leave the interpreter to the loop and so use a second core; anything more
would have the two threads wait for one another.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from relay.core import dkim
from relay.ports import Clock, DkimKey, EventLog, KeyStore, UnavailableError, Unlogged
from relay.steps.offload import offload

_LARGEST_BATCH: Final = 16
_FRESH_S: Final = 30
"""How long keys are used before the store is asked whether they still are the active ones."""


@dataclass(frozen=True, slots=True)
class _Request:
    unsigned: Sequence[dkim.Unsigned]
    signed: asyncio.Future[bytes]


@dataclass(slots=True)
class _Ring:
    """A domain's signing keys, as the store had them at `read_s`."""

    stored: Sequence[DkimKey]
    keys: Sequence[dkim.SigningKey]
    read_s: float


class BatchSigner:
    """Implements `ports.Signer`. A rotation is seen within half a minute, or at once after `forget()`."""

    def __init__(
        self,
        *,
        secrets: KeyStore,
        clock: Clock,
        algorithms: Sequence[str],
        expire_s: int,
        event_log: EventLog | None = None,
    ) -> None:
        self._secrets = secrets
        self._event_log = event_log or Unlogged()
        self._clock = clock
        self._algorithms = frozenset(algorithms)
        self._expire_s = expire_s
        self._rings: dict[str, _Ring] = {}
        self._waiting: list[_Request] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dkim")
        self._running: asyncio.Task[None] | None = None

    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        keys = await self._keys(domain)
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
        self._rings.clear()

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _keys(self, domain: str) -> Sequence[dkim.SigningKey]:
        ring, now_s = self._rings.get(domain), self._clock.monotonic_s()
        if ring is None:
            stored = await self._stored(domain)
            ring = self._rings[domain] = _Ring(stored, _loaded(stored), now_s)
            self._event_log.keys_in_use(domain, [key.selector for key in stored])
        elif now_s - ring.read_s > _FRESH_S:
            ring.read_s = now_s
            # Those at hand are good enough while the store is away: their records stay published for a while.
            with contextlib.suppress(UnavailableError):
                stored = await self._stored(domain)
                if stored != ring.stored:  # loading costs far more than looking
                    ring.stored, ring.keys = stored, _loaded(stored)
                    self._event_log.keys_in_use(domain, [key.selector for key in stored])
        return ring.keys

    async def _stored(self, domain: str) -> Sequence[DkimKey]:
        return [
            key
            for key in await self._secrets.dkim_keys(domain)
            if key.state is dkim.KeyState.ACTIVE and key.algorithm in self._algorithms
        ]

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


def _loaded(stored: Sequence[DkimKey]) -> Sequence[dkim.SigningKey]:
    return tuple(dkim.SigningKey.load(key.private_der, domain=key.domain, selector=key.selector) for key in stored)


def _sign_all(batch: Sequence[_Request]) -> list[bytes | Exception]:
    outcomes: list[bytes | Exception] = []
    for request in batch:
        try:
            outcomes.append(b"".join(one.signed() for one in request.unsigned))
        except Exception as error:  # noqa: BLE001 - one message's failure is its own, not the batch's
            outcomes.append(error)
    return outcomes
