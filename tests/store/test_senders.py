"""Sender lists: flipped at will, one or many, never deleted; who waits, and who is to be told of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.party import PartySettings, PartyState, Role, SettingsUpdate
from relay.core.model.sender import Sender, SenderState
from relay.ports import NoticeSent
from relay.store import SqlStore
from tests.store.world import Place, World, execute, make_pair
from tests.support.narrowing import not_none

A, B = "a@seller.example", "b@seller.example"


async def pending(world: World, address: str = A) -> Sender:
    return await world.store.senders.put(world.pair.seller.party.id, address, SenderState.UNKNOWN)


async def hold(world: World, sender: Sender, **more: object) -> str:
    record = world.record(state=MessageState.HELD, sender_id=sender.id)
    await world.store.acceptances.add(world.acceptance(record, world.item(record, ItemState.HELD, **more)))
    return record.id


async def first_mail(world: World, address: str) -> Sender:
    """The sender as the flow makes it: with the mail that it wrote first."""
    party_id = world.pair.seller.party.id
    sender = Sender(id=world.ids.new(), party_id=party_id, address=address, state=SenderState.UNKNOWN, added_by="mail")
    record = world.record(state=MessageState.HELD, sender_id=sender.id)
    await world.store.acceptances.add(
        world.acceptance(record, world.item(record, ItemState.HELD), new_senders=(sender,))
    )
    return sender


# ---------------------------------------------------------------- flips


async def test_many_are_flipped_at_once_with_the_mail_of_each(world: World) -> None:  # R-SND-03
    first, second = await pending(world, A), await pending(world, B)
    ids = [await hold(world, sender) for sender in (first, second)]
    world.place.clock.at += timedelta(seconds=1)
    flipped = await world.store.senders.flip_many(first.party_id, [A.upper(), B], SenderState.APPROVED, by="owner")
    assert flipped == [replace(each, state=SenderState.APPROVED) for each in (first, second)]
    assert [item.message_id for claimed in await world.drained() for item in claimed] == ids
    last = (await world.store.records.history(ids[0]))[-1]
    assert (last.type, last.data) == (EventType.RELEASED, {"sender": "approved", "by": "owner"})


async def test_many_are_flipped_all_or_none(world: World) -> None:  # R-SND-03
    first = await pending(world, A)
    with pytest.raises(ValueError, match="no such sender"):
        await world.store.senders.flip_many(first.party_id, [A, "nobody@seller.example"], SenderState.APPROVED, by="x")
    with pytest.raises(ValueError, match="no such sender"):  # another party's list
        await world.store.senders.flip_many(world.pair.buyer.party.id, [A], SenderState.APPROVED, by="x")
    assert await world.store.senders.get(first.id) == first
    assert await world.store.senders.flip_many(first.party_id, [], SenderState.APPROVED, by="x") == []


async def test_a_sender_is_flipped_at_will_by_its_id(world: World) -> None:  # R-SND-03
    sender = await pending(world)
    for state in (SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED, SenderState.APPROVED):
        assert await world.store.senders.flip(sender.id, state, by="owner") == replace(sender, state=state)
        assert await world.store.senders.get(sender.id) == replace(sender, state=state)
    assert await world.store.senders.flip("nothing", SenderState.APPROVED, by="owner") is None
    assert await world.store.senders.get("nothing") is None


async def test_the_same_works_for_a_buyer(world: World) -> None:  # R-SND-05
    buyer = world.pair.buyer.party.id
    sender = await world.store.senders.put(buyer, "other@mail.example", SenderState.UNKNOWN)
    record = world.record(Role.BUYER, state=MessageState.HELD, sender_id=sender.id)
    await world.accepted(record, ItemState.HELD)
    assert [each.sender for each in await world.store.senders.pending(buyer)] == [sender]
    await world.store.senders.flip(sender.id, SenderState.APPROVED, by="owner")
    assert [item.message_id for item in await world.claim()] == [record.id]


async def test_no_sender_is_ever_deleted(world: World) -> None:  # R-SND-03
    with pytest.raises(Exception, match=r"never deleted|append-only"):
        await execute(world.store, "DELETE FROM sender")
    assert await world.store.senders.of_party(world.pair.seller.party.id) != []


async def test_of_an_erased_partys_senders_nothing_is_told_or_flipped(world: World) -> None:  # R-SND-03
    sender = await pending(world)
    await execute(world.store, "DELETE FROM holder_key WHERE holder_id = $1", sender.party_id)
    assert await world.store.senders.get(sender.id) is None
    assert await world.store.senders.flip(sender.id, SenderState.APPROVED, by="x") is None
    assert await world.store.senders.pending(sender.party_id) == []


# ---------------------------------------------------------------- who waits


async def test_pending_senders_are_listed_longest_waiting_first_with_their_mail(world: World) -> None:  # R-SND-02
    late = await pending(world, B)
    world.place.clock.at += timedelta(hours=1)
    await world.store.senders.flip(late.id, SenderState.APPROVED, by="x")
    early = await first_mail(world, A)
    early_at = world.place.clock.now()
    world.place.clock.at += timedelta(hours=1)
    await world.store.senders.flip(late.id, SenderState.UNKNOWN, by="x")
    await hold(world, early)
    await hold(world, early, awaits_sender=False)
    found = await world.store.senders.pending(early.party_id)
    assert [(each.sender, each.since, each.held) for each in found] == [
        (early, early_at, 2),
        (late, world.place.clock.now(), 0),
    ]
    assert await world.store.senders.pending(world.pair.buyer.party.id) == []


async def test_a_retired_sender_who_writes_again_is_pending_again(world: World) -> None:  # R-SND-03
    sender = await pending(world)
    await world.store.senders.flip(sender.id, SenderState.RETIRED, by="x")
    world.place.clock.at += timedelta(hours=1)
    await hold(world, sender)
    assert [(each.sender.id, each.since) for each in await world.store.senders.pending(sender.party_id)] == [
        (sender.id, world.place.clock.now())
    ]


async def test_who_waits_for_a_first_decision_is_none_of_the_partys_addresses(
    world: World,
) -> None:  # R-REW-01 R-REW-04
    async def addresses() -> frozenset[str]:
        pair = await world.store.pairs.get(world.pair.id)
        assert pair is not None
        return pair.seller.addresses - world.pair.seller.addresses

    sender = await pending(world)
    assert await addresses() == frozenset()
    for state in (SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED):
        await world.store.senders.flip(sender.id, state, by="x")
        assert await addresses() == {A}
    await hold(world, sender)
    [waiting] = await world.store.senders.pending(sender.party_id)
    assert (waiting.sender.state, waiting.sender.is_decided) == (SenderState.UNKNOWN, True)
    assert await addresses() == {A}


async def test_a_digest_is_due_to_parties_with_news_only(world: World, node: SqlStore) -> None:  # R-SND-02
    seller, clock = world.pair.seller.party.id, world.place.clock
    assert await node.senders.parties_due_for_digest(clock.now()) == []
    await first_mail(world, A)
    assert await node.senders.parties_due_for_digest(clock.now()) == [seller]  # never told
    await node.notice_log.add(NoticeSent(party_id=seller, topic="pending", at=clock.now()))
    clock.at += timedelta(hours=25)
    assert await node.senders.parties_due_for_digest(clock.now()) == []  # nobody new
    other = await first_mail(world, B)
    assert await node.senders.parties_due_for_digest(clock.now() - timedelta(hours=26)) == []  # told too lately
    assert await node.senders.parties_due_for_digest(clock.now()) == [seller]
    await node.senders.flip(other.id, SenderState.BLOCKED, by="x")
    assert await node.senders.parties_due_for_digest(clock.now()) == []


async def test_a_partys_own_choices_stay_until_they_are_changed(
    world: World, place: Place
) -> None:  # R-POL-12 R-POL-13
    choices = PartySettings(time_zone="Asia/Tokyo", quiet_hours="22:00-07:00", product_support=True)
    everything = SettingsUpdate(time_zone="Asia/Tokyo", quiet_hours="22:00-07:00", product_support=True)
    made = await world.store.parties.put("m", Role.SELLER, "s-1", settings=everything)
    assert made.settings == choices
    await world.store.parties.put("m", Role.SELLER, "s-1", state=PartyState.SUSPENDED)
    async with place.node() as other:
        assert await other.parties.get(made.id) == replace(made, state=PartyState.SUSPENDED)
        assert not_none(await other.pairs.get(world.pair.id)).seller.party.settings == choices
    assert not_none(await world.store.parties.get(world.pair.buyer.party.id)).settings == PartySettings()
    assert await world.store.parties.get("nobody") is None


async def test_a_choice_changes_no_other_choice(world: World, place: Place) -> None:  # R-POL-12 R-POL-13
    async with place.node() as other:
        for number in range(5):
            ref = f"s-{number + 10}"
            await world.store.parties.put("m", Role.SELLER, ref)
            await asyncio.gather(
                world.store.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(time_zone="Asia/Tokyo")),
                other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(quiet_hours="off")),
                world.store.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(product_support=True)),
                other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate()),
            )
            stored = await other.parties.by_ref("m", Role.SELLER, ref)
            assert not_none(stored).settings == PartySettings(
                time_zone="Asia/Tokyo", quiet_hours="off", product_support=True
            )
        cleared = await other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(time_zone=""))
        assert cleared.settings == PartySettings(quiet_hours="off", product_support=True)


async def test_another_pair_of_the_seller_changes_nothing_here(world: World) -> None:  # R-ADR-09
    other = await make_pair(world.store, marketplace="other")
    sender = await pending(world)
    assert await world.store.senders.pending(other.seller.party.id) == []
    assert [one.sender.id for one in await world.store.senders.pending(sender.party_id)] == [sender.id]
