"""Quotas, the price of marks of importance, opt-outs over time: counted once, durable, by whom they concern."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.model.facts import QuotaScope
from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.ports import MessageRecord, Misuse, MisuseCause, OptOutChange, OvertakenError, Restoration, Use
from tests.store.store_env import START, Database, StoreEnv, make_pair

TODAY = Use(scope=QuotaScope.SELLER, subject_id="s", day="2026-03-01")
PAIR = replace(TODAY, scope=QuotaScope.PAIR)
TOMORROW = replace(TODAY, day="2026-03-02")


async def use(env: StoreEnv, *uses: Use) -> None:
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, uses=uses))


async def test_uses_are_counted_by_scope_subject_and_day(env: StoreEnv, database: Database) -> None:  # R-POL-11
    assert await env.store.limits.used([TODAY, PAIR]) == [0, 0]
    assert await env.store.limits.used([]) == []
    await use(env, TODAY, PAIR)
    await use(env, TODAY, TOMORROW)
    asked = [PAIR, TOMORROW, TODAY, replace(TODAY, subject_id="other"), TODAY]
    async with database.node() as other:
        assert await other.limits.used(asked) == [1, 1, 2, 0, 2]


async def test_many_at_once_on_two_nodes_lose_no_count(env: StoreEnv, database: Database) -> None:  # R-POL-11 R-SCL-02
    async with database.node() as other:
        records = [env.record() for _ in range(60)]
        uses = [(TODAY, PAIR, TODAY), (PAIR, TODAY, TODAY)]
        await asyncio.gather(
            *(
                (env.store, other)[n % 2].acceptances.add(env.acceptance(record, uses=uses[n % 2]))
                for n, record in enumerate(records)
            )
        )
    assert await env.store.limits.used([TODAY, PAIR]) == [120, 60]


async def test_a_counter_of_bytes_may_be_large(env: StoreEnv) -> None:  # R-IN-06
    octets = replace(TODAY, scope=QuotaScope.OPERATOR_BYTES, amount=3_000_000_000, limit=6_000_000_000)
    for _ in range(2):
        await use(env, octets)
    with pytest.raises(OvertakenError):
        await use(env, replace(octets, amount=1))
    assert await env.store.limits.used([octets]) == [6_000_000_000]


@pytest.mark.parametrize("limit", [1, 3])
async def test_of_many_at_once_no_more_pass_than_a_limit_allows(env: StoreEnv, database: Database, limit: int) -> None:
    # R-POL-11 R-SCL-02: and what is not taken leaves nothing behind
    use, beside = replace(TODAY, limit=limit), replace(TODAY, subject_id="beside")
    async with database.node() as other:
        nodes, records = (env.store, other), [env.record() for _ in range(12)]
        outcomes = await asyncio.gather(
            *(nodes[n % 2].acceptances.add(env.acceptance(one, uses=(use, beside))) for n, one in enumerate(records)),
            env.store.acceptances.add(env.acceptance(env.record(), uses=(beside,))),
            return_exceptions=True,
        )
    assert [outcome for outcome in outcomes if outcome is not None and type(outcome) is not OvertakenError] == []
    assert outcomes.count(None) == limit + 1
    assert await env.store.limits.used([TODAY, beside]) == [limit, limit + 1]
    assert len(await env.store.records.messages(limit=50)) == limit + 1


async def test_a_use_without_a_limit_is_counted_beyond_it(env: StoreEnv) -> None:  # R-POL-11
    for _ in range(2):
        await use(env, replace(TODAY, limit=2))
    await use(env, TODAY)
    with pytest.raises(OvertakenError):
        await use(env, replace(TODAY, limit=2))
    assert await env.store.limits.used([TODAY]) == [3]


async def test_a_message_that_was_not_taken_costs_nothing(env: StoreEnv) -> None:  # R-POL-11 R-IN-03
    record = env.record()
    refused = env.acceptance(record, events=(env.event("no such record"),), uses=(TODAY,))
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.acceptances.add(refused)
    assert await env.store.limits.used([TODAY]) == [0]


# ---------------------------------------------------------------- misuse


def misuse(
    env: StoreEnv, record: MessageRecord, cause: MisuseCause = MisuseCause.NOT_IMPORTANT, points: int = 2
) -> Misuse:
    return Misuse(
        message_id=record.id,
        seller_id=env.pair.seller.party.id,
        cause=cause,
        points=points,
        at=env.database.clock.now(),
    )


async def kept(env: StoreEnv, *marks: MisuseCause) -> MessageRecord:
    record = env.record()
    lines = tuple(misuse(env, record, cause, 3) for cause in marks)
    await env.store.acceptances.add(env.acceptance(record, misuse=lines))
    return record


async def test_a_message_and_cause_count_once(env: StoreEnv) -> None:  # R-POL-06
    record, seller = await kept(env, MisuseCause.CONTRADICTION), env.pair.seller.party.id
    assert await env.store.limits.misuse_score(seller, START) == 3
    assert await env.store.limits.add_misuse(misuse(env, record))
    assert not await env.store.limits.add_misuse(misuse(env, record, points=9))
    assert not await env.store.limits.add_misuse(misuse(env, record, MisuseCause.CONTRADICTION))
    assert await env.store.limits.misuse_score(seller, START) == 5
    assert await env.store.limits.misuse_score(seller, START + timedelta(microseconds=1)) == 0
    assert await env.store.limits.misuse_score(env.pair.buyer.party.id, START) == 0


async def test_one_word_said_on_two_nodes_counts_once(env: StoreEnv, database: Database) -> None:  # R-POL-06
    record = await kept(env)
    async with database.node() as other:
        said = await asyncio.gather(*(node.limits.add_misuse(misuse(env, record)) for node in (env.store, other) * 5))
    assert said.count(True) == 1


async def test_a_restoration_ends_what_was_counted_and_stays_in_the_history(env: StoreEnv) -> None:  # R-POL-06
    seller, clock = env.pair.seller.party.id, env.database.clock
    record = await kept(env, MisuseCause.CONTRADICTION)
    clock.at += timedelta(seconds=1)
    await env.store.limits.restore_bypass(seller, "dana")
    assert await env.store.limits.misuse_score(seller, START) == 0
    clock.at += timedelta(seconds=1)
    await env.store.limits.add_misuse(misuse(env, record))
    assert await env.store.limits.misuse_score(seller, START) == 2
    clock.at += timedelta(seconds=1)
    await env.store.limits.restore_bypass(seller, "dana")
    assert await env.store.limits.misuse_score(seller, START) == 0
    history = await env.store.limits.misuse_history(seller)
    assert history == [
        replace(misuse(env, record, MisuseCause.CONTRADICTION, 3), at=START),
        Restoration(seller_id=seller, by="dana", at=START + timedelta(seconds=1)),
        replace(misuse(env, record), at=START + timedelta(seconds=2)),
        Restoration(seller_id=seller, by="dana", at=START + timedelta(seconds=3)),
    ]


async def test_a_line_about_nothing_is_refused(env: StoreEnv) -> None:
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.limits.add_misuse(misuse(env, env.record()))
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.limits.restore_bypass("nobody", "dana")


# ---------------------------------------------------------------- opt-outs


async def test_every_change_of_an_opt_out_is_kept_with_its_source(env: StoreEnv) -> None:  # R-POL-02
    buyer, seller = env.pair.buyer.party.id, env.pair.seller.party.id
    first = OptOut(buyer_id=buyer, seller_id=None, kind=None, source="page", changed_at=START)
    second = replace(first, seller_id=seller, kind=Kind.PROMOTION, source="link", changed_at=START + timedelta(hours=1))
    third = replace(first, source="staff", changed_at=START + timedelta(hours=2))
    other = await make_pair(env.store, buyer="b-2")
    await env.store.opt_outs.put(replace(first, buyer_id=other.buyer.party.id), out=True)
    for each, out in ((first, True), (second, True), (third, False)):
        await env.store.opt_outs.put(each, out=out)
    assert await env.store.opt_outs.history(buyer) == [
        OptOutChange(opt_out=first, out=True),
        OptOutChange(opt_out=second, out=True),
        OptOutChange(opt_out=third, out=False),
    ]
    assert await env.store.opt_outs.history("nobody") == []


async def test_uses_with_one_mark_count_once(env: StoreEnv, database: Database) -> None:  # R-POL-11
    first, second = replace(TODAY, mark="first"), replace(TODAY, mark="second")
    await use(env, first, first)
    await use(env, first, second, TODAY)
    async with database.node() as other:
        await other.acceptances.add(env.acceptance(env.record(), uses=(second, replace(first, day=TOMORROW.day))))
    assert await env.store.limits.used([TODAY, TOMORROW]) == [3, 1]


async def test_of_many_marks_at_once_no_more_count_than_a_limit_allows(env: StoreEnv) -> None:  # R-POL-11
    uses = [replace(TODAY, limit=3, mark=f"{number % 6}") for number in range(12)]
    outcomes = await asyncio.gather(
        *(env.store.acceptances.add(env.acceptance(env.record(), uses=(one,))) for one in uses), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {type(None), OvertakenError}
    assert await env.store.limits.used([TODAY]) == [3]
