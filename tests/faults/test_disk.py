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

from tests.faults import books
from tests.faults.conftest import Furnish
from tests.support.daemon import Relay, eventually
from tests.support.load import Notebook
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
    furnish: Furnish, notebook: Notebook, tmp_path: Path, limit: type[SmallDisk | FileSizeLimit]
) -> None:
    with limit(tmp_path / "var") as disk:
        stage = await furnish(notebook)
        await asyncio.to_thread(stage.relay.start)
        process = not_none(stage.relay.process)
        pid = process.pid
        disk.fill(pid)
        async with stage.load(body_bytes=20_000, rest_s=0) as load:
            await eventually(lambda: len(load.refused) > 20)
            assert {load.answers[token] for token in load.refused} <= {451, 452}
            before = set(load.accepted)
            disk.make_room(pid)
            await eventually(lambda: len(load.accepted - before) > 20)
        assert process.poll() is None, "the daemon went down"
        await stage.drained()
        assert stage.relay.stop() == 0
        assert not load.unanswered
        assert notebook.copies() == dict.fromkeys(load.accepted, 1)
        assert set(await books.read(stage.relay)) == load.accepted
        assert await books.item_states(stage.relay) == {"accepted": len(load.accepted)}


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
async def test_a_locked_database_is_451_and_heals_when_the_lock_goes(furnish: Furnish, notebook: Notebook) -> None:
    stage = await furnish(notebook)
    await asyncio.to_thread(stage.relay.start)
    async with stage.load(sessions=3) as load:
        await eventually(lambda: load.accepted)
        with locked(stage.relay):
            await eventually(lambda: load.refused)
            assert {load.answers[token] for token in load.refused} == {451}
        before = set(load.accepted)
        await eventually(lambda: load.accepted - before)
    await stage.drained()
    assert stage.relay.stop() == 0
    assert notebook.copies() == dict.fromkeys(load.accepted, 1)
    assert set(await books.read(stage.relay)) == load.accepted


# R-IN-03, R-OUT-02
async def test_an_answer_that_comes_while_the_store_is_away_is_settled_later_and_not_sent_again(
    furnish: Furnish, notebook: Notebook
) -> None:
    stage = await furnish(notebook, delivery="lease_s = 1", extra='\n[log]\nlevel = "debug"\n')
    notebook.gate.clear()
    await asyncio.to_thread(stage.relay.start)
    async with stage.load(sessions=3) as load:
        await eventually(lambda: len(notebook.arrivals) >= 3)
        load.pause()
        await load.settled()
    await eventually(lambda: len(notebook.arrivals) == len(load.accepted))
    with locked(stage.relay):
        notebook.gate.set()
        await eventually(lambda: all(arrival.answered for arrival in notebook.arrivals))
        # Longer than the leases last, and than a write waits for the lock.
        await eventually(
            lambda: any("work_put_off" in line and "settle" in line for line in stage.relay.log().splitlines())
        )
    await eventually(lambda: "store_available" in stage.relay.log())
    events = [json.loads(line)["event"] for line in stage.relay.log().splitlines()]
    assert [event for event in events if event.startswith("store_")] == ["store_unavailable", "store_available"]
    await stage.drained()
    assert stage.relay.stop() == 0
    assert notebook.copies() == dict.fromkeys(load.accepted, 1)
    assert set(await books.read(stage.relay)) == load.accepted
