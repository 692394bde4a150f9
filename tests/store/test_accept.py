"""`accept`: all or nothing, durable, together with others; and what a record gives back."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import ItemKind, ItemState
from relay.core.model.message import MessageState
from relay.core.model.order import OrderUpdate
from relay.core.model.party import Role
from relay.core.model.sender import Sender, SenderState
from relay.store import SqlStore
from tests.store.world import Place, World, execute
from tests.support.narrowing import not_none


async def test_a_record_comes_back_as_it_went_in(world: World, place: Place) -> None:  # R-REC-01
    order = await world.store.orders.put(
        OrderUpdate(marketplace_id="m", pair_id=world.pair.id, external_id="A-1", items=())
    )
    record = world.record(order_id=order.id, detail={"tls": True, "size_bytes": 48, "reasons": [{"code": "x"}]})
    acceptance = world.acceptance(record, world.item(record), notices=(world.notice(record),))
    await world.store.acceptances.add(acceptance)
    async with place.node() as other:
        stored = await other.records.message(record.id)
        assert stored is not None
        assert (stored.original, stored.header, stored.edits, stored.changes) == (
            record.original,
            record.header,
            record.edits,
            record.changes,
        )
        assert (stored.subject, stored.mail_from) == (record.subject, record.mail_from)
        assert stored.original_message_id == record.original_message_id
        assert stored.events == acceptance.events
        assert stored.summary == await other.records.summary(record.id)
        assert stored.summary.order_external_id == "A-1"
        assert stored.summary.detail == record.detail
        assert (stored.summary.received_at, stored.summary.author_role) == (record.received_at, Role.SELLER)
        assert await other.records.notices(record.id) == [b"could not deliver\r\n"]


async def test_an_unrelayed_record_has_no_relayed_form(world: World) -> None:  # R-REC-01
    record = world.record(state=MessageState.RETURNED, header=None, edits=(), changes=())
    await world.store.acceptances.add(world.acceptance(record))
    stored = await world.store.records.message(record.id)
    assert stored is not None
    assert (stored.header, stored.edits, stored.changes) == (None, (), ())


async def test_mail_of_a_stranger_is_kept_under_the_marketplaces_key(world: World) -> None:  # R-REC-01 R-REC-04
    bare: dict[str, Any] = {"pair_id": None, "author_id": None, "author_role": None, "recipient_id": None}
    for _ in range(2):
        record = world.record(key_holder_id="fresh", state=MessageState.REFUSED, original=b"", **bare)
        await world.store.acceptances.add(world.acceptance(record))
        stored = await world.store.records.message(record.id)
        assert stored is not None
        assert (stored.original, stored.summary.size_bytes, stored.summary.pair_id) == (b"", 48, None)


async def test_a_big_message_goes_in_and_out_whole(world: World) -> None:
    record = world.record(original=bytes(range(256)) * 8_000, detail={})
    item = world.item(record)
    await world.store.acceptances.add(world.acceptance(record, item))
    letter = await world.store.queue.content(item)
    assert letter is not None
    assert letter.original == record.original
    assert not_none(await world.store.records.summary(record.id)).size_bytes == 2_048_000


async def test_broken_characters_and_nul_do_not_stop_a_record(world: World) -> None:
    record = world.record(subject="\udcff\x00", original_message_id="\ud800@x", detail={"tag": "\udcff\x00"})
    await world.store.acceptances.add(world.acceptance(record))
    stored = await world.store.records.message(record.id)
    assert stored is not None
    assert stored.subject == "?\x00"
    assert set(stored.summary.detail) == {"tag"}


async def test_one_bad_row_writes_nothing_of_its_acceptance(world: World) -> None:  # R-IN-03
    record = world.record()
    for bad in (
        world.acceptance(record, world.item(record), events=(world.event(record.id), world.event("no such record"))),
        world.acceptance(record, replace(world.item(record), message_id="no such record")),
        world.acceptance(record, notices=(replace(world.notice(record), item=world.item(world.record())),)),
        world.acceptance(record, new_senders=(Sender(id="x", party_id="?", address="a@b", state=SenderState.UNKNOWN),)),
    ):
        with pytest.raises((ValueError, KeyError), match=r"refuses the row|no such"):
            await world.store.acceptances.add(bad)
        assert await world.store.records.messages() == []
        assert await world.store.queue.lines() == []
        assert await world.store.records.history(record.id) == []
    await world.store.acceptances.add(world.acceptance(record))


async def test_many_at_once_share_commits_and_a_bad_one_fails_alone(world: World) -> None:  # R-IN-03
    records = [world.record() for _ in range(60)]
    acceptances = [world.acceptance(record, world.item(record)) for record in records]
    acceptances[17] = replace(acceptances[17], events=(world.event("no such record"),))
    outcomes = await asyncio.gather(*map(world.store.acceptances.add, acceptances), return_exceptions=True)
    assert [type(each) for each in outcomes if each is not None] == [ValueError]
    kept = {summary.id for summary in await world.store.records.messages(limit=100)}
    assert kept == {record.id for record in records} - {records[17].id}
    assert [line.count for line in await world.store.queue.lines()] == [59]


async def test_a_waiter_that_is_cancelled_leaves_the_others_and_its_own_write_alone(world: World) -> None:
    records = [world.record() for _ in range(3)]
    tasks = [asyncio.create_task(world.store.acceptances.add(world.acceptance(record))) for record in records]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await world.store.ping()
    assert {records[0].id, records[2].id} <= {summary.id for summary in await world.store.records.messages()}


async def test_a_born_leased_item_is_nobody_elses(world: World) -> None:
    record = world.record()
    item = world.item(record, ItemState.LEASED)
    await world.store.acceptances.add(world.acceptance(record, item))
    assert await world.claim("node-2") == []
    assert await world.store.queue.item(item.id) == replace(item, attempts=1)


async def test_an_operators_address_is_kept_with_the_item(world: World) -> None:
    record = world.record(pair_id=None, author_id=None, author_role=None, recipient_id=None, key_holder_id="m")
    item = world.item(record, kind=ItemKind.OPERATOR, address="Boss@market.example")
    await world.store.acceptances.add(world.acceptance(record, item))
    assert [each.address for each in await world.claim()] == ["Boss@market.example"]
    letter = await world.store.queue.content(item)
    assert letter is not None
    assert (letter.original, letter.pair) == (record.original, None)


async def test_messages_are_listed_newest_first_by_marketplace_and_state(world: World) -> None:
    first, second = world.record(), world.record(state=MessageState.RETURNED)
    foreign = world.record(marketplace_id="other", pair_id=None)
    for record in (first, second, foreign):
        await world.store.acceptances.add(world.acceptance(record))
    assert [each.id for each in await world.store.records.messages()] == [foreign.id, second.id, first.id]
    assert [each.id for each in await world.store.records.messages("m")] == [second.id, first.id]  # R-ADR-09
    assert [each.id for each in await world.store.records.messages("m", state=MessageState.RETURNED)] == [second.id]
    assert [each.id for each in await world.store.records.messages(limit=1)] == [foreign.id]
    assert await world.store.records.message("nothing") is None
    assert await world.store.records.summary("nothing") is None


async def test_events_are_appended_and_nothing_else(world: World) -> None:  # R-REC-02
    record = world.record()
    await world.store.acceptances.add(world.acceptance(record))
    for sql in ("UPDATE event SET type = 'x'", "DELETE FROM event"):
        with pytest.raises(Exception, match="append-only"):
            await execute(world.store, sql)
    assert [event.type for event in await world.store.records.history(record.id)] == [EventType.RECEIVED]


# ---------------------------------------------------------------- mail that waits for its sender


async def held(world: World, sender: Sender, *, new: bool = False) -> tuple[str, str]:
    record = world.record(sender_id=sender.id, state=MessageState.HELD)
    item = world.item(record, ItemState.HELD)
    await world.store.acceptances.add(world.acceptance(record, item, new_senders=(sender,) if new else ()))
    return record.id, item.id


async def pending(world: World, address: str = "temp@seller.example") -> Sender:
    return await world.store.senders.put(world.pair.seller.party.id, address, SenderState.UNKNOWN)


async def test_approval_releases_all_held_mail_in_order_once(world: World) -> None:  # R-SND-02
    sender, other = await pending(world), await pending(world, "other@seller.example")
    ids = []
    for minutes in (3, 1, 2):
        world.place.clock.at += timedelta(minutes=minutes)
        ids.append(await held(world, sender))
    await held(world, other)
    assert await world.claim() == []
    world.place.clock.at += timedelta(hours=5)
    await world.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    for record_id, _ in ids:
        assert not_none(await world.store.records.summary(record_id)).state is MessageState.QUEUED
        assert [e.type for e in await world.store.records.history(record_id)] == [
            EventType.RECEIVED,
            EventType.RELEASED,
        ]
    rounds = await world.drained()
    assert [[item.id for item in claimed] for claimed in rounds] == [[item_id] for _, item_id in ids]
    assert rounds[-1][0].queued_at == world.place.clock.at  # R-OUT-02: a hold does not count
    await world.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    assert await world.claim() == []


async def test_a_hold_is_released_once_by_staff(world: World) -> None:  # R-UI-10
    sender = await pending(world)
    record_id, item_id = await held(world, sender)
    world.place.clock.at += timedelta(seconds=1)
    assert await world.store.holds.release(record_id, "dana")
    assert not await world.store.holds.release(record_id, "dana")
    assert not await world.store.holds.release("0" * 26, "dana")
    world.place.clock.at += timedelta(seconds=1)
    assert [item.id for item in await world.claim()] == [item_id]
    assert (await world.store.records.history(record_id))[-1].data == {"by": "dana"}


async def test_a_block_returns_held_mail(world: World) -> None:  # R-SND-02
    sender = await pending(world)
    record_id, item_id = await held(world, sender)
    world.place.clock.at += timedelta(seconds=1)
    await world.store.senders.put(sender.party_id, sender.address, SenderState.BLOCKED)
    assert not_none(await world.store.queue.item(item_id)).state is ItemState.RETURNED
    assert not_none(await world.store.records.summary(record_id)).state is MessageState.RETURNED
    assert [e.type for e in await world.store.records.history(record_id)] == [EventType.RECEIVED, EventType.RETURNED]
    await world.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    assert await world.claim() == []


def fresh_sender(world: World) -> Sender:
    party_id = world.pair.seller.party.id
    return Sender(id=world.ids.new(), party_id=party_id, address="new@seller.example", state=SenderState.UNKNOWN)


async def test_two_first_messages_of_one_new_sender_wait_for_the_same_word(world: World) -> None:  # R-SND-02
    await asyncio.gather(*(held(world, fresh_sender(world), new=True) for _ in range(3)))
    await held(world, fresh_sender(world), new=True)
    seller = world.pair.seller.party.id
    assert await world.store.senders.pending_count(seller) == 1
    await world.store.senders.put(seller, "new@seller.example", SenderState.APPROVED)
    assert len(await world.drained()) == 4


async def test_a_word_given_while_the_mail_was_judged_counts(world: World) -> None:  # R-SND-02
    sender = await pending(world)
    record = world.record(sender_id=sender.id, state=MessageState.HELD)
    acceptance = world.acceptance(record, world.item(record, ItemState.HELD))
    world.place.clock.at += timedelta(seconds=1)
    await world.store.senders.put(sender.party_id, sender.address, SenderState.APPROVED)
    await world.store.acceptances.add(acceptance)
    assert len(await world.claim()) == 1


async def test_the_letter_is_what_was_accepted(world: World) -> None:
    record = world.record()
    letter = await world.store.queue.content(await world.accepted(record))
    assert letter is not None
    assert letter.pair == world.pair
    assert (letter.original, letter.header, letter.edits) == (record.original, record.header, record.edits)


async def test_an_acceptance_with_nothing_in_it_is_no_error(node: SqlStore, world: World) -> None:
    empty = replace(world.acceptance(world.record()), records=(), events=())
    await node.acceptances.add(empty)
    assert await node.records.messages() == []
