"""Mail to return paths: it may end an item once, and is kept sealed within limits."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from relay.core.bounce.keeping import ReportLimits
from relay.core.model.event import Event, EventType
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.message import MessageState
from tests.store.store_env import StoreEnv, execute, select
from tests.support.narrowing import not_none

UNCONFIRMED = EventType.REPORTED_UNDELIVERABLE


async def accepted(env: StoreEnv) -> Item:
    """Returns an item of a message of its own that another server has accepted."""
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, env.item(record)))
    [item] = await env.claim()
    await env.store.queue.settle(env.ended(item, ItemState.ACCEPTED))
    return not_none(await env.store.queue.item(item.id))


async def events(env: StoreEnv, item: Item) -> list[Event]:
    kinds = {EventType.BOUNCED, UNCONFIRMED, EventType.REPORT_RECEIVED, EventType.NOTICE_QUEUED}
    return [event for event in await env.store.records.history(item.message_id) if event.type in kinds]


async def state(env: StoreEnv, item: Item) -> MessageState:
    return not_none(await env.store.records.summary(item.message_id)).state


async def test_a_confirmed_bounce_after_the_250_counts_once(env: StoreEnv) -> None:  # R-OUT-04
    item = await accepted(env)
    record = env.record(id=item.message_id)
    first = not_none(await env.store.reports.add(env.report(item, notice=env.notice(record))))
    assert (first.event.type, first.notice) == (EventType.BOUNCED, True)
    again = not_none(await env.store.reports.add(env.report(item, content=b"again", notice=env.notice(record))))
    assert (again.event.type, again.notice) == (EventType.REPORT_RECEIVED, False)
    assert dict(again.event.data)["outcome"] == "repeated"
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.BOUNCED
    assert await state(env, item) is MessageState.BOUNCED
    assert len(await env.store.records.notices(item.message_id)) == 1
    assert await env.store.reports.add(env.report(replace(item, id="nothing"))) is None


async def test_a_report_before_any_server_has_accepted_changes_nothing(env: StoreEnv) -> None:
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, env.item(record)))
    [item] = await env.claim()
    kept = not_none(await env.store.reports.add(env.report(item, notice=env.notice(record))))
    assert (kept.event.type, kept.notice) == (EventType.REPORT_RECEIVED, False)
    assert dict(kept.event.data)["outcome"] == "early"
    assert await env.store.queue.settle(env.ended(item, ItemState.ACCEPTED))


async def test_an_unconfirmed_report_leaves_the_state_and_gives_one_notice(env: StoreEnv) -> None:  # R-OUT-04
    item = await accepted(env)
    record = env.record(id=item.message_id)
    for number in range(3):
        report = env.report(item, UNCONFIRMED, content=b"%d" % number, notice=env.notice(record))
        kept = not_none(await env.store.reports.add(report))
        assert (kept.event.type, kept.notice) == (UNCONFIRMED, not number)
    assert await state(env, item) is MessageState.ACCEPTED
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.ACCEPTED
    assert len(await env.store.records.notices(item.message_id)) == 1
    # The true report still comes through.
    assert not_none(await env.store.reports.add(env.report(item, notice=env.notice(record)))).notice
    assert await state(env, item) is MessageState.BOUNCED


async def test_reports_at_once_give_one_notice_and_stay_within_the_limit(env: StoreEnv) -> None:
    item = await accepted(env)
    record = env.record(id=item.message_id)
    reports = [env.report(item, UNCONFIRMED, content=b"%d" % n, notice=env.notice(record)) for n in range(6)]
    all_kept = await asyncio.gather(*map(env.store.reports.add, reports))
    assert sum(not_none(kept).notice for kept in all_kept) == 1
    assert sum(not_none(kept).content for kept in all_kept) == 2
    assert len(await env.store.reports.of_message(item.message_id)) == 2


async def test_the_bytes_are_sealed_and_read_back_with_their_source(env: StoreEnv) -> None:
    item = await accepted(env)
    content = b"Subject: failed\r\n\r\nmailbox of hanako unknown\r\n"
    report = env.report(item, UNCONFIRMED, content=content)
    await env.store.reports.add(report)
    [stored] = await env.store.reports.of_message(item.message_id)
    assert (stored.content, stored.source) == (content, report.source)
    assert dict(stored.event.data)["report"] == stored.event.id
    everything = b"".join([bytes(row["sealed"]) for row in await select(env.store, "SELECT sealed FROM body")])
    for secret in (b"hanako", b"evil.example", b"192.0.2.9"):
        assert secret not in everything
        assert secret not in repr(await events(env, item)).encode()


async def test_beyond_the_limits_hash_and_size_are_kept(env: StoreEnv) -> None:
    item = await accepted(env)
    contents = [b"a" * 400, b"b" * 400, b"c", b"d" * 5_000]
    limits = ReportLimits(reports=2, size_bytes=10_000)
    for content in contents:
        await env.store.reports.add(env.report(item, UNCONFIRMED, content=content, limits=limits))
    assert [one.content for one in await env.store.reports.of_message(item.message_id)] == contents[:2]
    found = [dict(event.data) for event in await events(env, item)]
    assert [one["size_bytes"] for one in found] == [400, 400, 1, 5_000]
    assert len({one["sha256"] for one in found}) == 4
    env.database.clock.forward(timedelta(days=1).total_seconds())
    await env.store.reports.add(env.report(item, UNCONFIRMED, content=b"next day", limits=limits))
    assert len(await env.store.reports.of_message(item.message_id)) == 3


async def test_the_same_report_again_is_kept_once(env: StoreEnv) -> None:
    item = await accepted(env)
    for _ in range(3):
        await env.store.reports.add(env.report(item, UNCONFIRMED))
    [stored] = await env.store.reports.of_message(item.message_id)
    assert {dict(event.data)["report"] for event in await events(env, item)} == {stored.event.id}


async def test_a_flood_leaves_a_bounded_number_of_events_and_no_way_to_hide_the_true_report(env: StoreEnv) -> None:
    item = await accepted(env)
    flood = [env.report(item, UNCONFIRMED, content=b"%d" % number) for number in range(60)]
    assert sum(kept is not None for kept in await asyncio.gather(*map(env.store.reports.add, flood))) == 50
    true = not_none(await env.store.reports.add(env.report(item, content=b"true")))
    assert (true.event.type, true.content) == (EventType.BOUNCED, True)


async def test_without_the_key_of_an_erased_party_the_event_is_written_alone(env: StoreEnv) -> None:
    item = await accepted(env)
    await execute(env.store, "DELETE FROM holder_key WHERE holder_id = $1", env.pair.seller.party.id)
    kept = not_none(await env.store.reports.add(env.report(item, UNCONFIRMED)))
    assert not kept.content
    assert await env.store.reports.of_message(item.message_id) == []
    assert [event.type for event in await events(env, item)] == [UNCONFIRMED]


async def test_a_report_about_a_notice_does_not_touch_its_record(env: StoreEnv) -> None:
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, notices=(env.notice(record),)))
    [item] = await env.claim()
    assert item.kind is ItemKind.NOTICE
    await env.store.queue.settle(env.ended(item, ItemState.ACCEPTED))
    assert await env.store.reports.add(env.report(item))
    assert await state(env, item) is MessageState.QUEUED
