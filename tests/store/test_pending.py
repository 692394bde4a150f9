"""Unlisted senders wait in few places, each with little mail, and the owner is asked about each once (R-SND-02)."""

import asyncio
from datetime import timedelta

import pytest

from relay.core.model.event import EventType
from relay.core.model.facts import Waiting
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import Sender, SenderState
from relay.core.signed_link import Purpose
from relay.ports import OvertakenError, OwnerRequest, Places, RecordDetail, RecordedReason, WaitLimit
from relay.store import SqlStore
from tests.store.store_env import SELLER, Database, StoreEnv, make_pair

PROVIDERS = frozenset({"gmail.example", "mail.jp"})
DAYS = timedelta(days=14)


def places(env: StoreEnv, number: int = 4) -> Places:
    return Places(number=number, mailbox=SELLER, since=env.database.clock.now() - DAYS, providers=PROVIDERS)


async def waits(env: StoreEnv, address: str, number: int = 4) -> Waiting:
    return await env.store.senders.waiting("m", env.pair.seller.party.id, address, places(env, number))


async def writes(
    env: StoreEnv,
    address: str,
    *,
    number: int = 4,
    mails: int = 3,
    size_bytes: int = 1_000,
    node: SqlStore | None = None,
) -> str:
    """Lets the address write to the buyer as the flow does it, within its limits, and returns the message's id."""
    env.database.clock.at += timedelta(seconds=1)
    party_id = env.pair.seller.party.id
    sender = Sender(id=env.ids.new(), party_id=party_id, address=address, state=SenderState.UNKNOWN, added_by="mail")
    record = env.record(state=MessageState.HELD, sender_id=sender.id, original=b"x" * 100, detail=RecordDetail())
    limit = WaitLimit(
        party_id=party_id, sender_id=sender.id, places=places(env, number), mails=mails, size_bytes=size_bytes
    )
    request = OwnerRequest(
        subject_id=sender.id,
        party_id=party_id,
        pair_id=env.pair.id,
        purpose=Purpose.SENDER,
        since=record.received_at,
    )
    acceptance = env.acceptance(
        record,
        env.item(record, ItemState.HELD),
        new_senders=(sender,),
        requests=(request,),
        wait_limits=(limit,),
    )
    await (node or env.store).acceptances.add(acceptance)
    return record.id


async def return_due(env: StoreEnv) -> list[str]:
    """Returns the messages that are due to go back, as dispatch does, with their last event before."""
    returned = []
    for item in await env.claim(limit=50):
        marks = [event for event in await env.store.records.history(item.message_id) if event.type is EventType.MARKED]
        assert [mark.data for mark in marks] == [{"mark": "gave_way"}]
        assert await env.store.queue.settle(env.ended(item, ItemState.RETURNED))
        returned.append(item.message_id)
    return returned


async def held(env: StoreEnv) -> dict[str, int]:
    waiting = await env.store.senders.pending(env.pair.seller.party.id)
    return {one.sender.address: one.held for one in waiting if one.held}


async def test_the_addresses_of_one_domain_are_one_sender(env: StoreEnv) -> None:
    for number in range(3):
        assert (await waits(env, f"a{number}@mx{number}.evil.co.jp")).has_place
        await writes(env, f"a{number}@mx{number}.evil.co.jp")
    assert await waits(env, "new@evil.co.jp") == Waiting(has_place=True, mails=3, size_bytes=300)
    with pytest.raises(OvertakenError):
        await writes(env, "a3@evil.co.jp")
    assert sum((await held(env)).values()) == 3
    assert await waits(env, "x@other.co.jp") == Waiting(has_place=True)


