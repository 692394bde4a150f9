"""The hourly limit of notices counts those that are sent, not those of transactions that came to nothing (R-OUT-07)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.model.item import ItemState
from relay.core.model.optout import OptOut
from relay.core.model.policy import Policy, Quotas
from relay.core.retry import Schedule, horizon_s
from relay.flow import dispatch
from relay.ports import Delivery, Outgoing, OvertakenError, UnavailableError
from relay.steps.lanes import is_whole_domain
from relay.steps.notice_log import StoredNoticeQuota
from relay.worker import Worker
from tests.support.claims import claimed
from tests.support.daemon import eventually
from tests.support.failing_store import fail
from tests.support.fakes import ManualClock
from tests.support.market_env import ACCEPTED, BUYER, SELLER, MarketEnv, market_env
from tests.support.narrowing import not_none

GONE = Delivery(
    accepted=False, permanent=True, code=550, enhanced="5.1.1", text="no such user", phase="rcpt", host="mx", tls=""
)


REPORT = (
    b"From: mailer-daemon@phone.example\r\nSubject: failure\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.phone.example\r\n\r\n"
    b"Final-Recipient: rfc822; somebody@phone.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
)


def one_notice_an_hour(market: MarketEnv) -> None:
    notices_an_hour(market, 1)


def notices_an_hour(market: MarketEnv, number: int) -> None:
    market.services.notice_quota = StoredNoticeQuota(market.store, number)


async def opt_out(market: MarketEnv) -> None:
    now, buyer_id = market.clock.now(), market.pair.buyer.party.id
    opted_out = OptOut(buyer_id=buyer_id, seller_id=None, kind=None, source="test", changed_at=now)
    await market.store.opt_outs.put(opted_out, out=True)


async def test_a_transaction_that_was_overtaken_takes_one_slot(market: MarketEnv) -> None:  # R-OUT-07, R-POL-11
    await opt_out(market)
    one_notice_an_hour(market)
    failing = fail(market, "acceptances.add", OvertakenError("overtaken"))
    await market.send(SELLER, market.buyer_alias)
    assert failing.failed == 1
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]
    await market.send(SELLER, market.buyer_alias)
    assert await market.deliver_due() == [], "the second notice of the hour waits"


async def test_a_transaction_that_failed_takes_no_slot(market: MarketEnv) -> None:  # R-OUT-07, R-IN-07
    await opt_out(market)
    one_notice_an_hour(market)
    fail(market, "acceptances.add", UnavailableError("unavailable"))
    with pytest.raises(UnavailableError):
        await market.send(SELLER, market.buyer_alias)
    await market.send(SELLER, market.buyer_alias)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]


async def test_a_report_that_failed_takes_no_place_of_its_pair(market: MarketEnv) -> None:  # R-OUT-04
    """A pair gets three notices in uncertain words a day, for reports that were kept."""
    mails = []
    for _ in range(3):
        await market.send(SELLER, market.buyer_alias)
        mails += await market.deliver_due()
    for mail in mails:
        fail(market, "reports.add", UnavailableError("unavailable"))
        with pytest.raises(UnavailableError):
            await market.send_raw(REPORT, "", mail.mail_from)
        market.services.store = market.store
        await market.send_raw(REPORT, "", mail.mail_from)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER] * 3


async def test_a_report_beyond_the_places_of_its_pair_takes_no_slot(market: MarketEnv) -> None:  # R-OUT-07, R-OUT-04
    notices_an_hour(market, 4)
    mails = []
    for _ in range(6):
        await market.send(SELLER, market.buyer_alias)
        mails += await market.deliver_due()
    for mail in mails:
        await market.send_raw(REPORT, "", mail.mail_from)
    seller_id, now = market.pair.seller.party.id, market.clock.now()
    assert await market.services.notice_quota.next_free(seller_id, "another", now) == now


async def test_a_settlement_that_lost_its_lease_takes_no_slot(market: MarketEnv) -> None:  # R-OUT-07, R-IN-03
    market.courier.answers[BUYER] = GONE
    one_notice_an_hour(market)
    seller_id = market.pair.seller.party.id
    await market.send(SELLER, market.buyer_alias)
    failing = fail(market, "queue.settle", None)
    worker = Worker()
    worker.start(market.services)
    try:
        await eventually(lambda: failing.failed)
    finally:
        await worker.stop(1)
    now = market.clock.now()
    assert await market.services.notice_quota.next_free(seller_id, "first", now) == now
    assert await market.services.notice_quota.next_free(seller_id, "second", now) == now + HOUR


async def test_a_second_report_about_one_message_takes_no_slot(market: MarketEnv) -> None:  # R-OUT-07, R-OUT-04
    notices_an_hour(market, 2)
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    for _ in range(2):
        await market.send_raw(REPORT, "", mail.mail_from)
    seller_id, now = market.pair.seller.party.id, market.clock.now()
    assert await market.services.notice_quota.next_free(seller_id, "first", now) == now
    assert await market.services.notice_quota.next_free(seller_id, "second", now) == now + HOUR


@pytest.mark.parametrize(
    ("phase", "code", "is_whole"),
    [("connect", 0, True), ("dns", 0, True), ("tls", 0, True), ("data", 421, True), ("data", 451, False)],
)
async def test_a_back_off_is_for_what_a_host_does_to_all(
    market: MarketEnv, phase: str, code: int, is_whole: bool
) -> None:
    # R-OUT-02
    market.courier.answers[BUYER] = Delivery(
        accepted=False, permanent=False, code=code, enhanced="", text="later", phase=phase, host="mx", tls=""
    )
    await market.send(SELLER, market.buyer_alias)
    [item] = await claimed(market.store.queue, "test", market.clock.now())
    settlement = await dispatch(market.services, item, None)
    assert settlement.state is ItemState.DEFERRED
    assert is_whole_domain(not_none(settlement.delivery)) is is_whole


async def test_a_host_that_refuses_one_mailbox_for_good_is_not_left_alone(market: MarketEnv) -> None:  # R-OUT-02
    market.courier.answers[BUYER] = GONE
    await market.send(SELLER, market.buyer_alias)
    [item] = await claimed(market.store.queue, "test", market.clock.now())
    assert not is_whole_domain(not_none((await dispatch(market.services, item, None)).delivery))


# ---------------------------------------------------------------- the limit holds


HOUR = timedelta(hours=1)
LATER = Delivery(
    accepted=False, permanent=False, code=451, enhanced="4.3.0", text="later", phase="rcpt", host="mx", tls=""
)


@dataclass
class Timed:
    """A courier that notes when it delivered, and puts off the mail while `answer` says so."""

    clock: ManualClock
    answer: Delivery = ACCEPTED
    taken: list[datetime] = field(default_factory=list)
    attempts: int = 0

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        self.attempts += 1
        if self.answer.accepted:
            self.taken.append(self.clock.now())
        return self.answer

    async def close(self) -> None:
        pass


async def one_more(market: MarketEnv, number: int) -> None:
    """One more notice to the seller: mail to an opted-out buyer comes back."""
    [reply] = await market.send(SELLER, market.buyer_alias, Subject=f"Number {number}")
    assert reply.code == 250


async def sweep(market: MarketEnv, courier: Timed, schedule: Schedule) -> None:
    """Claims and dispatches as the worker does, with its horizon, until nothing is due at this time."""
    horizon = max(horizon_s(schedule), 60) * 2
    while items := await claimed(market.store.queue, "test", market.clock.now(), horizon_s=horizon):
        for item in items:
            await market.store.queue.settle(await dispatch(market.services, item, None))


def most_within_an_hour(times: Sequence[datetime]) -> int:
    return max(sum(start <= one < start + HOUR for one in times) for start in times)


@pytest.fixture
async def flooded(market: MarketEnv) -> MarketEnv:
    await opt_out(market)
    policies = (Policy(quotas=Quotas(seller_per_day=0, pair_per_day=0, buyer_per_day=0, returned_per_day=0)),)
    await market.set_marketplace(policies=policies)
    return market


async def test_420_notices_leave_in_14_hours_each_once(flooded: MarketEnv) -> None:  # R-OUT-07
    market = flooded
    courier = Timed(market.clock)
    market.services.courier = courier
    for number in range(420):
        await one_more(market, number)
    for _ in range(15 * 12):
        await sweep(market, courier, market.services.settings.schedule)
        market.clock.forward(300)
    assert (len(courier.taken), courier.attempts) == (420, 420)
    assert most_within_an_hour(courier.taken) == 30
    assert max(courier.taken) - min(courier.taken) < 14 * HOUR


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), st.integers(1, 6)),
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.just("refuse"), st.booleans()),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    min_size=4,
    max_size=12,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS,
    limit=st.integers(1, 4),
    first_s=st.sampled_from((1, 60, 4_000)),
    longest_s=st.sampled_from((5, 600, 14_400)),
)
def test_the_limit_holds_for_any_flood_and_schedule(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], limit: int, first_s: int, longest_s: int
) -> None:  # R-OUT-07
    """Hosts and the relay itself come and go; all notices arrive in the end, and none twice."""
    asyncio.run(_flood(tmp_path_factory.mktemp("flood"), steps, limit, first_s, longest_s))


async def _flood(directory: Path, steps: list[tuple[str, int]], limit: int, first_s: int, longest_s: int) -> None:
    async with market_env(directory) as market:
        await opt_out(market)
        policies = (Policy(quotas=Quotas(seller_per_day=0, pair_per_day=0, buyer_per_day=0, returned_per_day=0)),)
        await market.set_marketplace(policies=policies)
        schedule = replace(market.services.settings.schedule, first_s=first_s, longest_s=longest_s)
        market.services.settings = replace(market.services.settings, schedule=schedule)
        courier = Timed(market.clock)
        market.services.courier = courier
        notices_an_hour(market, limit)
        written = 0
        for what, number in [*steps, ("refuse", False), ("restart", 0)]:
            if what == "mail":
                for _ in range(number):
                    written += 1
                    await one_more(market, written)
            elif what == "wait":
                market.clock.forward(number * 60)
            elif what == "refuse":
                courier.answer = LATER if number else ACCEPTED
            else:
                notices_an_hour(market, limit)
            await sweep(market, courier, schedule)
        for _ in range(2_000):
            if len(courier.taken) == written:
                break
            market.clock.forward(600)
            await sweep(market, courier, schedule)
        assert len(courier.taken) == written
        assert not written or most_within_an_hour(courier.taken) <= limit


async def test_what_could_leave_only_after_days_is_not_written(market: MarketEnv) -> None:  # R-OUT-07
    one_notice_an_hour(market)
    seller_id, now = market.pair.seller.party.id, market.clock.now()
    slots = [await market.services.notice_quota.next_free(seller_id, str(number), now) for number in range(200)]
    assert slots == [now + number * HOUR for number in range(169)] + [None] * 31
