"""SPF: the whole public suite, a second evaluator as oracle, and what hostile records and names can do."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
import spf as pyspf
from hypothesis import given
from hypothesis import strategies as st

from relay.core.spf import Result, SpfSyntaxError, read
from relay.edge.authenticate import spf
from tests.support.dns import Names
from tests.support.suites import suite


def zone(data: dict[str, list[Any]]) -> Names:
    """A zone of the suite: SPF entries stand for TXT where a name has no TXT of its own; TIMEOUT is for what it has
    not got."""
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
    return Names(table, down)


def _octets(text: str | list[str]) -> bytes:
    return "".join(text).encode("latin-1") if isinstance(text, list) else text.encode("latin-1")


async def judge(names: Names, **who: str) -> Result:
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
