"""The daemon under attack: shipped limits, every listener, inbound verification, DNS answers of the bench."""

import asyncio
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher

from bench import cpu, daemon
from relay import config, installation
from relay.edge import tls
from relay.store.crypto import MasterKeys

BUYER: Final = "alice@buyer.test"
SELLER: Final = "shop@seller.test"
PASSWORD: Final = "correct-horse-battery-staple"
TARPITS: Final = 3
"""The number of sellers' mailboxes at hosts that never answer."""

_CONFIG: Final = """
data_dir = "var"
hostname = "relay.test"

[[listener]]
kind = "mx"
port = 0

[[listener]]
kind = "submission"
port = 0

[[listener]]
kind = "submission"
port = 0
tls = "implicit"

[networks]
plain_auth = true

[dns]
servers = ["127.0.0.1"]
port = {dns_port}

[delivery]
port = {sink_port}
allowed_networks = ["127.0.0.0/8"]

[web]
port = 0

[dkim]
algorithms = ["rsa-sha256"]

[log]
level = "warning"

[[marketplace]]
id = "hostile"
name = "Market"
domain = "relay.test"
operator = "ops@operator.test"
help_url = "https://relay.test/help"
policies = "policies"
"""


class Target:
    """A daemon on one core. `seller_alias` is the alias to which the buyer writes; `tarpit_aliases` lead to tarpits."""

    def __init__(self, directory: Path, *, dns_port: int, sink_port: int, core: int) -> None:
        self._dir = directory
        self._dns_port, self._sink_port, self._core = dns_port, sink_port, core
        self._process: subprocess.Popen[bytes] | None = None
        self.mx = self.submission = self.implicit = self.web = 0
        self.seller_alias = self.buyer_alias = ""
        self.tarpit_aliases: list[str] = []

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Makes a fresh installation and starts it. Returns when all ports listen."""
        shutil.rmtree(self._dir, ignore_errors=True)
        (self._dir / "var/keys").mkdir(parents=True, mode=0o700)
        text = _CONFIG.format(dns_port=self._dns_port, sink_port=self._sink_port)
        (self._dir / "config.toml").write_text(text, encoding="ascii")
        (self._dir / "config.toml").chmod(0o600)
        daemon.put_policy(self._dir)
        MasterKeys.create(self._dir / "var/keys/master.key")
        tls.make_self_signed(self._dir / "var/tls", ["relay.test"])
        asyncio.run(self._furnish())
        self._process, ports = daemon.start(self._dir, prefix=("taskset", "--cpu-list", str(self._core)))
        self.mx, self.web = ports["mx"][0], ports["web"]
        self.submission, self.implicit = ports["submission"]

    async def _furnish(self) -> None:
        path = self._dir / "config.toml"
        async with installation.opened(config.load(path), self._dir) as store:
            await daemon.put_signing_key(store)
            pair = await daemon.put_pair(store, "hostile", buyer=BUYER, seller=SELLER)
            await store.app_passwords.add(pair.seller.party.id, "bench", PasswordHasher().hash(PASSWORD))
            self.seller_alias, self.buyer_alias = pair.seller.alias.address, pair.buyer.alias.address
            self.tarpit_aliases = []
            for number in range(TARPITS):
                mailbox = f"shop@tarpit{number}.test"
                slow = await daemon.put_pair(store, "hostile", buyer=BUYER, seller=mailbox, seller_ref=f"T{number}")
                self.tarpit_aliases.append(slow.seller.alias.address)

    def memory_mb(self) -> float:
        """Returns the memory of the daemon and its workers in MiB; a page that two of them share counts once."""
        return sum(_proportional_mb(pid) for pid in cpu.family([self.pid]))

    def disk_mb(self) -> float:
        """Returns the size of the data directory in MiB, files without a name included."""
        named = sum(file.stat().st_blocks * 512 for file in self._dir.rglob("*") if file.is_file())
        return (named + sum(map(_unnamed_bytes, cpu.family([self.pid])))) / 1_048_576

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1_024


def _unnamed_bytes(pid: int) -> int:
    """Returns the bytes of open files that have no name any more."""
    total = 0
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if str(entry.readlink()).endswith(" (deleted)"):
                total += entry.stat().st_blocks * 512
    except OSError:
        pass
    return total
