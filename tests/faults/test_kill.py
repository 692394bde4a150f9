"""SIGKILL at random moments under load: what was answered 250 arrives, the record is whole (R-IN-03, R-OUT-02)."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from relay.core.model.event import EventType
from tests.faults import record_state
from tests.faults.conftest import FaultEnv, MakeEnv
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.support.load import Arrival, Load, RecordingServer

_SLOW_EVERY = 20
_CAPACITY = 200
"""Deliveries that the daemon has in hand at once (`delivery.concurrency`, four deep): what a kill can tear."""
_DELIVERY = "lease_s = 2"


@dataclass(frozen=True)
class Figures:
    kills: int
    answered: int
    unanswered: int
    arrived: int
    duplicates: int
    answered_duplicates: int


async def carnage(env: FaultEnv, kills: int, seed: int) -> Load:
    """`kills` lives of the daemon under load, each cut short; then one that may finish the work."""
    moments = random.Random(seed)
    relay, mail_server = env.relay, env.mail_server
    async with env.load() as load:
        for _ in range(kills):
            await asyncio.to_thread(relay.start)
            if moments.random() < 0.5:
                async with asyncio.timeout(10):
                    await mail_server.slow.wait()  # somewhere a final dot has been sent and its 250 is still to come
                await asyncio.sleep(moments.uniform(0, 0.05))
            else:
                await asyncio.sleep(moments.uniform(0, 0.8))
            relay.kill()
            mail_server.generation += 1
        await asyncio.to_thread(relay.start)
    await env.drained()
    assert relay.stop() == 0
    return load


async def audit(env: FaultEnv, load: Load, kills: int) -> Figures:
    copies = _by_token(env.mail_server.arrivals)
    assert load.accepted, "there was no load"
    assert load.accepted <= set(copies), "answered 250 and lost"
    assert set(copies) <= load.accepted | load.unanswered, "refused and yet delivered"

    entries = await record_state.read(env.relay)
    assert set(entries) == set(copies)
    for entry in entries.values():
        assert entry.state == "accepted"
        assert entry.events[-1] is EventType.ACCEPTED
        assert entry.events.count(EventType.ACCEPTED) == 1, "settled and yet sent again"
    assert await record_state.item_states(env.relay) == {"accepted": len(entries)}

    _check_duplicates(env.mail_server, copies)
    duplicates = [arrival for arrivals in copies.values() for arrival in arrivals[:-1]]
    return Figures(
        kills=kills,
        answered=len(load.accepted),
        unanswered=len(load.unanswered),
        arrived=len(copies),
        duplicates=len(duplicates),
        answered_duplicates=sum(arrival.answered for arrival in duplicates),
    )


def _check_duplicates(mail_server: RecordingServer, copies: dict[str, list[Arrival]]) -> None:
    """Asserts that copies of one message are the same message, and at most one for each life of the daemon.

    Each copy but the last was about to be settled when the daemon was killed, so it is among the last messages that
    this life sent.
    """
    lives = defaultdict(list)
    for arrival in mail_server.arrivals:
        lives[arrival.generation].append(arrival)
    for arrivals in copies.values():
        assert len({(arrival.message_id, arrival.body) for arrival in arrivals}) == 1
        assert len({arrival.generation for arrival in arrivals}) == len(arrivals), "sent twice by one life"
        for torn in arrivals[:-1]:
            life = lives[torn.generation]
            assert life.index(torn) >= len(life) - _CAPACITY, "sent again although its settling had its time"


def _by_token(arrivals: list[Arrival]) -> dict[str, list[Arrival]]:
    copies = defaultdict(list)
    for arrival in arrivals:
        copies[arrival.token].append(arrival)
    return copies


# ---------------------------------------------------------------- the tests


@pytest.fixture
async def mail_server() -> AsyncIterator[RecordingServer]:
    async with RecordingServer(slow_every=_SLOW_EVERY) as mail_server:
        yield mail_server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with servers.running() as cluster:
        yield cluster


# R-IN-03, R-OUT-02, R-OUT-03
@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.more)])
async def test_kills_under_load_lose_nothing(make_env: MakeEnv, mail_server: RecordingServer, kills: int) -> None:
    env = await make_env(mail_server, delivery=_DELIVERY)
    await audit(env, await carnage(env, kills, seed=1), kills)


# R-IN-03, R-SCL-02
@pytest.mark.more
@pytest.mark.peer("postgresql")
async def test_kills_lose_nothing_on_postgresql(
    make_env: MakeEnv, mail_server: RecordingServer, cluster: Cluster
) -> None:
    env = await make_env(mail_server, store=cluster.database(), delivery=_DELIVERY)
    await audit(env, await carnage(env, 3, seed=2), 3)


# R-IN-03, R-OUT-02, R-OUT-03
@pytest.mark.soak
async def test_fifty_kills_under_load_lose_nothing(make_env: MakeEnv, mail_server: RecordingServer) -> None:
    env = await make_env(mail_server, delivery=_DELIVERY)
    figures = await audit(env, await carnage(env, 50, seed=3), 50)
    print(figures)  # noqa: T201 - the soak's result, shown with -s
