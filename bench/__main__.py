"""Postfix and relay in turn, doing the same work, in one run: smtp-source -> server -> smtp-sink, all on 127.0.0.1.

A case is size:sessions:{one|many}: `one` is a new session for each message, `many` keeps the session. Told per case:
accepted per second (until the last 250), relayed per second (until the sink has the last message), drained per second
(until the server's queue is empty), and CPU milliseconds per message of all the server's processes. What counts are
the ratios: absolute figures drift on a shared machine. The two differ in this: Postfix spreads the mail over 100,000
aliases, relay gets all of it for one pair.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench import cpu, messages
from bench.postfix import Postfix
from bench.relay_side import Relay

PORT: Final = 2525
SINK_PORT: Final = 2626
CASES: Final = "5k:10:many,5k:50:one,50k:10:many"


class Server(Protocol):
    name: str
    per_recipient_flag: tuple[str, ...]
    recipient: str

    def start(self) -> None: ...
    def processes(self) -> list[int]: ...
    def forget(self) -> None: ...
    def drained(self) -> bool: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Figures:
    accepted: float
    relayed: float
    drained: float
    cpu_ms: float


def run_case(server: Server, directory: Path, case: str, count: int) -> Figures:
    """One case on a running server. Raises SystemExit when a message is refused or does not arrive."""
    size, sessions, mode = case.split(":")
    server.forget()
    if isinstance(server, Relay):
        server.expect(count)
    with (directory / "sink.out").open("w+b") as counted:
        sink = subprocess.Popen(
            ["smtp-sink", "-u", "nobody", "-c", "-m", "300", f"127.0.0.1:{SINK_PORT}", "1000"], stdout=counted
        )
        try:
            wait_port(SINK_PORT)
            before, started = cpu.used_ms(server.processes()), time.perf_counter()
            keep = ["-d"] if mode == "many" else []
            source = ["smtp-source", "-M", "client.test", "-f", messages.WRITER, "-t", server.recipient]
            source += [*server.per_recipient_flag, *keep, "-F", str(directory / f"m{size}.eml"), "-m", str(count)]
            done = subprocess.run(
                [*source, "-s", sessions, "-C", "20", f"127.0.0.1:{PORT}"],
                capture_output=True,
                timeout=600,
                check=False,
            )
            if done.returncode != 0:
                raise SystemExit(f"{server.name} {case}: {done.stderr.decode()[:500]}")
            accepted = time.perf_counter() - started
            _wait(lambda: _sunk(counted.fileno()) >= count, f"{server.name} {case}: the sink misses messages", 0.003)
            relayed = time.perf_counter() - started
            _wait(server.drained, f"{server.name} {case}: the queue does not empty", 0.02)
            drained = time.perf_counter() - started
            used = cpu.used_ms(server.processes()) - before
        finally:
            sink.kill()
            sink.wait()
    return Figures(count / accepted, count / relayed, count / drained, used / count)


def _sunk(descriptor: int) -> int:
    """smtp-sink -c rewrites its counters (sessions, quits, messages) after each message; the last one counts."""
    size = os.fstat(descriptor).st_size
    counters = os.pread(descriptor, 200, max(0, size - 200)).split(b"=")
    try:
        return int(counters[-1])
    except ValueError:
        return 0


def _wait(condition: Callable[[], bool], problem: str, step_s: float, timeout_s: float = 300) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(problem)
        time.sleep(step_s)


def wait_port(port: int) -> None:
    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.recv(100)
                connection.sendall(b"QUIT\r\n")
                return bool(connection.recv(100))
        except OSError:
            return False

    _wait(answers, f"port {port} does not answer", 0.05, 30)


def compare(directory: Path, cases: Sequence[str], rounds: int, count: int) -> dict[str, dict[str, list[Figures]]]:
    """By case and server: its figures, one a round; the servers run in turn."""
    found: dict[str, dict[str, list[Figures]]] = {case: {"postfix": [], "relay": []} for case in cases}
    for _ in range(rounds):
        for server in (Postfix(directory, PORT, SINK_PORT), Relay(directory, PORT, SINK_PORT)):
            server.start()
            try:
                wait_port(PORT)
                for case in cases:
                    figures = run_case(server, directory, case, count if case.startswith("5k") else count // 2)
                    found[case][server.name].append(figures)
                    print(f"  {server.name:8s} {case:12s} {_line(figures)}", flush=True)
            finally:
                server.stop()
    return found


def aliases(directory: Path, rounds: int, count: int, stored: int) -> None:
    """Relay with two aliases and with `stored`, in turn."""
    case = "5k:10:many"
    rates: dict[int, list[float]] = {2: [], stored: []}
    for _ in range(rounds):
        for number, found in rates.items():
            server = Relay(directory, PORT, SINK_PORT, aliases=number)
            server.start()
            try:
                wait_port(PORT)
                found.append(run_case(server, directory, case, count).relayed)
                print(f"  {number:9,d} aliases {case} {found[-1]:7.0f}/s", flush=True)
            finally:
                server.stop()
    few, many = (statistics.median(rates[number]) for number in rates)
    print(f"{stored:,} aliases stored: {many / few:.2f} of the rate with two ({many:.0f}/s and {few:.0f}/s)")


def memory(directory: Path, total: int) -> None:
    """Relay's resident memory over many messages."""
    server = Relay(directory, PORT, SINK_PORT)
    server.start()
    try:
        wait_port(PORT)
        step = max(1, total // 10)
        for done in range(step, total + 1, step):
            figures = run_case(server, directory, "5k:10:many", step)
            resident = cpu.resident_mb(server.processes()[0])
            print(f"  {done:8,d} messages: {resident:6.1f} MB resident, {figures.relayed:6.0f}/s", flush=True)
    finally:
        server.stop()


def _line(figures: Figures) -> str:
    return (
        f"accepted {figures.accepted:6.0f}/s  relayed {figures.relayed:6.0f}/s  drained {figures.drained:6.0f}/s  "
        f"cpu {figures.cpu_ms:6.2f} ms"
    )


def _median(figures: Sequence[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(one, name) for one in figures) for name in Figures.__slots__))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1_500, help="per 5k case and round; half of it at 50k")
    parser.add_argument("--aliases", type=int, default=0, help="instead: relay with that many aliases stored")
    parser.add_argument("--memory", type=int, default=0, help="instead: relay's memory over that many messages")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        messages.write_all(directory)
        if arguments.aliases:
            aliases(directory, arguments.rounds, arguments.messages, arguments.aliases)
        elif arguments.memory:
            memory(directory, arguments.memory)
        else:
            found = compare(directory, arguments.cases.split(","), arguments.rounds, arguments.messages)
            _report(found)


def _report(found: dict[str, dict[str, list[Figures]]]) -> None:
    print("\nmedians of the rounds; ratio = relay / postfix")
    for case, by_server in found.items():
        postfix, relay = _median(by_server["postfix"]), _median(by_server["relay"])
        print(f"{case:12s} postfix  {_line(postfix)}")
        print(f"{'':12s} relay    {_line(relay)}")
        print(
            f"{'':12s} ratio    {relay.relayed / postfix.relayed:.2f} relayed, {relay.cpu_ms / postfix.cpu_ms:.2f} CPU"
        )
        print(json.dumps({"case": case, "ratio": relay.relayed / postfix.relayed, "cpu_ms": relay.cpu_ms}))


if __name__ == "__main__":
    sys.exit(main())
