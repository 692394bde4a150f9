"""The real daemon in a process of its own, on free ports in a directory of its own, for end-to-end tests."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from relay import config, installation
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
FRONT = "127.0.0.2"
"""The loopback address whose XCLIENT and PROXY header are believed."""

_CONFIG = f"""
data_dir = "var"
hostname = "mx.market.example"

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

[[listener]]
kind = "mx"
port = 0
proxy_protocol = true

[networks]
trusted = ["127.0.0.0/8"]
front_hosts = ["{FRONT}"]
plain_auth = true

[heavy_mail]
workers = 1

[delivery]
allowed_networks = ["127.0.0.0/8", "::1/128"]
poll_s = 0.2
lease_s = 10
command_timeout_s = 10
final_reply_timeout_s = 20
connect_timeout_s = 5

[delivery.retry]
first_s = 1
longest_s = 2
domain_back_off_s = 0.5

[authentication]
verify = false

[web]
port = 0

[dkim]
algorithms = ["rsa-sha256", "ed25519-sha256"]

[[marketplace]]
id = "market"
name = "Example Market"
domain = "{DOMAIN}"
operator = "ops@operator.example"
help_url = "https://market.example/help"
"""


_UNLIMITED = """
version = "test-1"
effective_at = 2026-01-01

[limits]
instant_reply_s = 0
repeated_text_bytes = 0
pair_per_hour = 0

[quotas]
seller_per_day = 0
pair_per_day = 0
buyer_per_day = 0
returned_per_day = 0
checks_per_hour = 0
"""


@dataclass
class Relay:
    """A relay daemon with a generated configuration.

    `delivery`, `retry`, `authentication` and `marketplace` are TOML lines that are added to the tables of the
    configuration; `extra` is appended to the file as it is. Without a route of its own, all mail goes to `sink_port`.
    `policy` is the text of the policy file; by default it is the shipped policy without quotas, which a burst would use
    up.
    """

    directory: Path
    sink_port: int
    store: str = "sqlite:relay.db"
    delivery: str = ""
    retry: str = ""
    authentication: str = ""
    marketplace: str = ""
    extra: str = ""
    policy: str = _UNLIMITED
    under: tuple[str, ...] = ()
    """A command that starts the daemon, such as a tracer."""
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, Any] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    """The output of all calls of `run`."""

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
    def proxied(self) -> int:
        """The MX port that expects a PROXY header."""
        return int(self.ports["mx"][1])

    @property
    def submission(self) -> int:
        return int(self.ports["submission"][0])

    @property
    def submissions(self) -> int:
        """The submission port with implicit TLS."""
        return int(self.ports["submission"][1])

    @property
    def lmtp(self) -> int:
        return int(self.ports["lmtp"][0])

    @property
    def web(self) -> int:
        return int(self.ports["web"])

    def prepare(self) -> None:
        """Writes the configuration, the keys and the TLS files."""
        self.configure()
        var = self.directory / "var"
        (var / "keys").mkdir(parents=True)
        MasterKeys.create(var / "keys/master.key")
        tls.make_self_signed(var / "tls", ["mx.market.example", "localhost"])

    def configure(self) -> None:
        tree = tomllib.loads(_CONFIG)
        tree["store"] = self.store
        tree["delivery"] |= tomllib.loads(f"[delivery]\n{self.delivery}")["delivery"]
        tree["delivery"]["retry"] |= tomllib.loads(self.retry)
        tree["authentication"] |= tomllib.loads(self.authentication)
        tree["delivery"].setdefault("route", [_route(self.sink_port)])
        tree["marketplace"][0] |= {"policies": "policies"} | tomllib.loads(self.marketplace)
        (self.directory / "policies").mkdir(exist_ok=True)
        (self.directory / "policies/now.toml").write_text(self.policy)
        self.config_path.write_text("\n".join(_toml(tree)) + self.extra)

    def opened(self) -> Any:
        return installation.opened(config.load(self.config_path), self.directory)

    async def seed_store(self) -> Pair:
        """Stores DKIM keys, one seller and one buyer with app passwords, and their pair, and returns the pair."""
        async with self.opened() as store:
            for algorithm, selector in (("rsa-sha256", "r1"), ("ed25519-sha256", "e1")):
                await store.dkim_keys.put(
                    DkimKey(domain=DOMAIN, selector=selector, algorithm=algorithm, private_der=_dkim_key(algorithm))
                )
        return await self.add_pair("B1", BUYER, "S1", SELLER, buyer_locale="ja")

    async def add_pair(
        self, buyer_ref: str, buyer: str, seller_ref: str, seller: str, *, buyer_locale: str = "en"
    ) -> Pair:
        """Stores a buyer and a seller with the app password PASSWORD, and returns their pair."""
        async with self.opened() as store:
            parties = {}
            for role, ref, mailbox, locale, name in (
                (Role.SELLER, seller_ref, seller, "en", "Pottery Shop"),
                (Role.BUYER, buyer_ref, buyer, buyer_locale, "Hanako"),
            ):
                party = await store.parties.put("market", role, ref, mailbox=mailbox, locale=locale, display_name=name)
                await store.app_passwords.add(party.id, "test", self._password_hash)
                parties[role] = party.id
            pair: Pair = await store.pairs.put(
                "market", parties[Role.BUYER], parties[Role.SELLER], {Role.BUYER: DOMAIN, Role.SELLER: DOMAIN}
            )
            return pair

    @cached_property
    def _password_hash(self) -> str:
        return PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

    def start(self) -> None:
        """Starts the daemon and waits until it listens. Raises RuntimeError with the end of the log when it does not."""
        log = (self.directory / "daemon.log").open("ab")
        self.process = subprocess.Popen(
            [*self.under, sys.executable, "-m", "relay", "--config", str(self.config_path), "serve"],
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | self.env,
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(30)
            self._close()
            raise RuntimeError(self.log()[-4000:])
        self.ports = json.loads(line)["ports"]

    def kill(self) -> None:
        """Ends the daemon by SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """Stops the daemon by SIGTERM and returns its exit status."""
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

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `relay ARGUMENTS` as an operator does."""
        done = subprocess.run(
            [sys.executable, "-m", "relay", "--config", str(self.config_path), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.printed += done.stdout, done.stderr
        return done

    def cli(self, *arguments: str, check: bool = True) -> Any:
        """Runs `relay ARGUMENTS --json` and returns the parsed output."""
        done = self.run(*arguments, "--json")
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None


@cache
def _dkim_key(algorithm: dkim.Algorithm) -> bytes:
    return dkim.generate(algorithm)


def _route(port: int) -> dict[str, Any]:
    return {"domain": "*", "host": "127.0.0.1", "port": port, "tls": "none"}


def _toml(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yields the lines of a tree as TOML: plain keys first, then tables. JSON strings and numbers are valid TOML."""
    tables: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            tables[key] = value
        else:
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in tables.items():
        single = isinstance(value, dict)
        for one in [value] if single else value:
            yield f"[{path}{key}]" if single else f"[[{path}{key}]]"
            yield from _toml(one, f"{path}{key}.")


async def eventually(probe: Any, timeout_s: float = 20, step_s: float = 0.05) -> Any:
    """Waits until `probe()` (plain or async) is truthy, and returns its value."""
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
