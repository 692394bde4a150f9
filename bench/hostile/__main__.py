"""Attacks a daemon with shipped limits, one attack after the other, and prints how its other users fared.

Everything stays on loopback addresses. The generator has one core, the daemon the other. For each attack a fresh daemon
is started; the others' answers, messages and health checks, the peak of memory and the growth of the data directory are
printed. The limits that the figures are held against: 250 ms for 99 of 100 answers, 512 MiB, no health answer lost.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.hostile.attacks import ALL, STRANGER_DOMAIN, Attack, Deadline, Tarpit
from bench.hostile.target import BUYER, TARPITS, Target
from bench.nameserver import NameServer

_ATTACK_S: Final = 25
_AFTER_S: Final = 3
"""How long the others are watched after an attack."""
_ANSWER_MS: Final = 250
_MEMORY_MB: Final = 512
_SPF: Final = "v=spf1 ip4:127.0.0.0/8 -all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The figures of one attack; `others` is the report of `bench.hostile.others`."""

    others: Mapping[str, Any]
    memory_mb: float
    disk_mb: float
    answered: str

    def faults(self) -> list[str]:
        """Returns the limits that do not hold."""
        found = []
        if (self.others["answer_p99_ms"] or 0) > _ANSWER_MS:
            found.append("answers")
        if self.memory_mb > _MEMORY_MB:
            found.append("memory")
        if self.others["lost"]["health"]:
            found.append("health")
        return found


class Peak:
    """Samples the memory and the disk of the target until it is stopped; keeps the highest values."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stop = threading.Event()
        self.memory_mb = target.memory_mb()
        self.disk_mb = self._disk_before = target.disk_mb()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            self.memory_mb = max(self.memory_mb, self._target.memory_mb())
            self.disk_mb = max(self.disk_mb, self._target.disk_mb())

    def stop(self) -> float:
        """Returns the growth of the data directory at its highest, in MiB."""
        self._stop.set()
        self._thread.join()
        return self.disk_mb - self._disk_before


def run(attack: Attack, directory: Path, dns_port: int, sink_port: int) -> Outcome:
    """Runs one attack on a fresh daemon."""
    target = Target(directory / "relay", dns_port=dns_port, sink_port=sink_port, core=1)
    target.start()
    try:
        command = [sys.executable, "-m", "bench.hostile.others", str(target.mx), str(target.web), target.seller_alias]
        others = subprocess.Popen([*command, BUYER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        time.sleep(1)
        peak = Peak(target)
        answered = attack(target, Deadline(_ATTACK_S))
        time.sleep(_AFTER_S)
        report = json.loads(others.communicate()[0])
        return Outcome(others=report, disk_mb=peak.stop(), memory_mb=peak.memory_mb, answered=answered)
    finally:
        target.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.hostile", description="Attack a daemon with shipped limits.")
    parser.add_argument("--only", help="attacks, separated by commas", default=",".join(ALL))
    wanted = parser.parse_args().only.split(",")
    if os.cpu_count() == 1:
        raise SystemExit("two cores are needed: one for the daemon, one for the attackers")
    os.sched_setaffinity(0, {0})
    domains = [
        "buyer.test",
        "seller.test",
        "operator.test",
        STRANGER_DOMAIN,
        *(f"tarpit{n}.test" for n in range(TARPITS)),
    ]
    addresses = {domain: "127.8.0.1" if domain.startswith("tarpit") else "127.0.0.1" for domain in domains}
    failed = 0
    with (
        tempfile.TemporaryDirectory() as temporary,
        NameServer(dict.fromkeys(domains, _SPF), addresses) as names,
    ):
        directory = Path(temporary)
        directory.chmod(0o755)
        sink_port = _free_port()
        sink = subprocess.Popen(["smtp-sink", "-u", "nobody", "-m", "300", f"127.0.0.1:{sink_port}", "1000"])
        tarpit = Tarpit("127.8.0.1", sink_port)
        print(
            f"{'attack':20s} {'p99':>6s} {'max':>6s} {'mail':>6s} {'health':>6s} {'lost':>9s} {'MiB':>6s} {'disk':>6s}"
        )
        try:
            for name in wanted:
                outcome = run(ALL[name], directory, names.port, sink_port)
                failed += bool(outcome.faults())
                print(_line(name, outcome), flush=True)
        finally:
            tarpit.close()
            sink.kill()
            sink.wait()
    print(
        f"{failed} of {len(wanted)} attacks break a limit: p99 {_ANSWER_MS} ms, {_MEMORY_MB} MiB, no health answer lost"
    )
    return 1 if failed else 0


def _line(name: str, outcome: Outcome) -> str:
    others = outcome.others
    lost = "/".join(str(count) for count in others["lost"].values())
    figures = (others["answer_p99_ms"], others["answer_max_ms"], others["message_max_ms"], others["health_max_ms"])
    text = " ".join(f"{'-' if figure is None else figure:>6}" for figure in figures)
    faults = f"  MISSED: {', '.join(outcome.faults())}" if outcome.faults() else ""
    return f"{name:20s} {text} {lost:>9s} {outcome.memory_mb:6.0f} {outcome.disk_mb:6.0f}  {outcome.answered}{faults}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
