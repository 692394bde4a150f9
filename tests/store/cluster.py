"""A private PostgreSQL server on loopback, and a fresh database for each test."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path


@dataclass
class Cluster:
    """`pg_ctl` refuses to run as root, so root runs it as the user `postgres`."""

    directory: Path
    port: int
    programs: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def run(self, program: str, *words: str) -> None:
        run_as(["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else [], [str(self.programs / program), *words])

    def start(self) -> None:
        options = f"-p {self.port} -k {self.directory} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50"
        log = self.directory / "log"
        self.run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-l", str(log), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-m", "immediate", "stop")

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"relay_{next(self._numbers)}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-T", "template0", name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def running() -> Iterator[Cluster]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    with tempfile.TemporaryDirectory(prefix="relay-pg-") as name:
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(name, account.pw_uid, account.pw_gid)
        cluster = Cluster(Path(name), free_port(), programs)
        words = ["-D", str(cluster.directory / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        cluster.run("initdb", *words)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


def free_port() -> int:
    """Returns a free port below the range from which the system gives out ports, so that no client takes it meanwhile."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def run_as(prefix: Sequence[str], words: Sequence[str]) -> None:
    """Runs a command without its output: a server that keeps running must not inherit a pipe."""
    program = shutil.which(prefix[0]) if prefix else None
    subprocess.run(
        [*([program] if program else []), *prefix[1:], *words], check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
