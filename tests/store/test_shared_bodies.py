"""The content of one transaction is stored once for all its records, and each record is erased by itself."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from relay.core.model.party import Role
from relay.ports import MessageRecord
from relay.store.contents import seal_record
from tests.store.store_env import StoreEnv, execute, make_pair, select

ORIGINAL = b"Subject: x\r\n\r\n" + random.Random(5).randbytes(50_000)  # it cannot be compressed


async def stored_bytes(env: StoreEnv, part: str = "original") -> list[int]:
    rows = await select(env.store, "SELECT sealed FROM body WHERE part = $1", part)
    return [len(bytes(row["sealed"])) for row in rows]


async def accept(env: StoreEnv, records: Sequence[MessageRecord]) -> None:
    events = tuple(env.event(record.id) for record in records)
    await env.store.acceptances.add(env.acceptance(records[0], records=tuple(records), events=events))


async def originals(env: StoreEnv, records: Sequence[MessageRecord]) -> list[bytes | None]:
    messages = [await env.store.records.message(record.id) for record in records]
    return [message.original if message else None for message in messages]


async def test_a_body_of_many_records_is_stored_once(env: StoreEnv) -> None:  # R-IN-06
    pairs = [await make_pair(env.store, buyer=f"c-{number}") for number in range(10)]
    records = [env.record(pair=pair, original=ORIGINAL) for pair in pairs]
    items = [env.item(record) for record in records]
    events = tuple(env.event(record.id) for record in records)
    await env.store.acceptances.add(env.acceptance(records[0], *items, records=tuple(records), events=events))
    [size_bytes] = await stored_bytes(env)
    assert size_bytes < len(ORIGINAL) + 100
    assert len(await stored_bytes(env, "relayed")) == 10
    assert await originals(env, records) == [ORIGINAL] * 10
    for item, record in zip(items, records, strict=True):
        content = await env.store.queue.content(item)
        assert content is not None
        assert (content.original, content.header, content.edits) == (ORIGINAL, record.header, record.edits)
    rows = await select(env.store, "SELECT content_hash FROM message")
    assert len({bytes(row["content_hash"]) for row in rows}) == 10


async def test_other_bodies_of_a_transaction_keep_their_own_row(env: StoreEnv) -> None:
    bodies = [ORIGINAL, b"", b"", ORIGINAL, b"another body"]
    records = [env.record(original=body) for body in bodies]
    await accept(env, records)
    assert len(await stored_bytes(env)) == 4
    assert await originals(env, records) == bodies
    rows = await select(env.store, "SELECT shared_body_id FROM message ORDER BY id")
    assert [row["shared_body_id"] is not None for row in rows] == [True, False, False, True, False]


async def test_a_single_record_has_its_body_under_its_own_key(env: StoreEnv) -> None:  # R-REC-04
    record = env.record(original=ORIGINAL)
    await accept(env, [record])
    rows = await select(env.store, "SELECT content_id FROM body WHERE part = 'original'")
    assert [row["content_id"] for row in rows] == [record.id]


async def test_erasing_one_record_or_one_holder_leaves_the_others_readable(env: StoreEnv) -> None:  # R-REC-04
    by_seller = [env.record(original=ORIGINAL) for _ in range(2)]
    by_buyer = env.record(Role.BUYER, original=ORIGINAL)
    records = [*by_seller, by_buyer]
    await accept(env, records)
    await execute(env.store, "DELETE FROM message_key WHERE content_id = $1", by_seller[0].id)
    assert await originals(env, records) == [None, ORIGINAL, ORIGINAL]
    await execute(env.store, "DELETE FROM holder_key WHERE holder_id = $1", by_seller[1].key_holder_id)
    assert await originals(env, records) == [None, None, ORIGINAL]


async def test_after_the_last_key_nothing_in_the_database_opens_the_body(env: StoreEnv) -> None:  # R-REC-04
    records = [env.record(original=ORIGINAL) for _ in range(2)]
    await accept(env, records)
    [body] = await select(env.store, "SELECT content_id FROM body WHERE part = 'original'")
    for record in records:
        await execute(env.store, "DELETE FROM message_key WHERE content_id = $1", record.id)
    assert await originals(env, records) == [None, None]
    keys = await select(env.store, "SELECT content_id FROM message_key WHERE content_id = $1", body["content_id"])
    assert list(keys) == []


async def test_a_shared_body_moved_to_another_transaction_does_not_open(env: StoreEnv) -> None:  # R-REC-04
    ours, theirs = ([env.record(original=ORIGINAL) for _ in range(2)] for _ in range(2))
    await accept(env, ours)
    await accept(env, theirs)
    assert await originals(env, [*ours, *theirs]) == [ORIGINAL] * 4
    sql = "UPDATE message SET shared_body_id = (SELECT shared_body_id FROM message WHERE id = $1) WHERE id = $2"
    await execute(env.store, sql, theirs[0].id, ours[0].id)
    assert await originals(env, [*ours, *theirs]) == [None, ORIGINAL, ORIGINAL, ORIGINAL]


@pytest.mark.parametrize(("records", "in_thread"), [(1, False), (5, True)])
async def test_many_records_of_a_middling_mail_are_not_sealed_on_the_loop(
    env: StoreEnv, records: int, in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:  # R-IN-06
    ran_in = []

    def watched(*args: Any) -> Any:
        ran_in.append(threading.current_thread())
        return seal_record(*args)

    monkeypatch.setattr("relay.store.accepting.seal_record", watched)
    await accept(env, [env.record(original=ORIGINAL) for _ in range(records)])
    assert {one is not threading.current_thread() for one in ran_in} == {in_thread}
    assert len(ran_in) == records
