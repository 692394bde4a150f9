"""A database that an older relay has filled goes on after the upgrade, on both engines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.destination import name_of
from relay.core.model.event import EventType
from relay.core.model.facts import Proof
from relay.core.model.item import Hold, ItemState
from relay.core.model.message import MessageState, Port
from relay.core.model.order import Order
from relay.core.model.party import PartySettings
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.ports import LetterType, MessageRecord, RecordAction, RecordDetail, RecordedReason, ServerAnswer
from relay.store import SqlStore, postgres, sqlite, unsealed
from relay.store.base import to_us
from relay.store.crypto import identity
from relay.store.engine import Row, Work
from relay.store.senders import SealedSender, SqlSenders, seal_entry
from relay.store.statements import Table, insert, migrations
from relay.store.unsealed import SqlUnsealed
from tests.store.store_env import START, Database, StoreEnv, execute, select
from tests.store.test_privacy import dump
from tests.support.claims import claimed
from tests.support.narrowing import not_none

AT = to_us(START)
LEASE = AT + 300_000_000
PENDING = '{"reasons":[{"code":"sender_pending","rule":"R-SND-02"}]}'
UNPROVEN = '{"reasons":[{"code":"sender_unproven","rule":"R-IN-09"}]}'


def table(name: str, columns: str) -> Table:
    return Table(name, tuple(columns.split()))


PARTY = table("party", "id marketplace_id role external_ref state locale sealed_name")
PAIR = table("pair", "id marketplace_id buyer_id seller_id created_at")
ALIAS = table("alias", "local_part domain pair_id party_id role")
ORDER = table("order_", "id marketplace_id external_id pair_id items state fulfilled_by")
SENDER = table("sender", "id party_id address_hash sealed is_domain shared state changed_at")
MESSAGE = table(
    "message",
    "id state detail sender_id marketplace_id key_holder_id pair_id author_id author_role recipient_id order_id"
    " kind automatic received_at size_bytes policy_version content_hash",
)
EVENT = table("event", "id message_id at type data leaf_hash")
ITEM = table(
    "item",
    "id message_id state wake_at owner attempts marketplace_id kind recipient_id key_holder_id destination"
    " queued_at due_at delay_noticed",
)


def be_version(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Lets stores be opened as a relay did that knew this version of the schema."""
    for engine in (sqlite, postgres):
        monkeypatch.setattr(engine, "migrations", lambda dialect: migrations(dialect)[:version])
    monkeypatch.setattr(SqlSenders, "mend", nothing)
    monkeypatch.setattr(SqlUnsealed, "seal", nothing)


async def nothing(_: SqlSenders | SqlUnsealed) -> None:
    """An older relay mends nothing."""


def fill(node: SqlStore) -> Work[None]:
    """A pair with an order, and mail in every state of its way, as version 1 wrote it."""
    wrapped = {who: node.base.vault.new_holder(who) for who in ("buyer", "seller")}
    entry = SealedSender("temp@seller.example", "", "")
    sealed = seal_entry("sender", entry, node.base.vault.holder("seller", wrapped["seller"]))
    yield "INSERT INTO marketplace (id) VALUES ('m')", ()
    yield from insert(table("holder_key", "holder_id wrapped"), [*wrapped.items()])
    yield from insert(PARTY, [(who, "m", who, f"{who}-1", "active", "ja", b"") for who in wrapped])
    yield from insert(PAIR, [("pair", "m", "buyer", "seller", AT)])
    yield from insert(ALIAS, [(f"alias{who}", "market.example", "pair", who, who) for who in wrapped])
    yield from insert(ORDER, [("order", "m", "A-1", "pair", '["SKU1"]', "", "seller")])
    yield from insert(
        SENDER, [("sender", "seller", node.base.vault.address_hash("m", entry.address), sealed, 0, 0, "unknown", AT)]
    )
    letters = [
        ("pending", "held", PENDING, "held", None, None),
        ("unproven", "held", UNPROVEN, "held", None, None),
        ("queued", "queued", "{}", "queued", AT, None),
        ("leased", "queued", "{}", "leased", LEASE, "node-0"),
        ("done", "accepted", "{}", "accepted", None, None),
    ]
    about = ("sender", "m", "seller", "pair", "seller", "seller", "buyer", "order", "other", "no", AT, 4, "1", b"hash")
    yield from insert(MESSAGE, [(name, state, detail, *about) for name, state, detail, *_ in letters])
    yield from insert(EVENT, [(f"event-{name}", name, AT, "received", "{}", b"leaf") for name, *_ in letters])
    way = ("m", "relay", "buyer", "seller", "mail.example", AT, AT, 0)
    yield from insert(
        ITEM,
        [
            (f"item-{name}", name, state, wake_at, owner, int(owner is not None), *way)
            for name, _, _, state, wake_at, owner in letters
        ],
    )


