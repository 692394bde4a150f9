"""SPF: the whole public suite, a second evaluator as oracle, and what hostile records and names can do."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import spf as pyspf
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.spf import Result, SpfSyntaxError, read
from relay.edge.authenticate import spf
from tests.support.dns import TableResolver
from tests.support.suites import suite


def zone(data: dict[str, list[Any]]) -> TableResolver:
    """Returns a zone of the suite.

    SPF entries are used as TXT for a name without TXT of its own. TIMEOUT makes the queries for missing records fail.
    """
    table: dict[str, dict[str, list[Any]]] = {}
    down: set[Any] = set()
    aliases: dict[str, str] = {}
    for owner, entries in data.items():
        name = owner.lower()
        found: dict[str, list[Any]] = defaultdict(list)
        silent = False
        for entry in entries:
            if entry == "TIMEOUT":
                silent = True
                continue
            ((kind, value),) = entry.items()
            found[kind].append(value)
        if "CNAME" in found:
            aliases[name] = found["CNAME"][0].lower().rstrip(".")
        texts = found.get("TXT", found.get("SPF", []))
        table[name] = {"TXT": [_octets(text) for text in texts if text != "NONE"]}
        table[name] |= {
            kind: [str(address) for address in found[kind]] for kind in ("A", "AAAA", "PTR") if kind in found
        }
        if "MX" in found:
            table[name]["MX"] = [host for _, host in sorted(found["MX"]) if host]
        if "TXT" not in found and "SPF" not in found and silent:
            down.add(name)
        elif silent and "TXT" in found and "NONE" in found["TXT"]:
            down.add((name, "TXT"))
    for alias in aliases:
        target = alias
        for _ in range(10):
            target = aliases.get(target, target)
        table[alias] = table.get(target, {})
    return TableResolver(table, down)


def _octets(text: str | list[str]) -> bytes:
    return "".join(text).encode("latin-1") if isinstance(text, list) else text.encode("latin-1")


async def judge(names: TableResolver, **who: str) -> Result:
    given_: dict[str, str] = {"client_ip": "192.0.2.1", "helo": "mx.shop.example", "mail_from": "me@shop.example"}
    return (await spf.check(names, **(given_ | who)))[1]


def test_every_case_of_the_suite_gives_an_allowed_result() -> None:  # R-IN-08
    wrong, count = [], 0
    for document in suite("spf/rfc7208-tests.yml"):
        for name, case in document["tests"].items():
            count += 1
            allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
            names = zone(document["zonedata"])
            who = {"client_ip": str(case["host"]), "helo": case["helo"], "mail_from": case["mailfrom"]}
            result = asyncio.run(judge(names, **who))
            if str(result) not in allowed:
                wrong.append((name, allowed, str(result), case.get("description")))
    assert wrong == []
    assert count == 203


# ---------------------------------------------------------------- a second evaluator

ZONE: dict[str, dict[str, list[Any]]] = {
    "shop.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["mx.shop.example", "mx2.shop.example"]},
    "mx.shop.example": {"A": ["192.0.2.9"], "AAAA": ["2001:db8::9"]},
    "mx2.shop.example": {"A": ["198.51.100.9"], "AAAA": ["2001:db8:2::9"]},
    "other.example": {"A": ["198.51.100.1"], "TXT": [b"v=spf1 a -all"]},
    "soft.example": {"TXT": [b"v=spf1 ?ip4:192.0.2.9 ~all"]},
    "broken.example": {"TXT": [b"v=spf1 nonsense"]},
    "twice.example": {"TXT": [b"v=spf1 -all", b"v=spf1 -all"]},
    "1.2.0.192.ex.example": {"A": ["127.0.0.2"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["shop.example", "liar.example"]},
    "liar.example": {"A": ["192.0.2.200"]},
}
TERMS = [
    "a", "mx", "ptr", "all", "a:other.example", "a:shop.example/24", "a//64", "mx/28//120", "mx:other.example",
    "ip4:192.0.2.0/24", "ip4:198.51.100.1", "ip6:2001:db8::/32", "ip4:300.1.1.1", "ip6:192.0.2.1", "all:x", "a/33",
    "include:other.example", "include:soft.example", "include:broken.example", "include:nowhere.example",
    "include:twice.example", "exists:%{ir}.ex.example", "exists:%{l}.%{d2}.example", "ptr:liar.example", "exists:%{x}",
    "redirect=other.example", "redirect=soft.example", "redirect=nowhere.example", "exp=why.example", "exp=", "foo=bar",
    "nonsense", "a:", "mx:shop", "a:%{h}", "A", "IP4:192.0.2.1", "-", "",
]  # fmt: skip
CLIENTS = ["192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::1", "2001:db8:ffff::1"]
_records = st.lists(
    st.tuples(st.sampled_from(["", "+", "-", "~", "?"]), st.sampled_from(TERMS)),
    max_size=5,
    unique_by=lambda one: one[1],
)


def _other_opinion(table: dict[str, dict[str, list[Any]]], client: str, monkeypatch: pytest.MonkeyPatch) -> str:
    def lookup(name: str, kind: str, *_: object, **__: object) -> list[Any]:
        found = table.get(str(name).lower().rstrip("."), {}).get(kind, [])
        shapes: dict[str, Callable[[Any], Any]] = {"TXT": lambda text: (text,), "MX": lambda host: (10, host)}
        shaped = shapes.get(kind, lambda one: one)
        return [((name, kind), shaped(one)) for one in found]

    monkeypatch.setattr(pyspf, "DNSLookup", lookup)
    return str(pyspf.check2(client, "me@shop.example", "mx.shop.example")[0])


@pytest.mark.parametrize("examples", [200, pytest.param(5_000, marks=[pytest.mark.more, pytest.mark.timeout(600)])])
def test_pyspf_is_of_the_same_opinion(examples: int) -> None:  # R-IN-08
    settings(max_examples=examples, deadline=None)(_compare_with_pyspf)()


@given(record=_records, client=st.sampled_from(CLIENTS))
def _compare_with_pyspf(record: list[tuple[str, str]], client: str) -> None:
    terms = [term if "=" in term else qualifier + term for qualifier, term in record]
    table = ZONE | {"shop.example": ZONE["shop.example"] | {"TXT": [" ".join(["v=spf1", *terms]).encode()]}}
    ours = asyncio.run(judge(TableResolver(table), client_ip=client))
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert str(ours) == _other_opinion(table, client, monkeypatch)


# ---------------------------------------------------------------- hostile records and names


@settings(max_examples=300)
@given(st.binary(max_size=300) | st.text("%{}slodiphcrtv0123456789.+-,/_=:~?* ", max_size=120).map(str.encode))
def test_a_hostile_record_is_read_or_refused(text: bytes) -> None:
    record = b"v=spf1 " + text
    with contextlib.suppress(SpfSyntaxError):
        assert read(record).mechanisms is not None
    table: dict[str, dict[str, list[Any]]] = {"shop.example": {"TXT": [record, b"other"]}}
    assert asyncio.run(judge(TableResolver(table))) in set(Result)


@given(st.text(max_size=80), st.text(max_size=80))
def test_hostile_names_have_a_result(mail_from: str, helo: str) -> None:
    table: dict[str, dict[str, list[Any]]] = {
        "shop.example": {"TXT": [b"v=spf1 exists:%{s}.%{h}.%{l}.%{o}.example -all"]}
    }
    assert asyncio.run(judge(TableResolver(table), mail_from=mail_from, helo=helo)) in set(Result)


@pytest.mark.parametrize(
    "text",
    [b"a " * 20_000, b"a:" + b"%{i}" * 8_000 + b".example", b"exists:" + b"x." * 20_000, b"x=" + b"%" * 40_000, b"a" + b"/1" * 20_000],
)  # fmt: skip
async def test_a_record_made_to_be_slow_is_not(text: bytes) -> None:
    names = TableResolver({"shop.example": {"TXT": [b"v=spf1 " + text], "A": ["198.51.100.1"]}})
    assert await judge(names) in {Result.PERMERROR, Result.NEUTRAL}
    assert len(names.asked) < 15


async def test_a_record_costs_a_bounded_number_of_queries() -> None:  # RFC 7208 §4.6.4
    table = {
        f"{n}.example": {"TXT": [b"v=spf1 " + f"include:{n + 1}.example ".encode() * 9 + b"-all"]} for n in range(30)
    }
    names = TableResolver({"shop.example": {"TXT": [b"v=spf1 include:0.example -all"]}} | table)
    assert await judge(names) is Result.PERMERROR
    assert len(names.asked) <= 12


@pytest.mark.parametrize("record_type", ["TXT", "A", "MX"])
async def test_no_answer_is_temporary(record_type: str) -> None:  # R-IN-08
    table: dict[str, dict[str, list[Any]]] = {"shop.example": {"TXT": [b"v=spf1 a mx -all"], "MX": ["mx.shop.example"]}}
    assert await judge(TableResolver(table, down=[("shop.example", record_type)])) is Result.TEMPERROR


async def test_the_null_sender_is_asked_for_by_its_greeting() -> None:  # RFC 7208 §2.4
    names = TableResolver({"mx.shop.example": {"TXT": [b"v=spf1 ip4:192.0.2.1 -all"]}})
    assert await spf.check(names, client_ip="192.0.2.1", helo="MX.Shop.example", mail_from="") == (
        "mx.shop.example",
        Result.PASS,
    )


async def test_an_international_domain_is_asked_for_by_its_a_labels() -> None:  # RFC 8616 §4
    names = TableResolver({"xn--xckya1d0c.example": {"TXT": [b"v=spf1 exists:%{l}.ok.example ip4:192.0.2.1 -all"]}})
    domain, result = await spf.check(names, client_ip="192.0.2.1", helo="x", mail_from="店@ショップ.example")
    assert (domain, result) == ("xn--xckya1d0c.example", Result.PASS)
