"""A full disk and a locked database: 4xx, nothing accepted is lost, nothing refused is sent, and it ends by itself."""

import asyncio
import json
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.faults import record_state
from tests.faults.conftest import MakeEnv
from tests.support.daemon import Relay, eventually
from tests.support.load import RecordingServer
from tests.support.narrowing import not_none


class SmallDisk:
    """A tmpfs with a ballast file on it: taking that away is what an operator does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __enter__(self) -> Self:
        self.directory.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(self.directory)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        self.ballast = self.directory / "ballast"
        self.ballast.write_bytes(b"\0" * (8 << 20))
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.directory)], check=True)

    def fill(self, pid: int) -> None:
        """The load does it."""

    def make_room(self, pid: int) -> None:
        self.ballast.unlink()


class FileSizeLimit:
    """The system refuses to let the daemon's files grow: the same for the daemon, and no root needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))

    def make_room(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


# R-IN-07, R-IN-03
@pytest.mark.parametrize("limit", [SmallDisk, FileSizeLimit])
async def test_a_full_disk_is_4xx_and_heals_when_there_is_room(
    make_env: MakeEnv, mail_server: RecordingServer, tmp_path: Path, limit: type[SmallDisk | FileSizeLimit]
) -> None:
    with limit(tmp_path / "var") as disk:
        env = await make_env(mail_server)
        await asyncio.to_thread(env.relay.start)
        process = not_none(env.relay.process)
        pid = process.pid
        disk.fill(pid)
        async with env.load(body_bytes=20_000, rest_s=0) as load:
            await eventually(lambda: len(load.refused) > 20)
            assert {load.answers[token] for token in load.refused} <= {451, 452}
            before = set(load.accepted)
            disk.make_room(pid)
            await eventually(lambda: len(load.accepted - before) > 20)
        assert process.poll() is None, "the daemon went down"
        await env.drained()
        assert env.relay.stop() == 0
        assert not load.unanswered
        assert mail_server.copies() == dict.fromkeys(load.accepted, 1)
        assert set(await record_state.read(env.relay)) == load.accepted
        assert await record_state.item_states(env.relay) == {"accepted": len(load.accepted)}


@contextmanager
def locked(relay: Relay) -> Iterator[None]:
    """Another process's write lock on the database."""
    other = sqlite3.connect(relay.directory / "var/relay.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


# R-IN-07
async def test_a_locked_database_is_451_and_heals_when_the_lock_goes(
    make_env: MakeEnv, mail_server: RecordingServer
) -> None:
    env = await make_env(mail_server)
    await asyncio.to_thread(env.relay.start)
    async with env.load(sessions=3) as load:
        await eventually(lambda: load.accepted)
        with locked(env.relay):
            await eventually(lambda: load.refused)
            assert {load.answers[token] for token in load.refused} == {451}
        before = set(load.accepted)
        await eventually(lambda: load.accepted - before)
    await env.drained()
    assert env.relay.stop() == 0
    assert mail_server.copies() == dict.fromkeys(load.accepted, 1)
    assert set(await record_state.read(env.relay)) == load.accepted


# R-IN-03, R-OUT-02
async def test_an_answer_that_comes_while_the_store_is_away_is_settled_later_and_not_sent_again(
    make_env: MakeEnv, mail_server: RecordingServer
) -> None:
    env = await make_env(mail_server, delivery="lease_s = 1", extra='\n[log]\nlevel = "debug"\n')
    mail_server.gate.clear()
    await asyncio.to_thread(env.relay.start)
    async with env.load(sessions=3) as load:
        await eventually(lambda: len(mail_server.arrivals) >= 3)
        load.pause()
        await load.settled()
    await eventually(lambda: len(mail_server.arrivals) == len(load.accepted))
    with locked(env.relay):
        mail_server.gate.set()
        await eventually(lambda: all(arrival.answered for arrival in mail_server.arrivals))
        # Longer than the leases last, and than a write waits for the lock.
        await eventually(
            lambda: any("work_put_off" in line and "settle" in line for line in env.relay.log().splitlines())
        )
    await eventually(lambda: "store_available" in env.relay.log())
    events = [json.loads(line)["event"] for line in env.relay.log().splitlines()]
    assert [event for event in events if event.startswith("store_")] == ["store_unavailable", "store_available"]
    await env.drained()
    assert env.relay.stop() == 0
    assert mail_server.copies() == dict.fromkeys(load.accepted, 1)
    assert set(await record_state.read(env.relay)) == load.accepted
