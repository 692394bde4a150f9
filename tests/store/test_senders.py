"""Sender lists: flipped at will, one or many, never deleted; who waits for a decision."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.model.event import EventType, HoldData
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.party import PartySettings, PartyState, Role, SettingsUpdate
from relay.core.model.sender import Sender, SenderState
from tests.store.store_env import Database, StoreEnv, execute, make_pair
from tests.support.narrowing import not_none

A, B = "a@seller.example", "b@seller.example"


async def pending(env: StoreEnv, address: str = A) -> Sender:
    return await env.store.senders.put(env.pair.seller.party.id, address, SenderState.UNKNOWN)


async def hold(env: StoreEnv, sender: Sender, **more: object) -> str:
    record = env.record(state=MessageState.HELD, sender_id=sender.id)
    await env.store.acceptances.add(env.acceptance(record, env.item(record, ItemState.HELD, **more)))
    return record.id


async def first_mail(env: StoreEnv, address: str) -> Sender:
    """The sender as the flow makes it: with the mail that it wrote first."""
    party_id = env.pair.seller.party.id
    sender = Sender(id=env.ids.new(), party_id=party_id, address=address, state=SenderState.UNKNOWN, added_by="mail")
    record = env.record(state=MessageState.HELD, sender_id=sender.id)
    await env.store.acceptances.add(env.acceptance(record, env.item(record, ItemState.HELD), new_senders=(sender,)))
    return sender


# ---------------------------------------------------------------- flips


async def test_many_are_flipped_at_once_with_the_mail_of_each(env: StoreEnv) -> None:  # R-SND-03
    first, second = await pending(env, A), await pending(env, B)
    ids = [await hold(env, sender) for sender in (first, second)]
    env.database.clock.at += timedelta(seconds=1)
    flipped = await env.store.senders.flip_many(first.party_id, [A.upper(), B], SenderState.APPROVED, by="owner")
    assert flipped == [replace(each, state=SenderState.APPROVED) for each in (first, second)]
    assert [item.message_id for claimed in await env.drained() for item in claimed] == ids
    last = (await env.store.records.history(ids[0]))[-1]
    assert (last.type, last.data) == (EventType.RELEASED, HoldData(sender="approved", by="owner"))


async def test_many_are_flipped_all_or_none(env: StoreEnv) -> None:  # R-SND-03
    first = await pending(env, A)
    with pytest.raises(ValueError, match="no such sender"):
        await env.store.senders.flip_many(first.party_id, [A, "nobody@seller.example"], SenderState.APPROVED, by="x")
    with pytest.raises(ValueError, match="no such sender"):  # another party's list
        await env.store.senders.flip_many(env.pair.buyer.party.id, [A], SenderState.APPROVED, by="x")
    assert await env.store.senders.get(first.id) == first
    assert await env.store.senders.flip_many(first.party_id, [], SenderState.APPROVED, by="x") == []


async def test_a_sender_is_flipped_at_will_by_its_id(env: StoreEnv) -> None:  # R-SND-03
    sender = await pending(env)
    for state in (SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED, SenderState.APPROVED):
        assert await env.store.senders.flip(sender.id, state, by="owner") == replace(sender, state=state)
        assert await env.store.senders.get(sender.id) == replace(sender, state=state)
    assert await env.store.senders.flip("nothing", SenderState.APPROVED, by="owner") is None
    assert await env.store.senders.get("nothing") is None


async def test_the_same_works_for_a_buyer(env: StoreEnv) -> None:  # R-SND-05
    buyer = env.pair.buyer.party.id
    sender = await env.store.senders.put(buyer, "other@mail.example", SenderState.UNKNOWN)
    record = env.record(Role.BUYER, state=MessageState.HELD, sender_id=sender.id)
    await env.accepted(record, ItemState.HELD)
    assert [each.sender for each in await env.store.senders.pending(buyer)] == [sender]
    await env.store.senders.flip(sender.id, SenderState.APPROVED, by="owner")
    assert [item.message_id for item in await env.claim()] == [record.id]


async def test_no_sender_is_ever_deleted(env: StoreEnv) -> None:  # R-SND-03
    with pytest.raises(Exception, match=r"never deleted|append-only"):
        await execute(env.store, "DELETE FROM sender")
    assert await env.store.senders.of_party(env.pair.seller.party.id) != []


async def test_of_an_erased_partys_senders_nothing_is_told_or_flipped(env: StoreEnv) -> None:  # R-SND-03
    sender = await pending(env)
    await execute(env.store, "DELETE FROM holder_key WHERE holder_id = $1", sender.party_id)
    assert await env.store.senders.get(sender.id) is None
    assert await env.store.senders.flip(sender.id, SenderState.APPROVED, by="x") is None
    assert await env.store.senders.pending(sender.party_id) == []


# ---------------------------------------------------------------- who waits


async def test_pending_senders_are_listed_longest_waiting_first_with_their_mail(env: StoreEnv) -> None:  # R-SND-02
    late = await pending(env, B)
    env.database.clock.at += timedelta(hours=1)
    await env.store.senders.flip(late.id, SenderState.APPROVED, by="x")
    early = await first_mail(env, A)
    early_at = env.database.clock.now()
    env.database.clock.at += timedelta(hours=1)
    await env.store.senders.flip(late.id, SenderState.UNKNOWN, by="x")
    await hold(env, early)
    await hold(env, early, awaits_sender=False)
    found = await env.store.senders.pending(early.party_id)
    assert [(each.sender, each.since, each.held) for each in found] == [
        (early, early_at, 2),
        (late, env.database.clock.now(), 0),
    ]
    assert await env.store.senders.pending(env.pair.buyer.party.id) == []


async def test_a_retired_sender_who_writes_again_is_pending_again(env: StoreEnv) -> None:  # R-SND-03
    sender = await pending(env)
    await env.store.senders.flip(sender.id, SenderState.RETIRED, by="x")
    env.database.clock.at += timedelta(hours=1)
    await hold(env, sender)
    assert [(each.sender.id, each.since) for each in await env.store.senders.pending(sender.party_id)] == [
        (sender.id, env.database.clock.now())
    ]


async def test_who_waits_for_a_first_decision_is_none_of_the_partys_addresses(
    env: StoreEnv,
) -> None:  # R-REW-01 R-REW-04
    async def addresses() -> frozenset[str]:
        pair = await env.store.pairs.get(env.pair.id)
        assert pair is not None
        return pair.seller.addresses - env.pair.seller.addresses

    sender = await pending(env)
    assert await addresses() == frozenset()
    for state in (SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED):
        await env.store.senders.flip(sender.id, state, by="x")
        assert await addresses() == {A}
    await hold(env, sender)
    [waiting] = await env.store.senders.pending(sender.party_id)
    assert (waiting.sender.state, waiting.sender.is_decided) == (SenderState.UNKNOWN, True)
    assert await addresses() == {A}


async def test_a_partys_own_choices_stay_until_they_are_changed(
    env: StoreEnv, database: Database
) -> None:  # R-POL-12 R-POL-13
    choices = PartySettings(time_zone="Asia/Tokyo", quiet_hours="22:00-07:00", product_support=True)
    everything = SettingsUpdate(time_zone="Asia/Tokyo", quiet_hours="22:00-07:00", product_support=True)
    made = await env.store.parties.put("m", Role.SELLER, "s-1", settings=everything)
    assert made.settings == choices
    await env.store.parties.put("m", Role.SELLER, "s-1", state=PartyState.SUSPENDED)
    async with database.node() as other:
        assert await other.parties.get(made.id) == replace(made, state=PartyState.SUSPENDED)
        assert not_none(await other.pairs.get(env.pair.id)).seller.party.settings == choices
    assert not_none(await env.store.parties.get(env.pair.buyer.party.id)).settings == PartySettings()
    assert await env.store.parties.get("nobody") is None


async def test_a_choice_changes_no_other_choice(env: StoreEnv, database: Database) -> None:  # R-POL-12 R-POL-13
    async with database.node() as other:
        for number in range(5):
            ref = f"s-{number + 10}"
            await env.store.parties.put("m", Role.SELLER, ref)
            await asyncio.gather(
                env.store.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(time_zone="Asia/Tokyo")),
                other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(quiet_hours="off")),
                env.store.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(product_support=True)),
                other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate()),
            )
            stored = await other.parties.by_ref("m", Role.SELLER, ref)
            assert not_none(stored).settings == PartySettings(
                time_zone="Asia/Tokyo", quiet_hours="off", product_support=True
            )
        cleared = await other.parties.put("m", Role.SELLER, ref, settings=SettingsUpdate(time_zone=""))
        assert cleared.settings == PartySettings(quiet_hours="off", product_support=True)


async def test_another_pair_of_the_seller_changes_nothing_here(env: StoreEnv) -> None:  # R-ADR-09
    other = await make_pair(env.store, marketplace="other")
    sender = await pending(env)
    assert await env.store.senders.pending(other.seller.party.id) == []
    assert [one.sender.id for one in await env.store.senders.pending(sender.party_id)] == [sender.id]
