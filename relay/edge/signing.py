"""DKIM signing (RFC 6376) outside of the event loop: one thread signs all waiting messages in batches.

Only the operations with the keys run in that thread. They release the interpreter lock, so that they use a second
processor core. Any other work in the thread would make the two threads wait for each other.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from relay.core import dkim
from relay.ports import Clock, DkimKey, DkimKeyStore, EventLog, UnavailableError, Unlogged
from relay.steps.offload import offload

_LARGEST_BATCH: Final = 16
_FRESH_S: Final = 30
"""The age in seconds at which loaded keys are compared with the keys in the store."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A prepared signature, and the future that gets the result."""

    unsigned: Sequence[dkim.Unsigned]
    signed: asyncio.Future[bytes]


@dataclass(slots=True)
class _Ring:
    """The signing keys of a domain, as the store had them at the time `read_s` (monotonic clock)."""

    stored: Sequence[DkimKey]
    keys: Sequence[dkim.SigningKey]
    read_s: float


class BatchSigner:
    """Implements `ports.Signer`.

    A key rotation takes effect within half a minute, or at once after `forget()`.
    """

    def __init__(
        self,
        *,
        dkim_keys: DkimKeyStore,
        clock: Clock,
        algorithms: Sequence[str],
        expire_s: int,
        event_log: EventLog | None = None,
    ) -> None:
        self._stored_keys = dkim_keys
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
            # While the store is unavailable the loaded keys remain in use, because their DNS records stay published for
            # some time.
            with contextlib.suppress(UnavailableError):
                stored = await self._stored(domain)
                if stored != ring.stored:  # loading keys takes far longer than comparing them
                    ring.stored, ring.keys = stored, _loaded(stored)
                    self._event_log.keys_in_use(domain, [key.selector for key in stored])
        return ring.keys

    async def _stored(self, domain: str) -> Sequence[DkimKey]:
        """Returns the domain's active keys of the configured algorithms. Raises UnavailableError."""
        return [
            key
            for key in await self._stored_keys.of_domain(domain)
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
        except Exception as error:  # noqa: BLE001 - it must not fail the other messages of the batch
            outcomes.append(error)
    return outcomes
