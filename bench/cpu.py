"""CPU time of a server: all processes below given ones, including ended ones, read from /proc."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_TICK_MS: Final = 1_000 / os.sysconf("SC_CLK_TCK")


def used_ms(roots: Iterable[int]) -> float:
    """Returns milliseconds of user and system time of `roots` and all their descendants.

    The time of an ended process, after the wait for it, is in the `cutime` of its parent (proc(5)).
    """
    stats = _all()
    return sum(stats[pid][1] for pid in _family(roots, stats)) * _TICK_MS


def family(roots: Iterable[int]) -> list[int]:
    """Returns the processes among `roots` that live, and all their descendants."""
    return _family(roots, _all())


def _family(roots: Iterable[int], stats: Mapping[int, tuple[int, int]]) -> list[int]:
    found = [pid for pid in roots if pid in stats]
    for pid in found:
        found.extend(child for child, (parent, _) in stats.items() if parent == pid)
    return found


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576


def _all() -> dict[int, tuple[int, int]]:
    """Returns pid -> (parent, ticks of the process and of its ended children)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            found[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return found
