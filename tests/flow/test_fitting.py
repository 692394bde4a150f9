"""Mail that must be fitted to its server by a worker process, which may be busy or may die of it (R-REW-11, R-IN-06)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar, TypeVarTuple

import pytest

from relay.core.model.item import Item, ItemState
from relay.flow import dispatch
from relay.ports import Delivery, HeavyMailError, Outgoing, Settlement, TooHeavyError
from relay.steps.lanes import LaneLimits, ProcessLanes
from tests.support.claims import claimed
from tests.support.market_env import ACCEPTED, SELLER, MarketEnv, parsed
from tests.support.narrowing import octets, parts

A = TypeVarTuple("A")
T = TypeVar("T")


@dataclass
class FailingWorkers:
    """Workers that note which message they work on, and fail."""

    error: Exception
    contents: list[bytes] = field(default_factory=list)

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        self.contents.append(content)
        raise self.error


class SevenBitCourier:
    """A courier to a server that takes only 7 bits."""

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        assert outgoing.downgraded is not None
        await outgoing.downgraded(False)
        return ACCEPTED

    async def close(self) -> None:
        pass


async def sent(market: MarketEnv, error: Exception) -> tuple[Item, FailingWorkers]:
    """Accepts a big mail in 8 bits, and returns its item and the workers that will fail to fit it."""
    header = f"From: {SELLER}\r\nTo: {market.buyer_alias}\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    header += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    body = "Der Tisch ist fertig und schön.\r\n" * 8_000
    await market.send_raw((header + body).encode(), SELLER, market.buyer_alias)
    (item,) = await claimed(market.store.queue, "test", market.clock.now())
    workers = FailingWorkers(error)
    market.services.workers = workers
    market.services.courier = SevenBitCourier()
    return item, workers


async def notices(market: MarketEnv, settlement: Settlement) -> list[str]:
    """Stores the settlement, and returns the notices that follow, as text."""
    assert await market.store.queue.settle(settlement)
    market.services.courier = market.courier
    return [octets(parts(parsed(mail))[0]).decode() for mail in await market.deliver_due()]


def reason(settlement: Settlement) -> object:
    data: Mapping[str, object] = settlement.events[0].data
    return data.get("reason")


async def test_mail_that_no_worker_can_fit_comes_back_with_the_reason(market: MarketEnv) -> None:  # R-OUT-05
    item, _ = await sent(market, TooHeavyError())
    settlement = await dispatch(market.services, item, None)
    assert (settlement.state, reason(settlement)) == (ItemState.RETURNED, "too_complex")
    (text,) = await notices(market, settlement)
    assert "took too much time or memory" in text
    assert "server" not in text


async def test_mail_waits_for_a_worker_and_no_attempt_is_counted(market: MarketEnv) -> None:  # R-OUT-02
    item, workers = await sent(market, HeavyMailError("busy"))
    for number in (1, 2):
        settlement = await dispatch(market.services, item, None)
        assert (settlement.state, settlement.dialled, settlement.events) == (ItemState.DEFERRED, False, ())
        assert await market.store.queue.settle(settlement)
        market.clock.forward(60)
        (item,) = await claimed(market.store.queue, "test", market.clock.now())
        assert (item.attempts, len(workers.contents)) == (1, number)
    assert workers.contents[0] == workers.contents[1], "the workers know it again"


@pytest.mark.parametrize("cause", ["workers", "memory"])
@pytest.mark.parametrize(
    ("age", "state", "why"),
    [
        (timedelta(hours=5), ItemState.DEFERRED, {"workers": "internal", "memory": "internal"}),
        (timedelta(days=30), ItemState.BOUNCED, {"workers": "too_complex", "memory": "expired"}),
    ],
)
async def test_mail_that_waits_for_us_for_long_gets_a_notice_that_names_no_server(
    market: MarketEnv, cause: str, age: timedelta, state: ItemState, why: dict[str, str]
) -> None:
    # R-OUT-02, R-OUT-05
    item, _ = await sent(market, HeavyMailError("busy"))
    market.clock.forward(age.total_seconds())
    item = replace(item, attempts=30)
    if cause == "memory":
        market.services.lanes = ProcessLanes(LaneLimits(memory_bytes=1), market.clock, market.services.observer)
        with market.services.lanes.content("other.example") as take_memory:
            take_memory(1)
            settlement = await dispatch(market.services, item, None)
    else:
        settlement = await dispatch(market.services, item, None)
    assert (settlement.state, reason(settlement)) == (state, why[cause])
    assert set(settlement.events[0].data) == {"attempt", "reason"}
    (text,) = await notices(market, settlement)
    assert "did not answer" not in text