OLD_DETAIL = (
    '{"port":"mx","tls":true,"client_ip":"192.0.2.7","size_bytes":812,"to":"buyer","tagged":false,"reasons":'
    '[{"code":"sender_unproven","rule":"R-IN-09"},{"code":"contact_data","rule":"R-POL-05","part":"1","start":4,"end":9}]'
    ',"action":"hold","to_operator":false,"warnings":["linked_logo"],"proof":"aligned","registered":true,"sender_state":'
    '"unlisted","opted_out":false,"authentication":["spf=pass"],"automatic":false,"unsolicited":true}'
)
"""The detail of a judged message as version 6 wrote it."""


def with_detail(node: SqlStore, details: dict[str, str]) -> Work[None]:
    """Writes messages of the seller with these details, by id, each an hour after the one before, as version 6 did."""
    yield "INSERT INTO marketplace (id) VALUES ('m')", ()
    yield from insert(PARTY, [(who, "m", who, f"{who}-1", "active", "ja", b"") for who in ("buyer", "seller")])
    yield from insert(PAIR, [("pair", "m", "buyer", "seller", AT)])
    about = (None, "m", "buyer", "pair", "buyer", "buyer", "seller", None, "other", "no")
    rows = [
        (name, "queued", detail, *about, AT + hours * 3_600_000_000, 4, "1", b"hash")
        for hours, (name, detail) in enumerate(details.items())
    ]
    yield from insert(MESSAGE, rows)


async def upgrade_of_details(database: Database, monkeypatch: pytest.MonkeyPatch, details: dict[str, str]) -> None:
    with monkeypatch.context() as before:
        be_version(before, 6)
        async with database.node() as node:
            await node.base.engine.write(lambda: with_detail(node, details))


