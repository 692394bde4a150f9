"""Quotas, the price of marks of importance, opt-outs over time: counted once, durable, by whom they concern."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.ports import MessageRecord, Misuse, OptOutChange, OvertakenError, Use
from tests.store.world import START, Place, World, make_pair

TODAY = Use(scope="seller", subject_id="s", day="2026-03-01")
PAIR = replace(TODAY, scope="pair")
TOMORROW = replace(TODAY, day="2026-03-02")


async def use(world: World, *uses: Use) -> None:
    record = world.record()
    await world.store.acceptances.add(world.acceptance(record, uses=uses))


async def test_uses_are_counted_by_scope_subject_and_day(world: World, place: Place) -> None:  # R-POL-11
    assert await world.store.limits.used([TODAY, PAIR]) == [0, 0]
    assert await world.store.limits.used([]) == []
    await use(world, TODAY, PAIR)
    await use(world, TODAY, TOMORROW)
    asked = [PAIR, TOMORROW, TODAY, replace(TODAY, subject_id="other"), TODAY]
    async with place.node() as other:
        assert await other.limits.used(asked) == [1, 1, 2, 0, 2]


async def test_many_at_once_on_two_nodes_lose_no_count(world: World, place: Place) -> None:  # R-POL-11 R-SCL-02
    async with place.node() as other:
        records = [world.record() for _ in range(60)]
        uses = [(TODAY, PAIR, TODAY), (PAIR, TODAY, TODAY)]
        await asyncio.gather(
            *(
                (world.store, other)[n % 2].acceptances.add(world.acceptance(record, uses=uses[n % 2]))
                for n, record in enumerate(records)
            )
        )
    assert await world.store.limits.used([TODAY, PAIR]) == [120, 60]


@pytest.mark.parametrize("limit", [1, 3])
async def test_of_many_at_once_no_more_pass_than_a_limit_allows(world: World, place: Place, limit: int) -> None:
    # R-POL-11 R-SCL-02: and what is not taken leaves nothing behind
    use, beside = replace(TODAY, limit=limit), replace(TODAY, subject_id="beside")
    async with place.node() as other:
        nodes, records = (world.store, other), [world.record() for _ in range(12)]
        outcomes = await asyncio.gather(
            *(nodes[n % 2].acceptances.add(world.acceptance(one, uses=(use, beside))) for n, one in enumerate(records)),
            world.store.acceptances.add(world.acceptance(world.record(), uses=(beside,))),
            return_exceptions=True,
        )
    assert [outcome for outcome in outcomes if outcome is not None and type(outcome) is not OvertakenError] == []
    assert outcomes.count(None) == limit + 1
    assert await world.store.limits.used([TODAY, beside]) == [limit, limit + 1]
    assert len(await world.store.records.messages(limit=50)) == limit + 1


async def test_a_use_without_a_limit_is_counted_beyond_it(world: World) -> None:  # R-POL-11
    for _ in range(2):
        await use(world, replace(TODAY, limit=2))
    await use(world, TODAY)
    with pytest.raises(OvertakenError):
        await use(world, replace(TODAY, limit=2))
    assert await world.store.limits.used([TODAY]) == [3]


async def test_a_message_that_was_not_taken_costs_nothing(world: World) -> None:  # R-POL-11 R-IN-03
    record = world.record()
    refused = world.acceptance(record, events=(world.event("no such record"),), uses=(TODAY,))
    with pytest.raises(ValueError, match="refuses the row"):
        await world.store.acceptances.add(refused)
    assert await world.store.limits.used([TODAY]) == [0]


# ---------------------------------------------------------------- misuse


def misuse(world: World, record: MessageRecord, cause: str = "not_important", points: int = 2) -> Misuse:
    return Misuse(
        message_id=record.id,
        seller_id=world.pair.seller.party.id,
        cause=cause,
        points=points,
        at=world.place.clock.now(),
    )


async def kept(world: World, *marks: str) -> MessageRecord:
    record = world.record()
    lines = tuple(misuse(world, record, cause, 3) for cause in marks)
    await world.store.acceptances.add(world.acceptance(record, misuse=lines))
    return record


async def test_a_message_and_cause_count_once(world: World) -> None:  # R-POL-06
    record, seller = await kept(world, "contradiction"), world.pair.seller.party.id
    assert await world.store.limits.misuse_score(seller, START) == 3
    assert await world.store.limits.add_misuse(misuse(world, record))
    assert not await world.store.limits.add_misuse(misuse(world, record, points=9))
    assert not await world.store.limits.add_misuse(misuse(world, record, "contradiction"))
    assert await world.store.limits.misuse_score(seller, START) == 5
    assert await world.store.limits.misuse_score(seller, START + timedelta(microseconds=1)) == 0
    assert await world.store.limits.misuse_score(world.pair.buyer.party.id, START) == 0


async def test_one_word_said_on_two_nodes_counts_once(world: World, place: Place) -> None:  # R-POL-06
    record = await kept(world)
    async with place.node() as other:
        said = await asyncio.gather(
            *(node.limits.add_misuse(misuse(world, record)) for node in (world.store, other) * 5)
        )
    assert said.count(True) == 1


async def test_a_restoration_ends_what_was_counted_and_stays_in_the_history(world: World) -> None:  # R-POL-06
    seller, clock = world.pair.seller.party.id, world.place.clock
    record = await kept(world, "contradiction")
    clock.at += timedelta(seconds=1)
    await world.store.limits.restore_bypass(seller, "dana")
    assert await world.store.limits.misuse_score(seller, START) == 0
    clock.at += timedelta(seconds=1)
    await world.store.limits.add_misuse(misuse(world, record))
    assert await world.store.limits.misuse_score(seller, START) == 2
    clock.at += timedelta(seconds=1)
    await world.store.limits.restore_bypass(seller, "dana")
    assert await world.store.limits.misuse_score(seller, START) == 0
    history = await world.store.limits.misuse_history(seller)
    assert [(line.cause, line.points, line.message_id) for line in history] == [
        ("contradiction", 3, record.id),
        ("restored by dana", 0, ""),
        ("not_important", 2, record.id),
        ("restored by dana", 0, ""),
    ]
    assert history[2].at == START + timedelta(seconds=2)


async def test_a_line_about_nothing_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="refuses the row"):
        await world.store.limits.add_misuse(misuse(world, world.record()))
    with pytest.raises(ValueError, match="refuses the row"):
        await world.store.limits.restore_bypass("nobody", "dana")


# ---------------------------------------------------------------- opt-outs


async def test_every_change_of_an_opt_out_is_kept_with_its_source(world: World) -> None:  # R-POL-02
    buyer, seller = world.pair.buyer.party.id, world.pair.seller.party.id
    first = OptOut(buyer_id=buyer, seller_id=None, kind=None, source="page", changed_at=START)
    second = replace(first, seller_id=seller, kind=Kind.PROMOTION, source="link", changed_at=START + timedelta(hours=1))
    third = replace(first, source="staff", changed_at=START + timedelta(hours=2))
    other = await make_pair(world.store, buyer="b-2")
    await world.store.opt_outs.put(replace(first, buyer_id=other.buyer.party.id), out=True)
    for each, out in ((first, True), (second, True), (third, False)):
        await world.store.opt_outs.put(each, out=out)
    assert await world.store.opt_outs.history(buyer) == [
        OptOutChange(opt_out=first, out=True),
        OptOutChange(opt_out=second, out=True),
        OptOutChange(opt_out=third, out=False),
    ]
    assert await world.store.opt_outs.history("nobody") == []
