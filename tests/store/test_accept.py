"""`accept`: all or nothing, durable, together with others; and what a record gives back."""

import asyncio
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType, HoldData
from relay.core.model.facts import Proof
from relay.core.model.item import ItemKind, ItemState
from relay.core.model.message import MessageState, Port
from relay.core.model.order import OrderEvidence, OrderUpdate
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import Sender, SenderState
from relay.core.model.verdict import Action
from relay.ports import (
    LetterType,
    ListedBy,
    RecordAction,
    RecordDetail,
    RecordedEvidence,
    RecordedReason,
    SenderListing,
)
from relay.store import SqlStore
from tests.store.store_env import Database, StoreEnv, execute
from tests.support.narrowing import not_none

DETAIL = RecordDetail(
    action=RecordAction.HOLD,
    port=Port.SUBMISSION,
    tls=True,
    size_bytes=48,
    to="buyer",
    tagged=True,
    other_tags=("order_problem", "O1"),
    order_evidence=OrderEvidence.TEXT,
    thread_order="O2",
    reasons=(
        RecordedReason(code=ReasonCode.SENDER_PENDING, rule="R-SND-02"),
        RecordedReason(code=ReasonCode.CONTACT_DATA, rule="R-POL-05", part="1.2", start=0, end=9),
    ),
    authentication=("spf=pass", "dkim=none"),
    warnings=(ReasonCode.LINKED_LOGO,),
    proof=Proof.LOGIN,
    registered=True,
    sender_state=SenderListing.APPROVED,
    opted_out=True,
    automatic=True,
    to_operator=True,
    unsolicited=True,
    letter=LetterType.DIGEST,
    uncovered=("content-type",),
    duplicate_of="first-1",
    listed_by=ListedBy.OTHER_SIDE,
    kept_action=RecordAction.RETURN,
    kept_reasons=(RecordedReason(code=ReasonCode.CONTACT_DATA, rule="R-POL-08", part="1", start=2, end=7),),
    evidence=(RecordedEvidence(topic="thanks", weight=2.5, part="1", start=0, end=9),),
)
"""It has no value that is a default."""


async def test_a_record_comes_back_as_it_went_in(env: StoreEnv, database: Database) -> None:  # R-REC-01
    order = await env.store.orders.put(
        OrderUpdate(marketplace_id="m", pair_id=env.pair.id, external_id="A-1", items=())
    )
    record = env.record(order_id=order.id, detail=DETAIL, client_ip="192.0.2.7")
    acceptance = env.acceptance(record, env.item(record), notices=(env.notice(record),))
    await env.store.acceptances.add(acceptance)
    async with database.node() as other:
        stored = await other.records.message(record.id)
        assert stored is not None
        assert (stored.original, stored.header, stored.edits, stored.changes) == (
            record.original,
            record.header,
            record.edits,
            record.changes,
        )
        assert (stored.subject, stored.mail_from, stored.client_ip) == (record.subject, record.mail_from, "192.0.2.7")
        assert stored.original_message_id == record.original_message_id
        assert stored.events == acceptance.events
        assert stored.summary == await other.records.summary(record.id)
        assert stored.summary.order_external_id == "A-1"
        assert stored.summary.detail == record.detail
        assert (stored.summary.received_at, stored.summary.author_role) == (record.received_at, Role.SELLER)
        assert await other.records.notices(record.id) == [b"could not deliver\r\n"]


def test_every_field_of_the_detail_is_tried() -> None:
    empty = RecordDetail()
    assert [one.name for one in fields(DETAIL) if getattr(DETAIL, one.name) == getattr(empty, one.name)] == []


def test_a_listing_exists_for_every_state_of_a_sender() -> None:
    assert {*SenderListing} == {*SenderState, SenderListing.UNLISTED}


def test_an_action_exists_for_every_action_of_a_verdict() -> None:
    assert {*Action} < {*RecordAction}


async def test_an_unrelayed_record_has_no_relayed_form(env: StoreEnv) -> None:  # R-REC-01
    record = env.record(state=MessageState.RETURNED, header=None, edits=(), changes=())
    await env.store.acceptances.add(env.acceptance(record))
    stored = await env.store.records.message(record.id)
    assert stored is not None
    assert (stored.header, stored.edits, stored.changes) == (None, (), ())


async def test_mail_of_a_stranger_is_kept_under_the_marketplaces_key(env: StoreEnv) -> None:  # R-REC-01 R-REC-04
    bare: dict[str, Any] = {"pair_id": None, "author_id": None, "author_role": None, "recipient_id": None}
    for _ in range(2):
        record = env.record(key_holder_id="fresh", state=MessageState.REFUSED, original=b"", **bare)
        await env.store.acceptances.add(env.acceptance(record))
        stored = await env.store.records.message(record.id)
        assert stored is not None
        assert (stored.original, stored.summary.size_bytes, stored.summary.pair_id) == (b"", 48, None)