async def test_the_details_of_older_records_are_read_with_defaults_and_fill_the_columns(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = {
        "empty": "{}",
        "judged": OLD_DETAIL,
        "letter": '{"action":"letter","letter":"digest","size_bytes":7}',
        "refused": '{"port":"mx","to":null,"reasons":[],"action":"refuse","authentication":[]}',
        "spaced": '{"to_operator": true, "action": "relay", "other_tags": ["x"]}',
        "quoted": '{"action":"relay","to_operator":true,"other_tags":["\\"to_operator\\":false"]}',
        "nul": r'{"tag":"\u0000\u0000\\u0000\"","action":"relay","to_operator":true}',
    }
    await upgrade_of_details(database, monkeypatch, details)
    async with database.node() as node:
        rows = await select(node, "SELECT id, action, to_operator FROM message")
        assert {row["id"]: (row["action"], row["to_operator"]) for row in rows} == {
            "empty": ("", 0),
            "judged": ("hold", 0),
            "letter": ("letter", 0),
            "refused": ("refuse", 0),
            "spaced": ("relay", 1),
            "quoted": ("relay", 1),
            "nul": ("relay", 1),
        }
        read = {one.id: one.detail for one in await node.records.messages()}
    assert read == {
        "empty": RecordDetail(),
        "judged": RecordDetail(
            action=RecordAction.HOLD,
            port=Port.MX,
            tls=True,
            size_bytes=812,
            to="buyer",
            reasons=(
                RecordedReason(code=ReasonCode.SENDER_UNPROVEN, rule="R-IN-09"),
                RecordedReason(code=ReasonCode.CONTACT_DATA, rule="R-POL-05", part="1", start=4, end=9),
            ),
            authentication=("spf=pass",),
            warnings=(ReasonCode.LINKED_LOGO,),
            proof=Proof.ALIGNED,
            registered=True,
            unsolicited=True,
        ),
        "letter": RecordDetail(action=RecordAction.LETTER, letter=LetterType.DIGEST, size_bytes=7),
        "refused": RecordDetail(action=RecordAction.REFUSE, port=Port.MX),
        "spaced": RecordDetail(action=RecordAction.RELAY, to_operator=True, other_tags=("x",)),
        "quoted": RecordDetail(action=RecordAction.RELAY, to_operator=True, other_tags=('"to_operator":false',)),
        "nul": RecordDetail(action=RecordAction.RELAY, to_operator=True),
    }


async def test_older_mail_to_the_operator_and_held_mail_are_left_out_as_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # R-POL-13 R-POL-18
    details = {
        "relayed": '{"action":"relay","to_operator":false}',
        "released": '{"action":"hold","to_operator":false}',
        "rerouted": '{"action":"relay","to_operator":true}',
    }
    await upgrade_of_details(database, monkeypatch, details)
    async with database.node() as node:
        assert [turn.message_id for turn in await node.threads.turns("seller", START)] == ["relayed", "released"]
        assert await node.threads.last_at("pair", None) == START + timedelta(hours=2)
        await execute(node, "UPDATE message SET state = 'refused' WHERE id = 'rerouted'")
        assert await node.threads.last_at("pair", None) == START


@pytest.fixture
async def upgraded(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    with monkeypatch.context() as before:
        be_version(before, 1)
        async with database.node() as node:
            await node.base.engine.write(lambda: fill(node))
    return database


async def test_what_was_held_waits_for_its_word_and_then_goes_back(upgraded: Database) -> None:  # R-SND-02
    async with upgraded.node() as node:
        for name, awaits_sender in (("pending", True), ("unproven", False)):
            item = not_none(await node.queue.item(f"item-{name}"))
            assert (item.state, item.hold, item.awaits_sender) == (ItemState.HELD, Hold.DECISION, awaits_sender)
            assert item.due_at == START + timedelta(days=14)
        found = await claimed(node.queue, "n", START + timedelta(days=14), limit=9, horizon_s=60)
        assert {item.message_id: item.hold for item in found} == {
            "pending": Hold.DECISION,
            "unproven": Hold.DECISION,
            "queued": None,
            "leased": None,
        }


async def test_an_approval_after_the_upgrade_releases_what_waited_for_it(upgraded: Database) -> None:  # R-SND-02
    async with upgraded.node() as node:
        assert [pending.held for pending in await node.senders.pending("seller")] == [1]
        await node.senders.flip("sender", SenderState.APPROVED, by="owner")
        assert not_none(await node.queue.item("item-pending")).state is ItemState.QUEUED
        assert not_none(await node.queue.item("item-unproven")).state is ItemState.HELD
        assert await node.holds.release("unproven", "dana")


async def test_leases_people_and_orders_are_as_they_were(upgraded: Database) -> None:
    async with upgraded.node() as node:
        leased = not_none(await node.queue.item("item-leased"))
        assert (leased.state, leased.attempts) == (ItemState.LEASED, 1)
        assert await node.queue.release("node-0") == 1
        found = await claimed(node.queue, "n", START, limit=9, horizon_s=864_000)
        assert {item.id for item in found} == {"item-queued", "item-leased"}
        assert not_none(await node.queue.item("item-done")).state is ItemState.ACCEPTED
        assert not_none(await node.records.summary("done")).state is MessageState.ACCEPTED
        assert [event.id for event in await node.records.history("done")] == ["event-done"]
        assert not_none(await node.parties.get("buyer")).settings == PartySettings()
        assert await node.orders.of_pair("pair") == [
            Order(id="order", marketplace_id="m", pair_id="pair", external_id="A-1", items=("SKU1",))
        ]
        assert await node.threads.last_at("pair", "order") == START
        assert [turn.no_reply_needed for turn in await node.threads.turns("seller", START)] == [False] * 3


async def test_the_queues_indexes_survive_the_upgrade(upgraded: Database, database: Database) -> None:
    async with upgraded.node() as node:
        if not database.is_sqlite:
            names = await select(node, "SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public'")
            assert {"item_awake", "item_waiting", "item_due", "item_parked", "item_by_message"} <= {
                row["name"] for row in names
            }
            return
        names = await select(node, "SELECT name FROM sqlite_master WHERE tbl_name = 'item' AND sql IS NOT NULL")
        expected = {"item", "item_awake", "item_waiting", "item_due", "item_parked", "item_by_message", "item_notice"}
        assert {row["name"] for row in names} == expected
        assert await select(node, "PRAGMA foreign_key_check") == []


async def test_who_had_been_approved_before_the_upgrade_stays_hidden(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-REW-01: known by a mailbox or by mail that was relayed; an address that only ever waited is a third party's."""
    names = ("relayed", "mailbox", "waiting")
    with monkeypatch.context() as before:
        be_version(before, 4)
        async with database.node() as node:
            await node.base.engine.write(lambda: fill_senders(node, names))
    async with database.node() as node:
        pair = await node.pairs.get("pair")
        assert pair is not None
        assert pair.seller.addresses == {"relayed@seller.example", "mailbox@seller.example"}
        assert {one.sender.address for one in await node.senders.pending("seller")} == {
            f"{n}@seller.example" for n in names
        }


def fill_senders(node: SqlStore, names: tuple[str, ...]) -> Work[None]:
    """Three who wait, as version 4 wrote them."""
    wrapped = {who: node.base.vault.new_holder(who) for who in ("buyer", "seller")}
    key = node.base.vault.holder("seller", wrapped["seller"])
    hashes = {name: node.base.vault.address_hash("m", f"{name}@seller.example") for name in names}
    yield "INSERT INTO marketplace (id) VALUES ('m')", ()
    yield from insert(table("holder_key", "holder_id wrapped"), [*wrapped.items()])
    yield from insert(PARTY, [(who, "m", who, f"{who}-1", "active", "ja", b"") for who in wrapped])
    yield from insert(PAIR, [("pair", "m", "buyer", "seller", AT)])
    yield from insert(ALIAS, [(f"alias{who}", "market.example", "pair", who, who) for who in wrapped])
    sealed = {name: seal_entry(name, SealedSender(f"{name}@seller.example", "", "mail"), key) for name in names}
    yield from insert(SENDER, [(name, "seller", hashes[name], sealed[name], 0, 0, "unknown", AT) for name in names])
    mailbox = table("mailbox", "id party_id address_hash sealed added_at")
    yield from insert(mailbox, [("mailbox-1", "seller", hashes["mailbox"], b"", AT)])
    about = ("m", "seller", "pair", "seller", "seller", "buyer", None, "other", "no", AT, 4, "1", b"hash")
    states = [("m1", "relayed", "accepted"), ("m2", "waiting", "held"), ("m3", "waiting", "returned")]
    yield from insert(MESSAGE, [(name, state, "{}", sender, *about) for name, sender, state in states])


# ---------------------------------------------------------------- entries that were never a party's


OWN = {
    "alias": ("aliasbuyer@market.example", "unknown"),
    "approved": ("aliasseller@market.example", "approved"),
    "blocked": ("anybody@market.example", "blocked"),
    "retired": ("other@m.market.example", "retired"),
    "domain": ("@market.example", "approved"),
    "mailbox": ("shop@market.example", "approved"),
}
THEIRS = {
    "approved-2": ("shop@seller.example", "approved"),
    "waiting": ("lawyer@elsewhere.example", "unknown"),
    "subdomain": ("staff@office.market.example", "approved"),
}


def fill_own(node: SqlStore) -> Work[None]:
    """A seller's list as version 8 let it be: the relay's own addresses in every state, and mail that is held for one."""
    wrapped = {who: node.base.vault.new_holder(who) for who in ("buyer", "seller")}
    key = node.base.vault.holder("seller", wrapped["seller"])
    yield "INSERT INTO marketplace (id) VALUES ('m')", ()
    yield from insert(table("holder_key", "holder_id wrapped"), [*wrapped.items()])
    yield from insert(PARTY, [(who, "m", who, f"{who}-1", "active", "ja", b"") for who in wrapped])
    yield from insert(PAIR, [("pair", "m", "buyer", "seller", AT)])
    aliases = [(f"alias{who}", "market.example", "pair", who, who) for who in wrapped]
    yield from insert(ALIAS, [*aliases, ("aliasold", "m.market.example", "pair", "seller", "seller")])
    rows = []
    for sender_id, (address, state) in (OWN | THEIRS).items():
        sealed = seal_entry(sender_id, SealedSender(address, "", "mail"), key)
        address_hash = node.base.vault.address_hash("m", address)
        rows.append((sender_id, "seller", address_hash, sealed, int(address[0] == "@"), 0, state, AT))
    yield from insert(SENDER, rows)
    mailbox = table("mailbox", "id party_id address_hash sealed added_at")
    own = node.base.vault.address_hash("m", OWN["mailbox"][0])
    yield from insert(
        mailbox, [("box", "seller", own, key.seal(identity("mailbox", "box"), b"shop@market.example"), AT)]
    )
    yield "UPDATE party SET mailbox_id = 'box' WHERE id = 'seller'", ()
    about = ("m", "seller", "pair", "seller", "seller", "buyer", None, "other", "no", AT, 4, "1", b"hash")
    yield from insert(MESSAGE, [(who, "held", PENDING, who, *about) for who in ("alias", "waiting")])
    columns = (*ITEM.columns, "hold", "awaits_sender")
    way = (None, None, 0, "m", "relay", "buyer", "seller", "mail.example", AT, AT + 1_209_600_000_000, 0, "word", 1)
    items = [(f"item-{who}", who, "held", *way) for who in ("alias", "waiting")]
    yield from insert(Table("item", columns), items)


async def test_own_addresses_on_old_lists_are_disowned(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # R-OUT-08 R-REW-01 R-SND-02
    with monkeypatch.context() as before:
        be_version(before, 10)
        async with database.node() as node:
            await node.base.engine.write(lambda: fill_own(node))
    for _ in range(2):  # the second start changes nothing more
        async with database.node() as node:
            pair = not_none(await node.pairs.get("pair"))
            assert pair.seller.addresses == {"shop@seller.example", "staff@office.market.example"}
            states = {sender.id: (sender.address, sender.state.value) for sender in pair.seller.senders}
            assert states == {name: (address, "unknown") for name, (address, _) in OWN.items()} | THEIRS
            assert await node.parties.mailbox("seller") is None
            assert await select(node, "SELECT id FROM sender WHERE domain_hash IS NULL") == []
            due = [item.message_id for item in await claimed(node.queue, "n", START, lease_s=0, horizon_s=60)]
            assert due == ["alias"], "its held mail goes back, that of others waits on"
            asked = await node.requests.waiting("seller")
            assert [one.request.subject_id for one in asked] == ["alias", "waiting"]
            assert not await node.requests.was_asked("waiting")


# ---------------------------------------------------------------- what stood in clear

SAID = "<[address]>: mx7.yamada.example [203.0.113.9] is busy"
OF_A_PROVIDER = "mx.google.com is busy"


async def in_clear(node: SqlStore, env: StoreEnv) -> MessageRecord:
    """A message of which an attempt has failed, as version 13 wrote it: to a private domain, and a notice to a provider."""
    record = env.record()
    notice = env.notice(record)
    notice = replace(notice, item=replace(notice.item, destination="gmail.com"))
    failed = [env.event(record.id, EventType.DEFERRED, attempt=1, text=text) for text in (SAID, OF_A_PROVIDER)]
    took = env.event(record.id, EventType.ACCEPTED, text="queued at mx7.yamada.example", took="mark")
    events = (env.event(record.id), *failed, took)
    await node.acceptances.add(env.acceptance(record, env.item(record), events=events, notices=(notice,)))
    detail = OLD_DETAIL.replace("192.0.2.7", "203.0.113.7")
    await execute(node, "UPDATE message SET detail = $1 WHERE id = $2", detail, record.id)
    return record


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_domains_hosts_and_clients_that_stood_in_clear_are_sealed(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, is_cut_off: bool
) -> None:  # R-REC-04
    with monkeypatch.context() as before:
        be_version(before, 13)
        async with database.node() as node:
            env = await StoreEnv.of(database, node)
            record, second = [await in_clear(node, env) for _ in range(2)]
            history = [dict(event.data) for event in await node.records.history(record.id)]
            for word in ("mail.example", "yamada", "203.0.113"):
                assert word.encode() in await dump(env, database)
    if is_cut_off:
        with monkeypatch.context() as cut:
            cut.setattr(unsealed, "_BATCH", 1)
            cut.setattr(SqlUnsealed, "_seal_hosts", broken)
            with pytest.raises(RuntimeError, match="cut off"):
                await database.unopened().open()
    for _ in range(2):  # the second start changes nothing more
        async with database.node() as node:
            env.store = node
            on_disk = (await dump(env, database)).lower()
            assert [word for word in ("mail.example", "yamada", "203.0.113") if word.encode() in on_disk] == []
            assert b"gmail.com" in on_disk
            assert b"mx.google.com" in on_disk
            assert await select(node, "SELECT subject FROM unsealed") == []
            for one in (record, second):
                message = not_none(await node.records.message(one.id))
                assert (message.client_ip, message.subject, message.original) == (
                    "203.0.113.7",
                    one.subject,
                    one.original,
                )
                answers = await node.records.answers(one.id)
                assert [*answers.values()] == [ServerAnswer(host="", ip="", text=SAID)]
            texts = [(dict(event.data).get("text"), event.id in answers) for event in message.events]
            assert sorted(texts, key=str) == [
                ("<[address]>: [host] [[host]] is busy", True),
                ("mx.google.com is busy", False),
                ("queued at [host]", False),
                (None, False),
            ]
            kept = [dict(event.data) for event in await node.records.history(record.id)]
            assert [{**data, "text": ""} for data in kept] == [{**data, "text": ""} for data in history]
            [row] = await select(node, "SELECT id FROM item WHERE message_id = $1 AND kind = 'relay'", record.id)
            item = not_none(await node.queue.item(row["id"]))
            assert item.destination == name_of(node.secrets.get("destination"), "mail.example")
            assert await node.queue.domain(item) == "mail.example"


def broken(_: SqlUnsealed, __: Row) -> Work[bool]:
    raise RuntimeError("cut off")


async def test_without_its_key_a_clients_address_goes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        be_version(before, 13)
        async with database.node() as node:
            env = await StoreEnv.of(database, node)
            record = await in_clear(node, env)
            await execute(node, "DELETE FROM holder_key")
    async with database.node() as node:
        env.store = node
        on_disk = await dump(env, database)
        assert [word for word in (b"yamada", b"203.0.113") if word in on_disk] == []
        assert await node.records.answers(record.id) == {}
        assert not_none(await node.records.summary(record.id)).detail.proof is Proof.ALIGNED


async def test_events_are_append_only_again_after_the_upgrade(upgraded: Database) -> None:  # R-REC-02
    async with upgraded.node() as node:
        with pytest.raises(Exception, match="append-only"):
            await execute(node, "UPDATE event SET data = '{}'")
