"""Signatures that are taken once, signing domains that are confirmed, and the short life of strangers' mail."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType
from relay.core.model.facts import Signature
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.ports import OvertakenError, RecordDetail, RecordedReason, SignatureUse, TakenSignature
from tests.store.store_env import Database, StoreEnv, make_pair

SIGNATURE = Signature(domain="seller.example", selector="s", value=b"\x01\x02")
UNPROVEN = RecordDetail(reasons=(RecordedReason(code=ReasonCode.SENDER_UNPROVEN, rule="R-IN-09"),))


def use(env: StoreEnv, **changes: Any) -> SignatureUse:
    return replace(SignatureUse(pair_id=env.pair.id, to=Role.BUYER, signature=SIGNATURE), **changes)


async def test_of_many_at_once_one_takes_a_signature(env: StoreEnv, database: Database) -> None:  # R-IN-09 R-SCL-02
    """On two nodes; what is not taken leaves nothing behind, and other signatures are not disturbed."""
    async with database.node() as other:
        nodes, records = (env.store, other), [env.record() for _ in range(8)]
        beside = env.record()
        outcomes = await asyncio.gather(
            *(
                nodes[n % 2].acceptances.add(
                    env.acceptance(one, signatures=(TakenSignature(use=use(env), message_id=one.id),))
                )
                for n, one in enumerate(records)
            ),
            other.acceptances.add(
                env.acceptance(beside, signatures=(TakenSignature(use=use(env, to=Role.SELLER), message_id=beside.id),))
            ),
            return_exceptions=True,
        )
        assert [type(one) for one in outcomes if one is not None] == [OvertakenError] * 7
        winner = records[outcomes.index(None)]
        assert await other.signatures.taken_by([use(env)]) == winner.id
    assert {one.id for one in await env.store.records.messages()} == {winner.id, beside.id}


async def test_a_signature_is_known_for_its_alias_alone(env: StoreEnv) -> None:  # R-IN-09
    record = env.record()
    taken = TakenSignature(use=use(env), message_id=record.id)
    await env.store.acceptances.add(env.acceptance(record, signatures=(taken,)))
    other = await make_pair(env.store, "B2", "S2")
    assert await env.store.signatures.taken_by([]) is None
    for unknown in (
        use(env, to=Role.SELLER),
        use(env, pair_id=other.id),
        use(env, signature=replace(SIGNATURE, domain="else.example")),
        use(env, signature=replace(SIGNATURE, selector="t")),
        use(env, signature=replace(SIGNATURE, value=b"\x01")),
    ):
        assert await env.store.signatures.taken_by([unknown]) is None
        assert await env.store.signatures.taken_by([unknown, use(env)]) == record.id


async def test_a_confirmed_domain_releases_what_waits_for_it_alone(env: StoreEnv) -> None:  # R-IN-09
    party_id, waits = env.pair.seller.party.id, []
    for domain, more in (("a.example", ()), ("b.example", ()), ("a.example", (ReasonCode.SPAM_FOUND,))):
        reasons = (*UNPROVEN.reasons, *(RecordedReason(code=code, rule=code.rule) for code in more))
        record = env.record(state=MessageState.HELD, signing_domain=domain, detail=replace(UNPROVEN, reasons=reasons))
        await env.accepted(record, ItemState.HELD)
        waits.append(record.id)
    senders = env.store.senders
    assert not await senders.has_confirmed(party_id, ["a.example"])
    assert await senders.confirm_domain(party_id, "a.example", confirmed=True, by="link")
    assert not await senders.confirm_domain(party_id, "a.example", confirmed=True, by="link")
    assert await senders.has_confirmed(party_id, ["c.example", "a.example"])
    assert not await senders.has_confirmed(env.pair.buyer.party.id, ["a.example"])
    assert not await senders.has_confirmed(party_id, [])
    states = {one.id: one.state for one in await env.store.records.messages()}
    assert [states[one] for one in waits] == [MessageState.QUEUED, MessageState.HELD, MessageState.HELD]
    history = await env.store.records.history(waits[0])
    assert [dict(one.data)["by"] for one in history if one.type is EventType.RELEASED] == ["link"]
    assert await senders.confirm_domain(party_id, "b.example", confirmed=True, by="cli")
    assert await senders.confirmed_domains(party_id) == ["a.example", "b.example"]
    assert await senders.confirm_domain(party_id, "a.example", confirmed=False, by="cli")
    assert not await senders.confirm_domain(party_id, "a.example", confirmed=False, by="cli")
    assert await senders.confirmed_domains(party_id) == ["b.example"]
    assert await senders.confirm_domain(party_id, "a.example", confirmed=True, by="cli")
    with pytest.raises(ValueError, match="no such party"):
        await senders.confirm_domain("nobody", "a.example", confirmed=True, by="cli")


async def test_a_strangers_body_ends_and_its_hash_stays(env: StoreEnv) -> None:  # R-REC-01
    now = env.database.clock.now()
    records = [
        env.record(state=MessageState.REFUSED, original=b"", header=None, edits=(), stranger_body=body)
        for body in (b"first", b"second")
    ]
    for days, record in enumerate(records, 1):
        until = now + timedelta(days=days)
        await env.store.acceptances.add(env.acceptance(replace(record, stranger_body_until=until)))
    assert await env.store.records.drop_strangers_bodies(now, limit=10) == 0
    assert await env.store.records.drop_strangers_bodies(now + timedelta(days=2), limit=1) == 1
    first, second = [await env.store.records.message(record.id) for record in records]
    assert first is not None
    assert second is not None
    assert (first.original, second.original, first.mail_from) == (b"", b"second", records[0].mail_from)
    assert await env.store.records.drop_strangers_bodies(now + timedelta(days=2), limit=10) == 1
    assert await env.store.records.drop_strangers_bodies(now + timedelta(days=2), limit=10) == 0
    hashes = await env.store.base.engine.read("SELECT content_hash FROM message ORDER BY id")
    assert len({bytes(row["content_hash"]) for row in hashes}) == 2
