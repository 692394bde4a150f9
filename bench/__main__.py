"""Compares Postfix and relay at the same work in one run: smtp-source -> server -> smtp-sink, all on 127.0.0.1.

A case is size:sessions:{one|many}: with `one` each message has a new session, with `many` a session is kept. These
cases verify nothing. After them, unless --no-verify is given, ten signed mails are sent in turn to relay with
authentication, and to Postfix with OpenDKIM and an SPF policy service (`bench.postfix_verifying`).

Each case reports the messages accepted per second (until the last 250), relayed per second (until the sink has the last
message), and drained per second (until the server's queue is empty), and the CPU milliseconds per message of all the
server's processes. Only the ratios are meaningful, because absolute figures vary on a shared machine. The two servers
differ in one point: Postfix spreads the mail over 100,000 aliases, relay gets all of it for one pair.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench import cpu, messages
from bench.nameserver import NameServer
from bench.postfix import Postfix
from bench.postfix_verifying import REINJECT_PORT, VerifyingPostfix
from bench.relay_side import Relay

PORT: Final = 2525
SINK_PORT: Final = 2626
CASES: Final = "5k:10:many,5k:50:one,50k:10:many"
VERIFYING: Final = "signed:10:many"
POLICY_SERVICE: Final = Path("/usr/bin/policyd-spf")


class Server(Protocol):
    """The server under test; `forget` resets the counts before a case."""

    name: str
    per_recipient_flag: tuple[str, ...]
    recipient: str

    def start(self) -> None: ...
    def processes(self) -> list[int]: ...
    def forget(self) -> None: ...
    def drained(self) -> bool: ...
    def verified(self) -> int: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Figures:
    """The rates (messages per second) and the CPU milliseconds per message of one case."""

    accepted: float
    relayed: float
    drained: float
    cpu_ms: float


def run_case(server: Server, directory: Path, case: str, count: int) -> Figures:
    """Runs one case on a running server. Raises SystemExit when a message is refused or does not arrive."""
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
            files = sorted(directory.glob(f"{size}-*.eml")) or [directory / f"m{size}.eml"]
            _send(server, files, count, sessions=int(sessions), keep=mode == "many")
            accepted = time.perf_counter() - started
            _wait(lambda: _sunk(counted.fileno()) >= count, f"{server.name} {case}: the sink misses messages", 0.003)
            relayed = time.perf_counter() - started
            _wait(server.drained, f"{server.name} {case}: the queue does not empty", 0.02)
            drained = time.perf_counter() - started
            used = cpu.used_ms(server.processes()) - before
            if case == VERIFYING and server.verified() < count:
                raise SystemExit(f"{server.name} {case}: {server.verified()} of {count} mails were verified")
        finally:
            sink.kill()
            sink.wait()
    return Figures(count / accepted, count / relayed, count / drained, used / count)


def _send(server: Server, files: Sequence[Path], count: int, *, sessions: int, keep: bool) -> None:
    """Runs one smtp-source for each file at the same time; they share the messages and the sessions."""
    share = [str(number // len(files)) for number in (count, sessions)]
    command = ["smtp-source", "-M", "client.test", "-f", messages.WRITER, "-t", server.recipient, "-C", "20"]
    command += [*server.per_recipient_flag, *(["-d"] if keep else []), "-m", share[0], "-s", share[1]]
    running = [
        subprocess.Popen([*command, "-F", str(file), f"127.0.0.1:{PORT}"], stderr=subprocess.PIPE) for file in files
    ]
    errors = [one.communicate(timeout=600)[1] for one in running]
    if any(one.returncode for one in running):
        raise SystemExit(f"{server.name}: {b' '.join(errors).decode()[:500]}")


def _sunk(descriptor: int) -> int:
    """Returns the number of messages at the sink.

    smtp-sink -c rewrites its counters (sessions, quits, messages) after each message; the last one is that number.
    """
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
    _wait(lambda: _answers(port), f"port {port} does not answer", 0.05, 30)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.recv(100)
            connection.sendall(b"QUIT\r\n")
            return bool(connection.recv(100))
    except OSError:
        return False


def compare(
    servers: Sequence[Server], directory: Path, cases: Sequence[str], rounds: int, count: int
) -> dict[str, dict[str, list[Figures]]]:
    """Returns the figures by case and server, one per round; the servers run in turn."""
    found: dict[str, dict[str, list[Figures]]] = {case: {one.name: [] for one in servers} for case in cases}
    for _ in range(rounds):
        for server in servers:
            server.start()
            try:
                wait_port(PORT)
                for case in cases:
                    figures = run_case(server, directory, case, count // 2 if case.startswith("50k") else count)
                    found[case][server.name].append(figures)
                    print(f"  {server.name:8s} {case:14s} {_line(figures)}", flush=True)
            finally:
                server.stop()
    return found


def verifying(directory: Path, rounds: int, count: int) -> None:
    """Compares both servers with inbound verification. Raises SystemExit when a mail is not verified."""
    if not POLICY_SERVICE.exists():
        raise SystemExit("no SPF policy service to compare with: apt-get install postfix-policyd-spf-python")
    records = messages.write_signed(directory)
    with NameServer(records) as names:
        servers = (
            VerifyingPostfix(directory, PORT, SINK_PORT, dns_port=names.port, passes=2),
            VerifyingPostfix(directory, PORT, SINK_PORT, dns_port=names.port, passes=1),
            Relay(directory, PORT, SINK_PORT, dns_port=names.port),
        )
        _report(compare(servers, directory, [VERIFYING], rounds, count - count % messages.SIGNED))
        print(f"DNS, not counted: {names.used_ms():.0f} ms of CPU in all")


def aliases(directory: Path, rounds: int, count: int, stored: int) -> None:
    """Compares relay with two aliases to relay with `stored` aliases, in turn."""
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
    """Prints relay's resident memory over many messages."""
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
    parser.add_argument("--verify", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1_500, help="per case and round; half of it at 50k")
    parser.add_argument("--aliases", type=int, default=0, help="instead: relay with that many aliases stored")
    parser.add_argument("--memory", type=int, default=0, help="instead: relay's memory over that many messages")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that no server keeps running
    for port in (PORT, SINK_PORT, REINJECT_PORT):
        if _answers(port):
            raise SystemExit(f"another server answers on port {port}")
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        messages.write_all(directory)
        if arguments.aliases:
            aliases(directory, arguments.rounds, arguments.messages, arguments.aliases)
        elif arguments.memory:
            memory(directory, arguments.memory)
        else:
            rounds, count = arguments.rounds, arguments.messages
            if arguments.cases:
                servers = (Postfix(directory, PORT, SINK_PORT), Relay(directory, PORT, SINK_PORT))
                _report(compare(servers, directory, arguments.cases.split(","), rounds, count))
            if arguments.verify:
                verifying(directory, rounds, count)


def _report(found: Mapping[str, Mapping[str, Sequence[Figures]]]) -> None:
    print("\nmedians of the rounds; ratios = relay / the other")
    for case, by_server in found.items():
        medians = {name: _median(figures) for name, figures in by_server.items()}
        for name, figures in medians.items():
            print(f"{case:14s} {name:8s} {_line(figures)}")
        relay = medians.pop("relay")
        for name, other in medians.items():
            ratio = relay.relayed / other.relayed
            print(f"{case:14s} ratio    {ratio:.2f} relayed, {relay.cpu_ms / other.cpu_ms:.2f} CPU, to {name}")
            print(json.dumps({"case": case, "to": name, "ratio": ratio, "cpu_ms": relay.cpu_ms}))


if __name__ == "__main__":
    main()
