"""The real daemon in a process of its own, on free ports in a directory of its own, for end-to-end tests."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relay import app, config
from relay.core import dkim
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.edge import tls
from relay.ports import DkimKey
from relay.store.crypto import MasterKeys

DOMAIN = "market.example"
BUYER = "hanako.yamada@phone.example"
SELLER = "shop-owner@pottery.example"
PASSWORD = "correct-horse-battery"

_CONFIG = """
data_dir = "var"
hostname = "mx.market.example"
store = "{store}"

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

[[listener]]
kind = "lmtp"
port = 0
tls = "none"

[networks]
trusted = ["127.0.0.0/8"]
front_hosts = ["127.0.0.2"]
plain_auth = true

[delivery]
poll_s = 0.2
lease_s = 10
command_timeout_s = 10
connect_timeout_s = 5
{delivery}

[delivery.retry]
first_s = 1
longest_s = 2
domain_back_off_s = 0.5
{retry}

[web]
port = 0

[dkim]
algorithms = ["rsa-sha256", "ed25519-sha256"]

[[marketplace]]
id = "market"
name = "Example Market"
domain = "{domain}"
operator = "ops@operator.example"
help_url = "https://market.example/help"
{marketplace}
"""


@dataclass
class Relay:
    """`delivery`, `retry`, `marketplace`, `extra` are TOML lines put into the generated configuration."""

    directory: Path
    sink_port: int
    store: str = "sqlite:relay.db"
    delivery: str = ""
    retry: str = ""
    marketplace: str = ""
    extra: str = ""
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, Any] = field(default_factory=dict)

    @property
    def config_path(self) -> Path:
        return self.directory / "config.toml"

    @property
    def certificate(self) -> Path:
        return self.directory / "var/tls/cert.pem"

    @property
    def mx(self) -> int:
        return int(self.ports["mx"][0])

    @property
    def submission(self) -> int:
        return int(self.ports["submission"][0])

    @property
    def submissions(self) -> int:
        """The implicit-TLS one."""
        return int(self.ports["submission"][1])

    @property
    def lmtp(self) -> int:
        return int(self.ports["lmtp"][0])

    @property
    def web(self) -> int:
        return int(self.ports["web"])

    def prepare(self) -> None:
        """Configuration, keys, TLS files."""
        text = _CONFIG.format(
            store=self.store,
            domain=DOMAIN,
            delivery=self.delivery,
            retry=self.retry,
            marketplace=self.marketplace,
        )
        if "route" not in self.delivery:
            text += f'\n[[delivery.route]]\ndomain = "*"\nhost = "127.0.0.1"\nport = {self.sink_port}\ntls = "none"\n'
        self.config_path.write_text(text + self.extra)
        var = self.directory / "var"
        (var / "keys").mkdir(parents=True)
        MasterKeys.create(var / "keys/master.key")
        tls.make_self_signed(var / "tls", ["mx.market.example", "localhost"])

    def opened(self) -> Any:
        return app.opened(config.load(self.config_path), self.directory)

    async def furnish(self) -> Pair:
        """One seller with an app password, one buyer, their pair, and DKIM keys."""
        from argon2 import PasswordHasher

        async with self.opened() as store:
            for algorithm, selector in (("rsa-sha256", "r1"), ("ed25519-sha256", "e1")):
                der = dkim.generate(algorithm)
                await store.put_dkim_key(
                    DkimKey(domain=DOMAIN, selector=selector, algorithm=algorithm, private_der=der)
                )
            seller = await store.put_party(
                "market", Role.SELLER, "S1", mailbox=SELLER, locale="en", display_name="Pottery Shop"
            )
            buyer = await store.put_party("market", Role.BUYER, "B1", mailbox=BUYER, locale="ja", display_name="Hanako")
            hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
            await store.add_app_password(seller.id, "test", hasher.hash(PASSWORD))
            await store.add_app_password(buyer.id, "test", hasher.hash(PASSWORD))
            pair: Pair = await store.put_pair("market", buyer.id, seller.id, {Role.BUYER: DOMAIN, Role.SELLER: DOMAIN})
            return pair

    def start(self, timeout_s: float = 20) -> None:
        log = (self.directory / "daemon.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "relay", "--config", str(self.config_path), "serve"],
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | self.env,
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.directory / "daemon.log").read_text()[-4000:])
        self.ports = json.loads(line)["ports"]

    def kill(self) -> None:
        """SIGKILL: no good-bye."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """SIGTERM and the exit status."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def log(self) -> str:
        return (self.directory / "daemon.log").read_text()

    def cli(self, *arguments: str, check: bool = True) -> Any:
        """`relay ARGUMENTS --json`, parsed."""
        done = subprocess.run(
            [sys.executable, "-m", "relay", "--config", str(self.config_path), *arguments, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None


async def eventually(probe: Any, timeout_s: float = 20, step_s: float = 0.05) -> Any:
    """Waits until `probe()` (plain or async) is truthy; its value."""
    end = time.monotonic() + timeout_s
    while True:
        value = probe()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {probe}")
        await asyncio.sleep(step_s)
