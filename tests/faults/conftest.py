"""A relay that is set up but not started, and a mail server that survives it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from relay.store import SqlStore
from tests.support.daemon import SELLER, Relay, eventually
from tests.support.load import Load, RecordingServer


@dataclass
class FaultEnv:
    """A relay, and the mail server that it delivers to."""

    relay: Relay
    mail_server: RecordingServer
    buyer_alias: str

    def load(self, **wishes: Any) -> Load:
        return Load(port=self.port, mail_from=SELLER, rcpt_to=self.buyer_alias, **wishes)

    def port(self) -> int | None:
        """Returns the MX port, or None while the daemon is down, because another program may have the port then."""
        process = self.relay.process
        return self.relay.mx if process is not None and process.poll() is None and self.relay.ports else None

    async def drained(self, timeout_s: float = 60) -> None:
        async with self.relay.opened() as store:
            await eventually(lambda: _is_empty(store), timeout_s=timeout_s)


async def _is_empty(store: SqlStore) -> bool:
    return not await store.queue.lines()


class MakeEnv(Protocol):
    async def __call__(self, mail_server: RecordingServer, **fields: Any) -> FaultEnv: ...


@pytest.fixture
async def mail_server() -> AsyncIterator[RecordingServer]:
    async with RecordingServer() as mail_server:
        yield mail_server


@pytest.fixture
async def make_env(tmp_path: Path) -> AsyncIterator[MakeEnv]:
    """Returns a function that sets up a relay for a mail server. Further arguments are fields of `Relay`."""
    relays = []

    async def make_env(mail_server: RecordingServer, **fields: Any) -> FaultEnv:
        relay = Relay(directory=tmp_path, sink_port=mail_server.port, **fields)
        relay.prepare()
        pair = await relay.seed_store()
        relays.append(relay)
        return FaultEnv(relay, mail_server, pair.buyer.alias.address)

    yield make_env
    for relay in relays:
        if relay.process is not None and relay.process.poll() is None:
            relay.kill()
