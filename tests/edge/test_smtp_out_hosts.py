"""Where a message goes: routes, MX hosts in order, addresses, our own name among them, real DNS answers."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from relay import config
from relay.edge.dns import DnsResolver
from relay.edge.smtp_out import CourierError
from relay.ports import MxHost, ResolveError
from tests.support.courier import HostResolver, courier, outgoing, route
from tests.support.dns import MiniDns
from tests.support.sink import CLOSE, Say, Sink


@pytest.fixture
def dead_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_the_exact_route_goes_before_the_route_for_all() -> None:
    # R-OUT-01
    async with Sink() as shop, Sink() as rest, courier(route(rest), route(shop, "Shop.example")) as out:
        await out.deliver(outgoing("a@SHOP.example"))
        await out.deliver(outgoing("a@sub.shop.example"))
        assert [received.rcpt_to for received in shop.mails] == [["a@shop.example"]]
        assert [received.rcpt_to for received in rest.mails] == [["a@sub.shop.example"]]


async def test_a_route_for_an_international_domain_fits_both_its_forms() -> None:
    # R-REW-11
    async with Sink() as sink, courier(route(sink, "例え.jp")) as out:
        assert (await out.deliver(outgoing("a@例え.jp"))).accepted
        assert (await out.deliver(outgoing("a@XN--R8JZ45G.jp"))).accepted


async def test_a_route_for_no_domain_is_named() -> None:
    # R-UI-15
    with pytest.raises(CourierError, match=r"delivery\.route"):
        async with courier(config.Route(domain="\u3002例え..jp", host="127.0.0.1")):
            pass


@pytest.mark.parametrize("host", ["localhost", "sink.localhost", "127.0.0.1"])
async def test_a_route_to_a_local_name_asks_no_dns(host: str) -> None:
    # R-OUT-01
    names = HostResolver()
    async with Sink() as sink, courier(route(sink, host=host), resolver=names) as out:
        assert (await out.deliver(outgoing())).accepted
    assert not names.asked


async def test_a_route_to_a_name_is_resolved_by_address_not_by_mx() -> None:
    names = HostResolver(hosts={"hub.example": ["127.0.0.1"]})
    async with Sink() as sink, courier(route(sink, host="hub.example"), resolver=names) as out:
        assert (await out.deliver(outgoing())).host == "hub.example"
    assert not names.asked


async def test_a_smarthost_without_a_name_in_dns_bounces_no_mail() -> None:
    # R-OUT-01
    async with courier(config.Route(domain="*", host="hub.example"), resolver=HostResolver()) as out:
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "dns")


async def test_nothing_listens(dead_port: int) -> None:
    async with courier(config.Route(domain="*", host="127.0.0.1", port=dead_port)) as out:
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "connect")
    assert delivery.text


# ---------------------------------------------------------------- hosts in order


def _two(first: str = "127.0.0.2", second: str = "127.0.0.1") -> HostResolver:
    return HostResolver(
        mx={"shop.example": [MxHost(10, "mx1.example"), MxHost(20, "mx2.example")]},
        hosts={"mx1.example": [first], "mx2.example": [second]},
    )


async def test_the_next_host_is_tried_when_one_cannot_be_reached() -> None:
    # R-OUT-01: RFC 5321 §5.1
    async with Sink() as sink, courier(resolver=_two(), port=sink.port) as out:
        assert (await out.deliver(outgoing())).host == "mx2.example"


@pytest.mark.parametrize(("phase", "answer"), [("connect", "421 4.3.2 busy"), ("connect", "450 no"), ("connect", CLOSE),
                                               ("ehlo", "421 4.3.2 busy"), ("mail", "421 bye"), ("mail", CLOSE), ("data", CLOSE)])  # fmt: skip
async def test_the_next_host_is_tried_when_one_has_no_time_or_goes_away(phase: str, answer: Say) -> None:
    # R-OUT-01
    async with (
        Sink(host="127.0.0.2") as first,
        Sink(port=first.port) as second,
        courier(resolver=_two(), port=first.port) as out,
    ):
        first.say(phase, answer)
        delivery = await out.deliver(outgoing())
        assert delivery.accepted
        assert delivery.host == "mx2.example"
        assert len(second.mails) == 1


@pytest.mark.parametrize(
    ("phase", "answer"),
    [
        ("connect", "554 5.7.1 go away"),
        ("rcpt", "550 5.1.1 no"),
        ("rcpt", "450 4.2.0 greylisted"),
        ("end_of_data", "421 4.3.2 bye"),
        ("end_of_data", CLOSE),
    ],
)
async def test_the_next_host_is_not_asked_after_an_answer_that_counts(phase: str, answer: Say) -> None:
    # R-OUT-01
    async with (
        Sink(host="127.0.0.2") as first,
        Sink(port=first.port) as second,
        courier(resolver=_two(), port=first.port) as out,
    ):
        first.say(phase, answer)
        delivery = await out.deliver(outgoing())
        assert not delivery.accepted
        assert delivery.permanent is (isinstance(answer, str) and answer.startswith("5"))
        assert (delivery.host, delivery.phase) == ("mx1.example", phase)
        assert second.sessions == 0


async def test_all_addresses_of_a_host_are_tried() -> None:
    # R-OUT-01
    names = HostResolver(
        mx={"shop.example": [MxHost(0, "mx.example")]}, hosts={"mx.example": ["127.0.0.2", "127.0.0.1"]}
    )
    async with Sink() as sink, courier(resolver=names, port=sink.port) as out:
        assert (await out.deliver(outgoing())).accepted


async def test_not_all_of_a_hundred_hosts_are_tried(dead_port: int) -> None:
    hosts = [MxHost(i, f"mx{i}.example", ("127.0.0.1",)) for i in range(100)]
    async with courier(resolver=HostResolver(mx={"shop.example": hosts}), port=dead_port) as out:
        assert (await out.deliver(outgoing())).host == "mx9.example"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
@pytest.mark.parametrize("ipv6", [True, False])
async def test_ipv6_is_a_choice(ipv6: bool) -> None:
    # R-OUT-01
    names = HostResolver(mx={"shop.example": [MxHost(0, "mx.example")]}, hosts={"mx.example": ["::1"]})
    try:
        async with Sink(host="::1") as sink, courier(resolver=names, port=sink.port, ipv6=ipv6) as out:
            delivery = await out.deliver(outgoing())
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert (delivery.accepted, delivery.permanent) == (ipv6, False)


async def test_the_source_address_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    async with Sink() as sink, courier(route(sink), bind_ip="127.0.0.3") as out:
        serve = sink._session

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Any) -> None:
            seen.append(writer.get_extra_info("peername")[0])
            await serve(reader, writer, talk)

        monkeypatch.setattr(sink, "_session", session)
        assert (await out.deliver(outgoing())).accepted
    assert seen == ["127.0.0.3"]


async def test_a_host_that_does_not_exist_is_passed_over() -> None:
    names = _two()
    del names.hosts["mx1.example"]
    async with Sink() as sink, courier(resolver=names, port=sink.port) as out:
        assert (await out.deliver(outgoing())).host == "mx2.example"


@pytest.mark.parametrize("faults", [(True, True), (True, False), (False, True), (False, False)])
async def test_a_domain_is_unreachable_for_good_only_when_no_host_of_it_exists(faults: tuple[bool, ...]) -> None:
    class Faulty(HostResolver):
        async def addresses(self, host: str) -> Sequence[str]:
            raise ResolveError("no", permanent=faults[int(host[2]) - 1])

    names = Faulty(mx=_two().mx_table)
    async with courier(resolver=names) as out:
        delivery = await out.deliver(outgoing())
    assert (delivery.permanent, delivery.phase) == (all(faults), "dns")


# ---------------------------------------------------------------- loops


@pytest.mark.parametrize("own", ["mx1.example", "MX1.example."])
async def test_mail_for_a_domain_whose_best_host_we_are_does_not_circle(own: str) -> None:
    # R-OUT-08: RFC 5321 §5.1
    names = HostResolver(mx={"shop.example": [MxHost(10, own), MxHost(20, "mx2.example", ("127.0.0.1",))]})
    async with Sink() as sink, courier(resolver=names, hostname="mx1.example", port=sink.port) as out:
        delivery = await out.deliver(outgoing())
        assert (delivery.permanent, delivery.code, delivery.enhanced, delivery.phase) == (True, 554, "5.4.6", "dns")
        assert sink.sessions == 0


async def test_as_a_backup_host_we_send_only_to_hosts_nearer_than_ourselves() -> None:
    # R-OUT-08: RFC 5321 §5.1
    hosts = [MxHost(10, "mx1.example", ("127.0.0.2",)), MxHost(20, "mx3.example"), MxHost(20, "own.example")]
    names = HostResolver(mx={"shop.example": hosts}, hosts={"mx3.example": ["127.0.0.1"]})
    async with Sink() as sink, courier(resolver=names, hostname="own.example", port=sink.port) as out:
        delivery = await out.deliver(outgoing())
        assert (delivery.host, delivery.permanent) == ("mx1.example", False)
        assert sink.sessions == 0


# ---------------------------------------------------------------- with a name server

ZONE = """
shop.example. 60 IN MX 20 mx2.shop.example.
shop.example. 60 IN MX 10 mx1.shop.example.
mx1.shop.example. 60 IN A 127.0.0.2
mx2.shop.example. 60 IN A 127.0.0.1
plain.example. 60 IN A 127.0.0.1
no-mail.example. 60 IN MX 0 .
"""


@pytest.mark.parametrize(
    ("domain", "accepted", "permanent", "host"),
    [
        ("shop.example", True, False, "mx2.shop.example"),
        ("plain.example", True, False, "plain.example"),
        ("no-mail.example", False, True, ""),
        ("nowhere.example", False, True, ""),
        ("down.example", False, False, ""),
    ],
)
async def test_mail_goes_where_dns_says(domain: str, accepted: bool, permanent: bool, host: str) -> None:
    # R-OUT-01: MX, A fallback, null MX
    async with Sink() as sink, MiniDns(ZONE, servfail=["down.example"]) as server:
        resolver = DnsResolver(dns=config.Dns(servers=("127.0.0.1",), port=server.port))
        async with courier(resolver=resolver, port=sink.port) as out:
            delivery = await out.deliver(outgoing(f"a@{domain}"))
    assert (delivery.accepted, delivery.permanent, delivery.host) == (accepted, permanent, host)
    assert delivery.phase == ("end_of_data" if accepted else "dns")