async def test_a_big_message_goes_in_and_out_whole(env: StoreEnv) -> None:
    record = env.record(original=bytes(range(256)) * 8_000, detail=RecordDetail())
    item = env.item(record)
    await env.store.acceptances.add(env.acceptance(record, item))
    stored_content = await env.store.queue.content(item)
    assert stored_content is not None
    assert stored_content.original == record.original
    assert not_none(await env.store.records.summary(record.id)).size_bytes == 2_048_000


async def test_broken_characters_and_nul_do_not_stop_a_record(env: StoreEnv) -> None:
    record = env.record(
        subject="\udcff\x00", original_message_id="\ud800@x", detail=RecordDetail(other_tags=("\udcff\x00",))
    )
    await env.store.acceptances.add(env.acceptance(record))
    stored = await env.store.records.message(record.id)
    assert stored is not None
    assert stored.subject == "?\x00"
    assert stored.summary.detail.other_tags == ("?\x00",)


async def test_one_bad_row_writes_nothing_of_its_acceptance(env: StoreEnv) -> None:  # R-IN-03
    record = env.record()
    for bad in (
        env.acceptance(record, env.item(record), events=(env.event(record.id), env.event("no such record"))),
        env.acceptance(record, replace(env.item(record), message_id="no such record")),
        env.acceptance(record, notices=(replace(env.notice(record), item=env.item(env.record())),)),
        env.acceptance(record, new_senders=(Sender(id="x", party_id="?", address="a@b", state=SenderState.UNKNOWN),)),
    ):
        with pytest.raises((ValueError, KeyError), match=r"refuses the row|no such"):
            await env.store.acceptances.add(bad)
        assert await env.store.records.messages() == []
        assert await env.store.queue.lines() == []
        assert await env.store.records.history(record.id) == []
    await env.store.acceptances.add(env.acceptance(record))


async def test_many_at_once_share_commits_and_a_bad_one_fails_alone(env: StoreEnv) -> None:  # R-IN-03
    records = [env.record() for _ in range(60)]
    acceptances = [env.acceptance(record, env.item(record)) for record in records]
    acceptances[17] = replace(acceptances[17], events=(env.event("no such record"),))
    outcomes = await asyncio.gather(*map(env.store.acceptances.add, acceptances), return_exceptions=True)
    assert [type(each) for each in outcomes if each is not None] == [ValueError]
    kept = {summary.id for summary in await env.store.records.messages(limit=100)}
    assert kept == {record.id for record in records} - {records[17].id}
    assert [line.count for line in await env.store.queue.lines()] == [59]


async def test_a_waiter_that_is_cancelled_leaves_the_others_and_its_own_write_alone(env: StoreEnv) -> None:
    records = [env.record() for _ in range(3)]
    tasks = [asyncio.create_task(env.store.acceptances.add(env.acceptance(record))) for record in records]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await env.store.ping()
    assert {records[0].id, records[2].id} <= {summary.id for summary in await env.store.records.messages()}


@pytest.mark.parametrize("turns", range(12))
async def test_an_acceptance_that_is_cancelled_is_written_and_says_so(env: StoreEnv, turns: int) -> None:  # R-UI-11
    # Otherwise the client would send a message again that is already stored.
    record = env.record()
    task = asyncio.create_task(env.store.acceptances.add(env.acceptance(record), must_know=True))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    await env.store.ping()
    assert len(await env.store.records.messages()) == (outcome is None)


async def test_a_born_leased_item_is_nobody_elses(env: StoreEnv) -> None:
    record = env.record()
    item = env.item(record, ItemState.LEASED)
    await env.store.acceptances.add(env.acceptance(record, item))
    assert await env.claim("node-2") == []
    assert await env.store.queue.item(item.id) == replace(item, attempts=1)


async def test_an_operators_address_is_kept_with_the_item(env: StoreEnv) -> None:
    record = env.record(pair_id=None, author_id=None, author_role=None, recipient_id=None, key_holder_id="m")
    item = env.item(record, kind=ItemKind.OPERATOR, address="Boss@market.example")
    await env.store.acceptances.add(env.acceptance(record, item))
    assert [each.address for each in await env.claim()] == ["Boss@market.example"]
    stored_content = await env.store.queue.content(item)
    assert stored_content is not None
    assert (stored_content.original, stored_content.pair) == (record.original, None)


async def test_messages_are_listed_newest_first_by_marketplace_and_state(env: StoreEnv) -> None:
    first, second = env.record(), env.record(state=MessageState.RETURNED)
    foreign = env.record(marketplace_id="other", pair_id=None)
    for record in (first, second, foreign):
        await env.store.acceptances.add(env.acceptance(record))
    assert [each.id for each in await env.store.records.messages()] == [foreign.id, second.id, first.id]
    assert [each.id for each in await env.store.records.messages("m")] == [second.id, first.id]  # R-ADR-09
    assert [each.id for each in await env.store.records.messages("m", state=MessageState.RETURNED)] == [second.id]
    assert [each.id for each in await env.store.records.messages(limit=1)] == [foreign.id]
    assert await env.store.records.message("nothing") is None
    assert await env.store.records.summary("nothing") is None


