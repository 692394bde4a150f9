"""The origin of a report: names of customers' lines, servers that pass on mail, and the mark of the host that took it."""

import pytest

from relay.core.bounce import read
from relay.core.bounce.origin import is_line, mark, organization, own_address
from relay.core.model.message import Peer, Port
from tests.support.reports import delivery_report

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("name", "ip"),
    [
        ("p4711-ipngn200303osakachuo.osaka.ocn.ne.jp", "203.0.113.9"),
        ("203-0-113-9.rev.provider.example", "203.0.113.9"),
        ("9.113.0.203.provider.example", "203.0.113.9"),
        ("host203.000.113.009.provider.example", "203.0.113.9"),
        ("dsl-a.provider.example", "203.0.113.9"),
        ("vps17.provider.example", "203.0.113.9"),
        ("static.clients.provider.example", "2001:db8::1"),
    ],
)
def test_the_line_of_a_customer_is_no_host_of_the_provider(name: str, ip: str) -> None:
    assert is_line(name, ip)


@pytest.mark.parametrize(
    ("name", "ip"),
    [
        ("mail-oa1-f41.google.com", "209.85.160.41"),
        ("a8-29.smtp-out.amazonses.com", "54.240.8.29"),
        ("mfsmax.docomo.ne.jp", "203.138.181.112"),
        ("mx1.hc1234-56.iphmx.com", "68.232.1.2"),
        ("mx.dyn.example", "203.0.113.9"),
        ("mail-ipv6.provider.example", "2001:db8::1"),
    ],
)
def test_mail_hosts_of_providers_are_none(name: str, ip: str) -> None:
    assert not is_line(name, ip)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("aspmx.l.google.com.", "google.com"),
        ("MX.Shop.CO.JP", "shop.co.jp"),
        ("ec2-203-0-113-9.compute-1.amazonaws.com", ""),
        ("co.jp", ""),
        ("192.0.2.1", ""),
        ("[2001:db8::1]", ""),
        ("", ""),
    ],
)
def test_the_organization_stands_below_the_public_suffix(name: str, found: str) -> None:
    assert organization(name) == found


def test_a_mark_shows_no_host_and_differs_by_item() -> None:
    first, second = (mark(KEY, item, "192.0.2.1", "mx.shop.example") for item in ("one", "two"))
    assert first != second
    assert set(first.split(".")).isdisjoint(second.split("."))
    assert mark(KEY, "one", "::ffff:192.0.2.1", "other.shop.example") == first
    assert "192" not in first
    assert "shop" not in first
    assert mark(KEY, "one", "", "localhost") == "."


BY = b"Received: by mx.company.example (Postfix)\r\n\tid 1; Mon, 23 Nov 2026 10:00:00 +0900\r\n"
FROM = b"Received:\r\n\tfrom evil.example (x [192.0.2.6])\r\n\tby mx.company.example\r\n"


@pytest.mark.parametrize(
    ("content", "client_ip", "is_front", "own"),
    [
        (BY + b"\r\n", "9.9.9.9", True, True),
        (BY + FROM + b"\r\n", "9.9.9.9", True, True),
        (b"\r\n" + FROM, "9.9.9.9", True, True),
        (FROM + b"\r\n", "9.9.9.9", True, False),
        (FROM + BY + b"\r\n", "9.9.9.9", True, False),
        (FROM.upper() + b"\r\n", "9.9.9.9", True, False),
        (FROM + b"\r\n", "9.9.9.9", False, True),
        (FROM + b"\r\n", "10.0.0.9", False, False),
        (BY + b"\r\n", "10.0.0.9", False, True),
    ],
)
def test_a_server_of_ours_speaks_for_itself_only_if_it_wrote_the_mail(
    content: bytes, client_ip: str, is_front: bool, own: bool
) -> None:
    peer = Peer(port=Port.MX, client_ip=client_ip, helo="h", tls=False)
    assert bool(own_address(peer, is_front=is_front, content=content)) is own


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822", "message/global-headers"])
def test_the_header_of_the_returned_message_is_read(kind: str) -> None:
    report = delivery_report("b.x@market.example", returned="Message-ID: <mine@market.example>\r\n\r\nbody\r\n")
    bounce = read(report.replace(b"text/rfc822-headers", kind.encode()))
    assert bounce is not None
    assert "mine@market.example" in bounce.returned
