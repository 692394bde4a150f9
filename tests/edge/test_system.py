"""Clock, ids, lock and supervisor: what must hold on a machine whose wall clock nobody trusts."""

import os
import re
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.edge.system import SystemClock, SystemIds, locked, notify
from relay.ports import StoreError


def test_the_clock_does_not_follow_a_wall_clock_that_jumps() -> None:
    wall, uptime = [1_800_000_000.0], [50.0]
    clock = SystemClock(lambda: wall[0], lambda: uptime[0])
    started = clock.now()
    wall[0] -= 86_400 * 3
    uptime[0] += 2.5
    assert clock.now() - started == timedelta(seconds=2.5)
    assert started == datetime.fromtimestamp(1_800_000_000, UTC)


def test_the_clock_is_aware_and_near_the_systems() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.monotonic_s() <= clock.monotonic_s()


def test_an_id_is_26_characters_of_lower_case_base32() -> None:
    assert re.fullmatch("[0-9a-v]{26}", SystemIds().new())


def test_ids_sort_by_the_time_of_their_making() -> None:
    wall_ns = [0]
    ids = SystemIds(lambda: wall_ns[0])
    made = []
    for ms in (0, 1, 31, 32, 1_000, 1_800_000_000_000, (1 << 48) - 1):
        wall_ns[0] = ms * 1_000_000
        made.append(ids.new())
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("step_ns", [0, -86_400_000_000_000])
def test_ids_rise_within_a_millisecond_and_when_the_wall_clock_steps_back(step_ns: int) -> None:
    now = [1_800_000_000_000_000_000]
    ids = SystemIds(lambda: now[0], lambda size: b"\xff" * size)
    first = ids.new()
    now[0] += step_ns
    assert first < ids.new() < ids.new()


def test_ids_made_in_several_threads_are_all_different() -> None:
    ids = SystemIds()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(ids.new() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2_000


def test_two_daemons_cannot_share_a_directory(tmp_path: Path) -> None:
    said = rf"another relay uses this directory \(process {os.getpid()}\)"
    with locked(tmp_path), pytest.raises(StoreError, match=said), locked(tmp_path):
        raise AssertionError("locked twice")
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from relay.edge.system import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with locked(tmp_path):
        pass


def test_a_missing_directory_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run `relay init`"), locked(tmp_path / "none"):
        pass


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    # R-UI-11
    name = f"relay-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + name if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        notify("READY=1")
        supervisor.settimeout(5)
        assert supervisor.recv(64) == b"READY=1"


@pytest.mark.parametrize("value", ["", "/nonexistent/socket"])
def test_no_supervisor_is_no_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", value)
    notify("STOPPING=1")


# R-REC-04
def test_random_bytes_are_asked_for_one_by_one_and_never_kept_for_later() -> None:
    """Two copies of one virtual machine go on with the same memory."""
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    ids = SystemIds(entropy=entropy)
    assert ids.entropy(12) == ids.entropy(12) == bytes(12)
    ids.new()
    assert asked == [12, 12, 10]
