"""The real courier for tests, routed to a sink, with a clock and counters that tests can read."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relay import config
from relay.edge.smtp_out import SmtpOut, route_names
from relay.ports import HostRecord, MxHost, Outgoing, ResolveError, Resolver
from relay.steps.lanes import LaneLimits, ProcessLanes
from tests.support.fakes import CountingObserver, LoopClock

CONTENT = b"Subject: hello\r\n\r\nA line.\r\n.\r\n..two dots\r\nend\r\n"


class HostResolver:
    """A resolver with a table of MX hosts and one of addresses. A name that is in neither does not exist."""

    def __init__(self, *, mx: dict[str, list[MxHost]] | None = None, hosts: dict[str, list[str]] | None = None) -> None:
        self.mx_table = mx or {}
        self.hosts = hosts or {}
        self.asked: list[str] = []

    async def mx(self, domain: str) -> Sequence[MxHost]:
        self.asked.append(domain)
        if domain not in self.mx_table:
            raise ResolveError("the name does not exist", permanent=True)
        return self.mx_table[domain]

    async def addresses(self, host: str) -> Sequence[str]:
        if host not in self.hosts:
            raise ResolveError("the name does not exist", permanent=True)
        return self.hosts[host]

    async def txt(self, name: str) -> Sequence[bytes]:
        return []

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        return self.hosts.get(name, []) if record_type in ("A", "AAAA") else []


def route(sink: Any, domain: str = "*", **settings: Any) -> config.Route:
    return config.Route(domain=domain, **{"host": sink.host, "port": sink.port, **settings})


@asynccontextmanager
async def courier(
    *routes: config.Route,
    resolver: Resolver | None = None,
    hostname: str = "relay.example",
    data_dir: Path = Path(),
    observer: CountingObserver | None = None,
    **settings: Any,
) -> AsyncIterator[SmtpOut]:
    """A courier that may dial the loopback interface. Its lanes are those of the settings."""
    observer = observer or CountingObserver()
    local = {"allowed_networks": ["127.0.0.0/8", "::1/128"], "command_timeout_s": 5, "connect_timeout_s": 5}
    same = {"final_reply_timeout_s": settings.get("command_timeout_s", 5)}
    delivery = config.DeliverySection(**{"route": list(routes), **local, **same, **settings})
    limits = LaneLimits(
        concurrency=delivery.concurrency,
        per_destination=delivery.concurrency_per_destination,
        slow_after_s=delivery.slow_after_s,
        attempt_s=delivery.attempt_timeout_s,
        back_off_s=0,
        memory_bytes=delivery.memory_bytes,
    )
    out = SmtpOut(
        delivery=delivery,
        hostname=hostname,
        data_dir=data_dir,
        resolver=resolver or HostResolver(),
        clock=LoopClock(),
        observer=observer,
        lanes=ProcessLanes(limits, LoopClock(), observer, route_names(delivery.route)),
    )
    try:
        yield out
    finally:
        await out.close()


def outgoing(to: str = "buyer@shop.example", **fields: Any) -> Outgoing:
    return Outgoing(**{"mail_from": "b.1@relay.example", "rcpt_to": to, "content": CONTENT, **fields})