async def test_each_address_at_a_provider_is_a_sender(env: StoreEnv) -> None:
    for number in range(3):
        await writes(env, f"a{number}@gmail.example")
    assert await waits(env, "a1@gmail.example") == Waiting(has_place=True, mails=1, size_bytes=100, by_domain=False)
    assert await waits(env, "a3@gmail.example") == Waiting(has_place=False, by_domain=False)
    with pytest.raises(OvertakenError):
        await writes(env, "a3@gmail.example")
    await writes(env, "b@sub.mail.jp")
    assert set(await held(env)) == {*(f"a{number}@gmail.example" for number in range(3)), "b@sub.mail.jp"}
    assert len(await return_due(env)) == 1


async def test_the_oldest_of_another_domain_gives_way(env: StoreEnv) -> None:
    first = [await writes(env, "a@one.example"), await writes(env, "b@one.example")]
    second = await writes(env, "a@two.example")
    await writes(env, "a@three.example")
    await writes(env, "c@one.example")
    assert await return_due(env) == []
    await writes(env, "a@four.example")
    assert (await return_due(env))[:2] == first
    assert set(await held(env)) == {f"a@{name}.example" for name in ("two", "three", "four")}
    await writes(env, "a@five.example")
    assert await return_due(env) == [second]
    assert (await waits(env, "x@one.example")).mails == 3, "the mail that went back still counts"


async def test_one_place_is_kept_for_the_domain_of_the_partys_mailbox(env: StoreEnv) -> None:
    for name in ("one", "two", "three", "four"):
        await writes(env, f"a@{name}.example")
    assert len(await return_due(env)) == 1
    await writes(env, "colleague@seller.example")
    assert await return_due(env) == []
    assert len(await held(env)) == 4
    for name in ("five", "six", "seven", "eight"):
        await writes(env, f"a@{name}.example")
    assert len(await return_due(env)) == 4
    assert "colleague@seller.example" in await held(env)
    assert not (await waits(env, "x@other.example", number=1)).has_place, "the only place is the kept one"
    assert (await waits(env, "x@seller.example", number=1)).has_place


async def test_mail_of_one_writer_is_bounded_in_bytes_and_forgotten_in_time(env: StoreEnv) -> None:
    await writes(env, "a@one.example", size_bytes=250)
    await writes(env, "b@one.example", size_bytes=250)
    with pytest.raises(OvertakenError):
        await writes(env, "c@one.example", size_bytes=250)
    env.database.clock.at += DAYS + timedelta(hours=1)
    assert (await waits(env, "c@one.example")).size_bytes == 0


async def test_a_burst_on_several_nodes_keeps_to_the_places_and_the_budget(env: StoreEnv, database: Database) -> None:
    async with database.node() as other:
        bursts = [
            writes(env, f"a{number}@d{number % 8}.example", mails=2, node=node)
            for number in range(32)
            for node in ((env.store, other)[number % 2],)
        ]
        results = await asyncio.gather(*bursts, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, OvertakenError) for error in failed)
    assert len(failed) >= 32 - 8 * 2
    await return_due(env)
    assert len({address.partition("@")[2] for address in await held(env)}) <= 3
    for number in range(8):
        assert (await waits(env, f"x@d{number}.example")).mails <= 2


async def test_a_sender_decided_on_has_no_place_to_keep(env: StoreEnv) -> None:
    for name in ("one", "two", "three"):
        await writes(env, f"a@{name}.example")
    await env.store.senders.put(env.pair.seller.party.id, "a@one.example", SenderState.APPROVED)
    await writes(env, "a@four.example")
    assert set(await held(env)) == {"a@two.example", "a@three.example", "a@four.example"}


async def test_unproven_mail_of_a_listed_address_is_counted_while_it_waits(env: StoreEnv) -> None:  # R-IN-09
    sender = await env.store.senders.put(env.pair.seller.party.id, "own@seller.example", SenderState.APPROVED)
    detail = RecordDetail(reasons=(RecordedReason(code=ReasonCode.SENDER_UNPROVEN, rule="R-IN-09"),))
    limit = WaitLimit(party_id=sender.party_id, sender_id=sender.id, places=places(env), mails=2, size_bytes=1_000)

    async def unproven() -> str:
        record = env.record(state=MessageState.HELD, sender_id=sender.id, original=b"x" * 100, detail=detail)
        item = env.item(record, ItemState.HELD, awaits_sender=False)
        await env.store.acceptances.add(env.acceptance(record, item, wait_limits=(limit,)))
        return record.id

    first = await unproven()
    await unproven()
    assert await env.store.senders.unproven(sender.id) == Waiting(mails=2, size_bytes=200, by_domain=False)
    with pytest.raises(OvertakenError):
        await unproven()
    await env.store.holds.release(first, "owner")
    await unproven()