async def test_events_are_appended_and_nothing_else(env: StoreEnv) -> None:  # R-REC-02
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record))
    for sql in ("UPDATE event SET type = 'x'", "DELETE FROM event"):
        with pytest.raises(Exception, match="append-only"):
            await execute(env.store, sql)
    assert [event.type for event in await env.store.records.history(record.id)] == [EventType.RECEIVED]


# ---------------------------------------------------------------- mail that waits for its sender


async def held(env: StoreEnv, sender: Sender, *, new: bool = False) -> tuple[str, str]:
    record = env.record(sender_id=sender.id, state=MessageState.HELD)
    item = env.item(record, ItemState.HELD)
    await env.store.acceptances.add(env.acceptance(record, item, new_senders=(sender,) if new else ()))
    return record.id, item.id


async def pending(env: StoreEnv, address: str = "temp@seller.example") -> Sender:
    return await env.store.senders.put(env.pair.seller.party.id, address, SenderState.UNKNOWN)


async def test_approval_releases_all_held_mail_in_order_once(env: StoreEnv) -> None:  # R-SND-02
    sender, other = await pending(env), await pending(env, "other@seller.example")
    ids = []
    for minutes in (3, 1, 2):
        env.database.clock.at += timedelta(minutes=minutes)
        ids.append(await held(env, sender))
    await held(env, other)
    assert await env.claim() == []
    env.database.clock.at += timedelta(hours=5)
    await env.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    for record_id, _ in ids:
        assert not_none(await env.store.records.summary(record_id)).state is MessageState.QUEUED
        assert [e.type for e in await env.store.records.history(record_id)] == [
            EventType.RECEIVED,
            EventType.RELEASED,
        ]
    rounds = await env.drained()
    assert [[item.id for item in claimed] for claimed in rounds] == [[item_id] for _, item_id in ids]
    assert rounds[-1][0].queued_at == env.database.clock.at  # R-OUT-02: a hold does not count
    await env.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    assert await env.claim() == []


async def test_a_hold_is_released_once_by_staff(env: StoreEnv) -> None:  # R-UI-10
    sender = await pending(env)
    record_id, item_id = await held(env, sender)
    env.database.clock.at += timedelta(seconds=1)
    assert await env.store.holds.release(record_id, "dana")
    assert not await env.store.holds.release(record_id, "dana")
    assert not await env.store.holds.release("0" * 26, "dana")
    env.database.clock.at += timedelta(seconds=1)
    assert [item.id for item in await env.claim()] == [item_id]
    assert (await env.store.records.history(record_id))[-1].data == HoldData(by="dana")


async def test_a_block_returns_held_mail(env: StoreEnv) -> None:  # R-SND-02
    sender = await pending(env)
    record_id, item_id = await held(env, sender)
    env.database.clock.at += timedelta(seconds=1)
    await env.store.senders.put(sender.party_id, sender.address, SenderState.BLOCKED)
    assert not_none(await env.store.queue.item(item_id)).state is ItemState.RETURNED
    assert not_none(await env.store.records.summary(record_id)).state is MessageState.RETURNED
    assert [e.type for e in await env.store.records.history(record_id)] == [EventType.RECEIVED, EventType.RETURNED]
    await env.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    assert await env.claim() == []


def fresh_sender(env: StoreEnv) -> Sender:
    party_id = env.pair.seller.party.id
    return Sender(id=env.ids.new(), party_id=party_id, address="new@seller.example", state=SenderState.UNKNOWN)


async def test_two_first_messages_of_one_new_sender_wait_for_the_same_word(env: StoreEnv) -> None:  # R-SND-02
    await asyncio.gather(*(held(env, fresh_sender(env), new=True) for _ in range(3)))
    await held(env, fresh_sender(env), new=True)
    seller = env.pair.seller.party.id
    assert len(await env.store.senders.pending(seller)) == 1
    await env.store.senders.put(seller, "new@seller.example", SenderState.APPROVED)
    assert len(await env.drained()) == 4


async def test_a_word_given_while_the_mail_was_judged_counts(env: StoreEnv) -> None:  # R-SND-02
    sender = await pending(env)
    record = env.record(sender_id=sender.id, state=MessageState.HELD)
    acceptance = env.acceptance(record, env.item(record, ItemState.HELD))
    env.database.clock.at += timedelta(seconds=1)
    await env.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    await env.store.acceptances.add(acceptance)
    assert len(await env.claim()) == 1


async def test_the_stored_content_is_what_was_accepted(env: StoreEnv) -> None:
    record = env.record()
    stored_content = await env.store.queue.content(await env.accepted(record))
    assert stored_content is not None
    assert stored_content.pair == env.pair
    assert (stored_content.original, stored_content.header, stored_content.edits) == (
        record.original,
        record.header,
        record.edits,
    )


async def test_an_acceptance_with_nothing_in_it_is_no_error(node: SqlStore, env: StoreEnv) -> None:
    empty = replace(env.acceptance(env.record()), records=(), events=())
    await node.acceptances.add(empty)
    assert await node.records.messages() == []
