"""A relay in a process of its own with everything furnished but not started, and a notebook that outlives it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from relay.store import SqlStore
from tests.support.daemon import SELLER, Relay, eventually
from tests.support.load import Load, Notebook


@dataclass
class Stage:
    relay: Relay
    notebook: Notebook
    buyer_alias: str

    def load(self, **wishes: Any) -> Load:
        return Load(port=self.port, mail_from=SELLER, rcpt_to=self.buyer_alias, **wishes)

    def port(self) -> int | None:
        """None while the daemon is down: another program may have the port by then."""
        process = self.relay.process
        return self.relay.mx if process is not None and process.poll() is None and self.relay.ports else None

    async def drained(self, timeout_s: float = 60) -> None:
        async with self.relay.opened() as store:
            await eventually(lambda: _is_empty(store), timeout_s=timeout_s)


async def _is_empty(store: SqlStore) -> bool:
    return not await store.queue.lines()


class Furnish(Protocol):
    async def __call__(self, notebook: Notebook, **fields: Any) -> Stage: ...


@pytest.fixture
async def notebook() -> AsyncIterator[Notebook]:
    async with Notebook() as notebook:
        yield notebook


@pytest.fixture
async def furnish(tmp_path: Path) -> AsyncIterator[Furnish]:
    """Makes a stage around a notebook; further arguments are fields of `Relay`."""
    relays = []

    async def furnish(notebook: Notebook, **fields: Any) -> Stage:
        relay = Relay(directory=tmp_path, sink_port=notebook.port, **fields)
        relay.prepare()
        pair = await relay.furnish()
        relays.append(relay)
        return Stage(relay, notebook, pair.buyer.alias.address)

    yield furnish
    for relay in relays:
        if relay.process is not None and relay.process.poll() is None:
            relay.kill()
