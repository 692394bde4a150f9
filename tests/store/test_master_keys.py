"""The master key is replaced beside running daemons, in steps that may be cut off, and nothing becomes unreadable."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.core.destination import name_of
from relay.core.dkim import KeyState
from relay.core.model.event import EventType
from relay.core.model.item import ItemState
from relay.core.model.party import Role
from relay.ports import DkimKey, ServerAnswer, StoreError
from relay.store import SqlStore
from relay.store.crypto import MasterKeys, UnreadableError
from tests.store.store_env import BUYER, Database, StoreEnv, select
from tests.support.narrowing import not_none


@pytest.fixture
def file(database: Database) -> Path:
    return database.directory / "master.key"


@pytest.fixture
async def daemon(database: Database, file: Path) -> AsyncIterator[StoreEnv]:
    """A store that is open during the whole test."""
    database.master = MasterKeys.create(file)
    async with database.node() as node:
        env = await StoreEnv.of(database, node)
        for selector, state in (("s1", KeyState.ACTIVE), ("s2", KeyState.REPLACED)):
            key = DkimKey(domain="m.example", selector=selector, algorithm="a", private_der=b"der", state=state)
            await node.dkim_keys.put(key)
        assert await node.dkim_keys.retire("m.example", "s2")
        yield env


@pytest.fixture
async def command(daemon: StoreEnv, file: Path) -> AsyncIterator[SqlStore]:
    """Another process on the same database and file."""
    daemon.database.master = MasterKeys.load(file)
    async with daemon.database.node() as node:
        yield node


async def _rotate(command: SqlStore) -> str:
    fresh = command.master_keys.add()
    command.master_keys.make_current(fresh)
    while await command.master_keys.rewrap(2):
        pass
    return fresh


# R-REC-04
async def test_after_a_rotation_the_new_key_alone_opens_everything(
    daemon: StoreEnv, command: SqlStore, file: Path
) -> None:
    destination = name_of(daemon.store.secrets.get("destination"), "mail.example")
    record = daemon.record(client_ip="203.0.113.7")
    item = daemon.item(record, destination=destination)
    await daemon.store.acceptances.add(daemon.acceptance(record, item))
    attempt = daemon.event(item.message_id, EventType.DEFERRED)
    answer = ServerAnswer(host="mx7.yamada.example", ip="203.0.113.9", text="busy")
    [claimed] = await daemon.claim()
    await daemon.store.queue.settle(daemon.ended(claimed, ItemState.DEFERRED, events=(attempt,), answer=answer))
    old = command.master_keys.ids()[0]
    fresh = await _rotate(command)
    assert command.master_keys.ids() == [fresh, old]
    assert set(await command.master_keys.in_use()) == {fresh}
    command.master_keys.remove(old)
    assert file.read_bytes().count(b"\n") == 1
    daemon.database.master = MasterKeys.load(file)
    async with daemon.database.node() as node:
        assert await node.parties.mailbox(daemon.pair.buyer.party.id) == BUYER
        assert await node.queue.content(item) is not None
        assert not_none(await node.records.message(item.message_id)).client_ip == "203.0.113.7"
        assert await node.records.answers(item.message_id) == {attempt.id: answer}
        assert await node.queue.domain(item) == "mail.example"
        assert [key.private_der for key in await node.dkim_keys.of_domain("m.example")] == [b"der", b""]
        assert node.secrets.get("alias") == daemon.store.secrets.get("alias")


async def test_a_running_daemon_reads_and_writes_at_every_step(daemon: StoreEnv, command: SqlStore) -> None:
    async def works(ref: str) -> None:
        daemon.store.forget()
        assert await daemon.store.parties.mailbox(daemon.pair.buyer.party.id) == BUYER
        await daemon.store.parties.put("m", Role.BUYER, ref, mailbox=f"{ref}@phone.example")
        await daemon.store.dkim_keys.of_domain("m.example")
        assert await daemon.store.queue.content(await daemon.accepted(daemon.record())) is not None

    await works("before")
    fresh = command.master_keys.add()
    await works("waiting")
    assert fresh not in await command.master_keys.in_use()
    command.master_keys.make_current(fresh)
    await works("current")
    assert (await command.master_keys.in_use())[fresh] == 1  # the party that the daemon has added
    while await command.master_keys.rewrap(1):
        await works(f"step-{command.base.ids.new()}")
    assert set(await command.master_keys.in_use()) == {fresh}


async def test_a_rotation_that_is_cut_off_is_finished_by_the_next(daemon: StoreEnv, command: SqlStore) -> None:
    old = command.master_keys.ids()[0]
    command.master_keys.make_current(fresh := command.master_keys.add())
    assert await command.master_keys.rewrap(1)
    used = await command.master_keys.in_use()
    assert set(used) == {old, fresh}
    assert command.master_keys.waiting() is None
    while await daemon.store.master_keys.rewrap(1):
        pass
    assert await daemon.store.master_keys.in_use() == {fresh: sum(used.values())}


async def test_two_rotations_at_once_leave_every_value_readable(daemon: StoreEnv, command: SqlStore) -> None:
    for number in range(10):
        await daemon.store.parties.put("m", Role.BUYER, f"b{number}", mailbox=f"b{number}@phone.example")
    command.master_keys.make_current(command.master_keys.add())
    await asyncio.gather(*(one.master_keys.rewrap(100) for one in (command, daemon.store)))
    command.base.vault.forget()
    for party in await command.parties.in_marketplace("m", Role.BUYER):
        assert await command.parties.mailbox(party.id)


async def test_a_node_whose_file_lacks_the_key_says_so_and_changes_nothing(
    daemon: StoreEnv, command: SqlStore, file: Path
) -> None:
    before = file.read_bytes()
    await _rotate(command)
    file.write_bytes(before)  # as if this node had not got the new file
    daemon.database.master = MasterKeys.load(file)
    with pytest.raises(StoreError, match="not the master key of this database"):
        await daemon.database.unopened().open()
    rows = await select(command, "SELECT wrapped FROM holder_key")
    with pytest.raises(UnreadableError, match="is not in"):
        await daemon.store.master_keys.rewrap(10)
    assert await select(command, "SELECT wrapped FROM holder_key") == rows


def test_the_file_keeps_its_mode_and_a_cut_off_write_is_named(tmp_path: Path) -> None:
    keys = MasterKeys.create(tmp_path / "master.key")
    keys.add()
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    (tmp_path / "master.key.new").touch()
    before = (tmp_path / "master.key").read_bytes()
    with pytest.raises(StoreError, match=r"master\.key\.new: another rotation is writing it, or was cut off"):
        keys.add()
    assert (tmp_path / "master.key").read_bytes() == before
