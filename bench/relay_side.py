"""Relay as the server under test: the real daemon on SQLite, with RSA-2048 signing, encryption and record."""

import asyncio
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Final

from bench import daemon
from bench.messages import WRITER
from relay import config, installation
from relay.core.model.party import Role
from relay.ports import Store
from relay.store.crypto import MasterKeys

_CONFIG: Final = """
data_dir = "var"
hostname = "relay.test"

[[listener]]
kind = "mx"
port = {port}
tls = "none"

[authentication]
verify = {verify}
{dns}
[limits]
connections_per_client = 1000
commands_per_session = 10000000

[networks]
trusted = ["127.0.0.0/8"]

[delivery]
concurrency = 50
concurrency_per_destination = 50
messages_per_connection = 100000

[[delivery.route]]
domain = "*"
host = "127.0.0.1"
port = {sink}
tls = "none"

[dkim]
algorithms = ["rsa-sha256"]

[log]
level = "warning"

[web]
port = 0

[[marketplace]]
id = "bench"
name = "Market"
domain = "relay.test"
operator = "ops@operator.test"
help_url = "https://relay.test/help"
policies = "policies"
authentication = "known_domain"
"""


_SELLERS: Final = 1_000


class Relay:
    """Relay as a `Server` under test.

    `aliases` is the number of stored aliases. With `dns_port` it verifies mail by the DNS server on that port.
    """

    name = "relay"
    per_recipient_flag: tuple[str, ...] = ()

    def __init__(
        self, directory: Path, port: int, sink_port: int, *, aliases: int = 2, dns_port: int | None = None
    ) -> None:
        self._dir = directory / "relay"
        self._port, self._sink_port, self._aliases = port, sink_port, aliases
        self._process: subprocess.Popen[bytes] | None = None
        self._dns_port = dns_port
        self._web = 0
        self._settled_before = 0
        self._passed_before = [0, 0, 0]
        self._expected = 0
        self.recipient = ""

    def start(self) -> None:
        shutil.rmtree(self._dir, ignore_errors=True)
        (self._dir / "var/keys").mkdir(parents=True)
        (self._dir / "config.toml").write_text(self._config())
        daemon.put_policy(self._dir)
        MasterKeys.create(self._dir / "var/keys/master.key")
        self.recipient = asyncio.run(self._furnish())
        self._process, ports = daemon.start(self._dir)
        self._web = ports["web"]

    def _config(self) -> str:
        dns = f'\n[dns]\nservers = ["127.0.0.1"]\nport = {self._dns_port}\n' if self._dns_port else ""
        verify = "true" if self._dns_port else "false"
        return _CONFIG.format(port=self._port, sink=self._sink_port, verify=verify, dns=dns)

    async def _furnish(self) -> str:
        path = self._dir / "config.toml"
        async with installation.opened(config.load(path), self._dir) as store:
            await daemon.put_signing_key(store)
            pair = await daemon.put_pair(store, "bench", buyer=WRITER, seller="user@mailbox.test")
            await _fill(store, self._aliases // 2 - 1)
        return pair.seller.alias.address

    def processes(self) -> list[int]:
        return [self._process.pid] if self._process else []

    def _counted(self, *beginnings: str) -> list[int]:
        """Returns, for each beginning of a metric's line, the count since the start of the daemon."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._web}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return [int(sum(float(line.split()[-1]) for line in lines if line.startswith(one))) for one in beginnings]

    def settled(self) -> int:
        """Returns the number of deliveries that the daemon has settled since its start."""
        return self._counted("relay_deliveries_total{")[0]

    def verified(self) -> int:
        """Returns the number of mails that passed SPF, DKIM and DMARC since `forget`."""
        return min(now - before for now, before in zip(self._passed(), self._passed_before, strict=True))

    def _passed(self) -> list[int]:
        lines = (f'relay_authentications_total{{method="{one}",result="pass"}}' for one in ("spf", "dkim", "dmarc"))
        return self._counted(*lines)

    def forget(self) -> None:
        self._settled_before = self.settled()
        self._passed_before = self._passed()
        self._expected = 0

    def expect(self, messages: int) -> None:
        """Sets the number of messages after which `drained` is True."""
        self._expected = messages

    def drained(self) -> bool:
        return self.settled() - self._settled_before >= self._expected

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            if self._process.stdout is not None:
                self._process.stdout.close()


async def _fill(store: Store, pairs: int) -> None:
    """Stores that many further pairs with two aliases each, of a thousand sellers."""
    domains = dict.fromkeys(Role, "relay.test")
    sellers = [
        await store.parties.put("bench", Role.SELLER, f"S{n}", mailbox=f"s{n}@mailbox.test") for n in range(_SELLERS)
    ]
    done = 0
    while done < pairs:
        number = done // _SELLERS
        buyer = await store.parties.put("bench", Role.BUYER, f"B{number}", mailbox=f"b{number}@mailbox.test")
        now = sellers[: pairs - done]
        await asyncio.gather(*(store.pairs.put("bench", buyer.id, seller.id, domains) for seller in now))
        done += len(now)
