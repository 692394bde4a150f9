"""What a stolen database tells: no address, subject, name or body, and no row that can be moved (R-REC-04)."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from relay.core.destination import name_of
from relay.core.model.event import EventType
from relay.core.model.item import ItemState
from relay.core.model.order import OrderUpdate
from relay.core.model.sender import SenderState
from relay.ports import DkimKey, ServerAnswer, StoreError
from relay.store.crypto import MasterKeys, UnreadableError, Vault, identity
from tests.store.store_env import BUYER, SECRET, SELLER, Database, StoreEnv, execute, select
from tests.support.narrowing import not_none

PLAIN = [
    BUYER.lower(),
    SELLER,
    "hanako",
    "temp@seller.example",
    "bounce-to@x.example",
    "confidential",
    "original-1@",
    "花子",
    "ご注文",
    "could not deliver",
    "private-der",
    "150-0001",
    "mail.example",
    "seller.example",
    "mx7.yamada",
    "203.0.113",
]


def named(env: StoreEnv, domain: str) -> str:
    return name_of(env.store.secrets.get("destination"), domain)


async def dump(env: StoreEnv, database: Database) -> bytes:
    """Every byte on disk for SQLite, every value of every table for PostgreSQL."""
    if database.is_sqlite:
        return b"".join(file.read_bytes() for file in sorted(database.directory.iterdir()))
    tables = await select(env.store, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    values: list[object] = []
    for table in tables:
        rows = await select(env.store, f"SELECT * FROM {table['table_name']}")
        values += [value for row in rows for value in row]
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


async def test_no_address_name_or_text_lies_open(env: StoreEnv, database: Database) -> None:
    await env.store.senders.put(
        env.pair.seller.party.id, "temp@seller.example", SenderState.APPROVED, label="花子", added_by="Hanako"
    )
    await env.store.orders.put(
        OrderUpdate(marketplace_id="m", pair_id=env.pair.id, external_id="A-1", known=("150-0001",))
    )
    record = env.record(mail_from="bounce-to@x.example", client_ip="203.0.113.7")
    notice = env.notice(record)
    notice = replace(notice, item=replace(notice.item, destination=named(env, "seller.example")))
    acceptance = env.acceptance(record, env.item(record, destination=named(env, "mail.example")), notices=(notice,))
    await env.store.acceptances.add(acceptance)
    attempt = env.event(record.id, EventType.DEFERRED, text="[host] is busy")
    answer = ServerAnswer(host="mx7.yamada.example", ip="203.0.113.9", text="mx7.yamada.example is busy")
    for item in await env.claim():
        ended = env.ended(item, ItemState.DEFERRED, events=(attempt,), answer=answer)
        if item.id == acceptance.items[0].id:
            assert await env.store.queue.settle(ended)
    await env.store.dkim_keys.put(
        DkimKey(domain="Market.example", selector="s1", algorithm="rsa-sha256", private_der=b"private-der")
    )
    bytes_on_disk = (await dump(env, database)).lower()
    assert record.id.encode() in bytes_on_disk
    assert await env.store.records.answers(record.id) == {attempt.id: answer}
    assert not_none(await env.store.records.message(record.id)).client_ip == "203.0.113.7"
    assert [text for text in PLAIN if text.lower().encode() in bytes_on_disk] == []
    (key,) = await env.store.dkim_keys.of_domain("market.example")
    assert (key.private_der, key.selector) == (b"private-der", "s1")


async def test_one_address_has_another_hash_in_each_marketplace(env: StoreEnv) -> None:  # R-ADR-01 R-ADR-09
    await env.store.parties.put("other", env.pair.buyer.party.role, "b-1", mailbox=BUYER)
    rows = await select(env.store, "SELECT address_hash FROM mailbox")
    assert len({bytes(row["address_hash"]) for row in rows}) == len(rows) == 3


async def test_equal_bodies_leave_nothing_equal(env: StoreEnv) -> None:
    for _ in range(2):
        await env.accepted(env.record())
    for column, table in (("content_hash", "message"), ("sealed", "body"), ("wrapped", "message_key")):
        rows = [bytes(row[column]) for row in await select(env.store, f"SELECT {column} FROM {table}")]
        assert len(set(rows)) == len(rows)


async def test_a_body_moved_to_another_record_does_not_open(env: StoreEnv) -> None:
    one, two = [await env.accepted(env.record()) for _ in range(2)]
    rows = await select(env.store, "SELECT wrapped FROM message_key WHERE content_id = $1", one.message_id)
    sql = "UPDATE message_key SET wrapped = $1 WHERE content_id = $2"
    await execute(env.store, sql, bytes(rows[0]["wrapped"]), two.message_id)
    assert await env.store.queue.content(two) is None
    assert await env.store.queue.content(one) is not None


async def test_another_master_key_does_not_open_the_store(env: StoreEnv, database: Database) -> None:
    database.master = MasterKeys([b"x" * 32])
    node = database.unopened()
    with pytest.raises(StoreError, match=r"not the master key of this database.*backup"):
        await node.open()
    await node.close()


async def test_a_new_first_master_key_still_opens_what_the_old_one_wrapped(env: StoreEnv, database: Database) -> None:
    database.master = MasterKeys([b"n" * 32, SECRET])
    async with database.node() as node:
        assert await node.parties.mailbox(env.pair.buyer.party.id) == BUYER
        assert node.secrets.get("alias") == env.store.secrets.get("alias")
        late = await node.parties.put("m", env.pair.buyer.party.role, "b-2", mailbox=BUYER)
    database.master = MasterKeys([SECRET])
    async with database.node() as node:
        assert await node.parties.mailbox(late.id) is None


async def test_two_nodes_that_open_a_fresh_database_agree_on_its_secrets(database: Database) -> None:  # R-SCL-02
    nodes = [database.unopened() for _ in range(3)]
    await asyncio.gather(*(node.open() for node in nodes))
    assert len({node.secrets.get("verp") for node in nodes}) == 1
    await asyncio.gather(*(node.close() for node in nodes))


def test_a_secret_before_opening_is_an_error(sqlite_database: Database) -> None:
    with pytest.raises(StoreError, match="not open"):
        sqlite_database.unopened().secrets.get("alias")


# ---------------------------------------------------------------- the master key file


def test_a_created_key_file_is_ours_alone_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = MasterKeys.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKeys.load(path).unwrap(b"row", made.wrap(b"row", b"secret")) == b"secret"
    before = path.read_bytes()
    with pytest.raises(StoreError, match="already"):
        MasterKeys.create(path)
    assert path.read_bytes() == before
    with pytest.raises(StoreError, match=r"absent/master\.key: cannot make"):
        MasterKeys.create(tmp_path / "absent" / "master.key")


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (None, 0, "no master key; restore it"),
        ("", 0o600, "restore the file"),
        ("c2hvcnQ=", 0o600, "32 bytes"),
        ("not base64!", 0o600, "not base64"),
        ("A" * 43 + "=", 0o644, "chmod 600"),
    ],
)
def test_a_bad_key_file_is_named_with_its_fix(tmp_path: Path, text: str | None, mode: int, message: str) -> None:
    path = tmp_path / "master.key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(StoreError, match=message) as caught:
        MasterKeys.load(path)
    assert str(path) in str(caught.value)


def test_a_key_file_that_is_a_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        MasterKeys.load(tmp_path)


def test_a_sealed_value_opens_for_its_own_row_only() -> None:
    vault = Vault(MasterKeys([SECRET]), bytes)
    key = vault.holder("h", vault.new_holder("h"))
    sealed = key.seal(identity("mailbox", "1"), b"text")
    assert key.open(identity("mailbox", "1"), sealed) == b"text"
    for row, value in ((b"mailbox\x002", sealed), (b"mailbox\x001", sealed[:-1]), (b"mailbox\x001", b"")):
        with pytest.raises(UnreadableError):
            key.open(row, value)
    with pytest.raises(UnreadableError, match="destroyed"):
        vault.holder("h", None)
