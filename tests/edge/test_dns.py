"""The resolver against a name server over loopback."""

from typing import Any

import dns.resolver
import pytest

from relay import config
from relay.edge.dns import DnsResolver
from relay.ports import MxHost, ResolveError
from tests.support.dns import MiniDns

ZONE = """
shop.example. 60 IN MX 20 Mx2.shop.example.
shop.example. 60 IN MX 10 mx1.shop.example.
many.example. 60 IN MX 10 a.example.
many.example. 60 IN MX 10 b.example.
many.example. 60 IN MX 10 c.example.
null.example. 60 IN MX 0 .
plain.example. 60 IN A 192.0.2.1
both.example. 60 IN A 192.0.2.1
both.example. 60 IN A 192.0.2.2
both.example. 60 IN AAAA 2001:db8::1
alias.example. 60 IN CNAME both.example.
text.example. 60 IN TXT "v=spf1 " "-all"
text.example. 60 IN TXT "other"
"""


def resolver(server: MiniDns, **settings: Any) -> DnsResolver:
    section = config.Dns(**{"servers": ["127.0.0.1"], "port": server.port, "timeout_s": 2, **settings})
    return DnsResolver(dns=section)


async def test_mx_hosts_come_by_preference() -> None:
    # R-OUT-01
    async with MiniDns(ZONE) as server:
        hosts = await resolver(server).mx("shop.example")
    assert hosts == [MxHost(10, "mx1.shop.example"), MxHost(20, "mx2.shop.example")]


async def test_equal_preferences_come_in_every_order() -> None:
    # R-OUT-01: RFC 5321 §5.1
    async with MiniDns(ZONE) as server:
        names = resolver(server)
        orders = {tuple(host.name for host in await names.mx("many.example")) for _ in range(300)}
    assert len(orders) == 6


async def test_without_mx_the_domain_itself_takes_the_mail() -> None:
    # R-OUT-01
    async with MiniDns(ZONE) as server:
        assert await resolver(server).mx("plain.example") == (MxHost(0, "plain.example", ("192.0.2.1",)),)


@pytest.mark.parametrize("domain", ["null.example", "nowhere.example", "text.example", "a" * 70 + ".example"])
async def test_a_domain_that_takes_no_mail_is_a_permanent_failure(domain: str) -> None:
    # R-OUT-01: RFC 7505, RFC 5321 §5.1
    async with MiniDns(ZONE) as server:
        with pytest.raises(ResolveError) as error:
            await resolver(server).mx(domain)
    assert error.value.permanent


@pytest.mark.parametrize("fault", ["servfail", "silent"])
async def test_a_server_in_trouble_is_a_temporary_failure_and_not_remembered(fault: str) -> None:
    # R-OUT-01
    async with MiniDns(ZONE, **{fault: ["shop.example"]}) as server:
        names = resolver(server, timeout_s=0.5)
        with pytest.raises(ResolveError) as error:
            await names.mx("shop.example")
        assert not error.value.permanent
        getattr(server, fault).clear()
        assert len(await names.mx("shop.example")) == 2


async def test_nobody_at_the_servers_address_is_a_temporary_failure() -> None:
    async with MiniDns() as server:
        pass
    with pytest.raises(ResolveError) as error:
        await resolver(server, timeout_s=0.5).mx("shop.example")
    assert not error.value.permanent


async def test_addresses_of_both_families_also_behind_an_alias() -> None:
    async with MiniDns(ZONE) as server:
        names = resolver(server)
        assert sorted(await names.addresses("both.example")) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert sorted(await names.addresses("alias.example")) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]


async def test_a_long_answer_is_asked_for_again_over_tcp() -> None:
    async with MiniDns(ZONE, truncated=["shop.example"]) as server:
        assert len(await resolver(server).mx("shop.example")) == 2
    assert [protocol for _, _, protocol in server.queries] == ["udp", "tcp"]


async def test_txt_strings_are_joined_and_absence_is_an_answer() -> None:
    async with MiniDns(ZONE, servfail=["down.example"]) as server:
        names = resolver(server)
        assert sorted(await names.txt("text.example")) == [b"other", b"v=spf1 -all"]
        assert await names.txt("plain.example") == []
        assert await names.txt("nowhere.example") == []
        with pytest.raises(ResolveError):
            await names.txt("down.example")


async def test_answers_are_kept_as_long_as_their_ttl_the_empty_ones_too() -> None:
    now_s = 1_000.0
    async with MiniDns(ZONE) as server:
        names = DnsResolver(dns=config.Dns(servers=("127.0.0.1",), port=server.port), monotonic_s=lambda: now_s)
        for _ in range(3):
            await names.mx("SHOP.example.")
            assert await names.txt("nowhere.example") == []
        assert len(server.queries) == 2
        now_s += 6  # the zone's SOA says 5 s for what is not there
        await names.mx("shop.example")
        await names.txt("nowhere.example")
        assert len(server.queries) == 3
        now_s += 60
        await names.mx("shop.example")
        assert len(server.queries) == 4


async def test_the_cache_is_bounded() -> None:
    async with MiniDns(ZONE) as server:
        names = resolver(server, cache_entries=2)
        for domain in ("shop.example", "many.example", "null.example", "shop.example"):
            try:
                await names.mx(domain)
            except ResolveError:
                assert domain == "null.example"
        assert len(server.queries) == 4
        assert len(names._cache) == 2


async def test_a_machine_without_resolver_configuration_still_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: dns.resolver.Resolver) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", lambda self, f: missing(self))
    with pytest.raises(ResolveError) as error:
        await DnsResolver(dns=config.Dns()).mx("shop.example")
    assert not error.value.permanent


async def test_single_records_come_as_text_and_absence_is_an_answer() -> None:
    # R-IN-08
    zone = ZONE + "1.2.0.192.in-addr.arpa. 60 IN PTR Mail.plain.example.\n"
    async with MiniDns(zone, servfail=["down.example"]) as server:
        names = resolver(server)
        assert sorted(await names.lookup("both.example", "A")) == ["192.0.2.1", "192.0.2.2"]
        assert await names.lookup("alias.example", "AAAA") == ["2001:db8::1"]
        assert await names.lookup("shop.example", "MX") == ["mx1.shop.example", "mx2.shop.example"]
        assert await names.lookup("null.example", "MX") == []
        assert await names.lookup("1.2.0.192.in-addr.arpa", "PTR") == ["mail.plain.example"]
        for nothing in ("plain.example", "nowhere.example", "a" * 70 + ".example", "a..b", "\x00.example"):
            assert list(await names.lookup(nothing, "AAAA")) == []
        with pytest.raises(ResolveError) as error:
            await names.lookup("down.example", "A")
        assert not error.value.permanent


async def test_a_big_answer_is_not_kept() -> None:
    # R-IN-08: what strangers publish does not fill the memory
    zone = "big.example. 60 IN TXT " + " ".join(f'"{"x" * 250}"' for _ in range(40)) + "\n"
    async with MiniDns(zone, truncated=["big.example"]) as server:
        names = resolver(server)
        for _ in range(2):
            assert len((await names.txt("big.example"))[0]) == 10_000
        assert not names._cache