# ---------------------------------------------------------------- questions to owners


async def open_requests(env: StoreEnv) -> list[tuple[str, int]]:
    party_id = env.pair.seller.party.id
    return [(one.sender.address, one.held) for one in await env.store.requests.waiting(party_id)]


async def subjects_of(env: StoreEnv) -> tuple[str, ...]:
    return tuple([one.request.subject_id for one in await env.store.requests.waiting(env.pair.seller.party.id)])


async def ask(node: SqlStore, env: StoreEnv, subjects: tuple[str, ...]) -> None:
    """Notes that the questions were put, in a transaction with a letter."""
    await node.acceptances.add(env.acceptance(env.record(), asked=subjects))


async def test_an_owner_is_asked_once_until_nothing_waits(env: StoreEnv) -> None:
    assert await env.store.requests.parties() == []
    first = await writes(env, "a@one.example")
    assert await env.store.requests.parties() == [env.pair.seller.party.id]
    await writes(env, "a@one.example")
    assert await open_requests(env) == [("a@one.example", 2)]
    assert not await env.store.requests.was_asked(first)
    await ask(env.store, env, await subjects_of(env))
    assert (await env.store.requests.parties(), await open_requests(env)) == ([], [])
    assert await env.store.requests.was_asked(first)
    await writes(env, "a@one.example")
    assert await open_requests(env) == []
    env.database.clock.at += DAYS
    for item in await env.claim():
        await env.store.queue.settle(env.ended(item, ItemState.RETURNED))
    await writes(env, "a@one.example")
    assert await open_requests(env) == [("a@one.example", 1)]


async def test_what_one_node_asks_no_other_asks(env: StoreEnv, database: Database) -> None:
    await writes(env, "a@one.example")
    async with database.node() as other:
        subjects = await subjects_of(env)
        asked = (ask(node, env, subjects) for node in (env.store, other, env.store))
        results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, OvertakenError) for result in results) == 2


async def test_a_question_that_is_left_out_was_not_asked(env: StoreEnv) -> None:
    message_id = await writes(env, "a@one.example")
    [question] = await env.store.requests.waiting(env.pair.seller.party.id)
    await env.store.requests.leave_out([question.request.subject_id])
    await env.store.requests.leave_out([])
    assert await env.store.requests.parties() == []
    assert not await env.store.requests.was_asked(message_id)


@pytest.mark.parametrize("state", SenderState)
@pytest.mark.parametrize("entry", ["private@shop.example", "@shop.example"])
async def test_an_address_is_known_as_that_of_a_counterpart(env: StoreEnv, entry: str, state: SenderState) -> None:
    """R-SND-02: of any pair of the party, on either side, as an address or by its domain; waiting makes it nobody's."""
    second = await make_pair(env.store, seller="s-2")
    stranger = await make_pair(env.store, buyer="b-9", seller="s-9")
    buyer, seller = env.pair.buyer.party.id, second.seller.party.id
    for mine, theirs in ((buyer, seller), (seller, buyer)):
        await env.store.senders.put(theirs, entry, state)
        listed = await env.store.senders.listed_by_counterpart("m", mine, "private@shop.example")
        assert listed is (state is not SenderState.UNKNOWN)
        assert not await env.store.senders.listed_by_counterpart("m", mine, "private@x.shop.example")
        for other in (stranger.buyer.party.id, stranger.seller.party.id):
            assert not await env.store.senders.listed_by_counterpart("m", other, "private@shop.example")
