"""R-IN-02, R-IN-10: a flood of logins costs little, shows nothing about accounts, and leaves room for right passwords."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher

from relay.logins import Logins
from relay.ports import BusyError
from tests.support.log import CapturedLog, captured_log
from tests.support.market_env import QUICK_HASHER, MarketEnv

WAITING = 3
THREADS = 2


class GatedHasher(PasswordHasher):
    """A hasher that counts its checks, and holds each of them while its gate is closed."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()
        self.begun = 0
        self._lock = threading.Lock()

    def verify(self, *args: Any, **kwargs: Any) -> Literal[True]:
        with self._lock:
            self.begun += 1
        assert self.gate.wait(20)
        return super().verify(*args, **kwargs)


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    with captured_log() as log:
        yield log


@pytest.fixture
def hasher() -> Iterator[GatedHasher]:
    hasher = GatedHasher()
    yield hasher
    hasher.gate.set()


@pytest.fixture
async def logins(market: MarketEnv, hasher: GatedHasher) -> AsyncIterator[Logins]:
    services = market.services
    logins = Logins(
        services.store.app_passwords,
        services.store.secrets,
        services.event_log,
        services.ids,
        waiting=WAITING,
        hasher=hasher,
    )
    yield logins
    logins.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def add_passwords(market: MarketEnv, *passwords: str) -> str:
    party_id = market.pair.seller.party.id
    for password in passwords:
        await market.store.app_passwords.add(party_id, "test", QUICK_HASHER.hash(password))
    return party_id


@pytest.mark.parametrize("passwords", [(), ("one",), ("one", "two")])
@pytest.mark.parametrize("username", ["S1", "nobody"])
async def test_a_wrong_password_costs_the_same_for_every_account(
    market: MarketEnv, logins: Logins, hasher: GatedHasher, username: str, passwords: tuple[str, ...]
) -> None:
    await add_passwords(market, *passwords)
    hasher.gate.set()
    assert await logins.remembered(username, "wrong") is None
    assert hasher.begun == 0
    assert await logins.check(username, "wrong") is None
    assert hasher.begun == 2


async def test_each_of_two_passwords_is_right_and_then_remembered_until_it_is_revoked(
    market: MarketEnv, logins: Logins, hasher: GatedHasher
) -> None:
    party_id = await add_passwords(market, "one")
    second = await market.store.app_passwords.add(party_id, "test", QUICK_HASHER.hash("two"))
    hasher.gate.set()
    for password in ("one", "two"):
        assert await logins.check("S1", password) == party_id
    begun = hasher.begun
    assert [await logins.remembered("S1", password) for password in ("one", "two")] == [party_id] * 2
    assert hasher.begun == begun
    await market.store.app_passwords.revoke(second)
    assert await logins.remembered("S1", "two") is None
    assert await logins.check("S1", "two") is None


async def test_a_full_queue_is_said_and_empties(
    market: MarketEnv, logins: Logins, hasher: GatedHasher, log: CapturedLog
) -> None:
    party_id = await add_passwords(market, "one")
    checks = [asyncio.create_task(logins.check("nobody", "wrong")) for _ in range(THREADS + WAITING)]
    await until(lambda: hasher.begun == THREADS)
    with pytest.raises(BusyError):
        await logins.check("S1", "one")
    assert hasher.begun == THREADS
    hasher.gate.set()
    assert await asyncio.gather(*checks) == [None] * (THREADS + WAITING)
    assert await logins.check("S1", "one") == party_id
    assert [line["parties"] for line in log.lines("sign_in_failed", outcome="busy")] == [[party_id]]


async def test_clients_that_hang_up_are_seen_and_no_more_checks_run_than_threads(
    market: MarketEnv, logins: Logins, hasher: GatedHasher, log: CapturedLog
) -> None:
    party_id = await add_passwords(market, "one")
    queue = logins._threads._work_queue
    for number in range(1, 5):
        checks = [asyncio.create_task(logins.check("S1", "wrong")) for _ in range(WAITING)]
        await until(partial(_has_size, queue, number * WAITING - THREADS))
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
    assert hasher.begun == THREADS
    assert len(log.lines("sign_in_failed", outcome="hung_up", parties=[party_id])) == 4 * WAITING
    hasher.gate.set()
    assert await logins.check("S1", "one") == party_id
    for typed in ("wrong", '"S1"'):
        assert typed not in log.text


def _has_size(queue: SimpleQueue[Any], size: int) -> bool:
    return queue.qsize() == size


async def test_other_work_in_threads_does_not_stop_a_login(
    market: MarketEnv, logins: Logins, hasher: GatedHasher
) -> None:
    party_id = await add_passwords(market, "one")
    hasher.gate.set()
    with ThreadPoolExecutor(1) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        end_of_work = threading.Event()
        work = asyncio.create_task(asyncio.to_thread(end_of_work.wait, 20))
        assert await logins.check("S1", "one") == party_id
        assert not work.done()
        end_of_work.set()
        await work
