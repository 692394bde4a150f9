"""Compares relay of two trees by short rounds in turn: `python -m bench.paired BEFORE [NOW] --case 5k:10:many`.

Each tree has a `.venv` of its own. Both daemons run all the time, and each round gives each of them the same messages,
so that a machine whose speed drifts slows both. The ratio of each pair of rounds counts, and their median is printed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

_HERE: Final = Path(__file__).resolve()
_PORTS: Final = (3525, 3626), (3725, 3826)
_WARM_UP: Final = 300


class Round(NamedTuple):
    """CPU milliseconds a message, and messages relayed per second."""

    cpu_ms: float
    relayed: float


class Side:
    """The daemon of one tree, run by a Python of that tree."""

    def __init__(self, tree: Path, ports: tuple[int, int], case: str) -> None:
        command = [str(tree / ".venv/bin/python"), str(_HERE), "--serve", str(tree), *map(str, ports), case]
        # The daemon is `python -m relay`, which takes the relay of the directory that it is started in.
        self._process = subprocess.Popen(command, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, count: int) -> Round:
        """Relays so many messages."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(count, file=self._process.stdin, flush=True)
        return Round(*json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        self._process.communicate()


def serve(tree: str, port: int, sink_port: int, case: str) -> None:
    """Runs the daemon of `tree`, and one round for each count on standard input."""
    sys.path.insert(0, tree)
    from bench import __main__ as bench  # noqa: PLC0415 - that of the tree
    from bench import messages  # noqa: PLC0415 - likewise
    from bench.relay_side import Relay  # noqa: PLC0415 - likewise

    vars(bench).update(PORT=port, SINK_PORT=sink_port)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        directory.chmod(0o755)
        messages.write_all(directory)
        server = Relay(directory, port, sink_port)
        server.start()
        try:
            bench.wait_port(port)
            for line in sys.stdin:
                figures = bench.run_case(server, directory, case, int(line))
                print(json.dumps([figures.cpu_ms, figures.relayed]), flush=True)
        finally:
            server.stop()


def compare(before: Path, now: Path, case: str, rounds: int, count: int) -> str:
    """Returns a line with the medians of the ratios of `now` to `before`."""
    sides = [Side(tree.resolve(), ports, case) for tree, ports in zip((before, now), _PORTS, strict=True)]
    try:
        for side in sides:
            side.run(_WARM_UP)
        found: list[tuple[Round, Round]] = []
        for number in range(rounds):
            order = (0, 1) if number % 2 else (1, 0)
            pair = {one: sides[one].run(count) for one in order}
            found.append((pair[0], pair[1]))
    finally:
        for side in sides:
            side.stop()
    cpu = [after.cpu_ms / first.cpu_ms for first, after in found]
    low, middle, high = statistics.quantiles(cpu)
    rate = statistics.median(after.relayed / first.relayed for first, after in found)
    return f"{case}: CPU {middle:.3f} (quartiles {low:.3f}, {high:.3f}), rate {rate:.3f} of before, {rounds} x {count}"


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return
    parser = argparse.ArgumentParser(prog="bench.paired", description="Compare relay of two trees, in turn.")
    parser.add_argument("before", type=Path)
    parser.add_argument("now", type=Path, nargs="?", default=_HERE.parents[1])
    parser.add_argument("--case", default="5k:10:many", help="size:sessions:{one|many}, as in python -m bench")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--count", type=int, default=300, help="messages per round")
    given = parser.parse_args()
    print(compare(given.before, given.now, given.case, given.rounds, given.count))


if __name__ == "__main__":
    main()
