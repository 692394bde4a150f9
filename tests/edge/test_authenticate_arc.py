"""ARC: golden chains of our own, the whole public validation suite, and what a chain must not be believed for.

The golden chains lie in tests/golden/arc; `python -m tests.support.arc_chains` makes them anew.
"""

import asyncio
import re
import tomllib
from datetime import UTC, datetime
from typing import Any

import dkim
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.edge.authenticate import arc, results
from relay.edge.authenticate.fields import Message
from tests.support import arc_chains
from tests.support.dns import TableResolver
from tests.support.signing import MAIL, published, record, rsa_key, sealed
from tests.support.suites import suite


def names(records: dict[str, str]) -> TableResolver:
    return TableResolver({name.lower(): {"TXT": [text.encode()]} for name, text in (records or {}).items()})


def content(text: str) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", text.encode())


# ---------------------------------------------------------------- golden chains

CASES = sorted(path.stem for path in arc_chains.FOLDER.glob("*.eml"))
ZONE = tomllib.loads((arc_chains.FOLDER / "zone.toml").read_text("utf-8"))
SILENT = "silent._domainkey.list.example"


def golden(case: str) -> tuple[bytes, dict[str, Any]]:
    """Returns the mail of a golden case with CRLF, and its `why`, `outcome`, `seals` and, where it differs, `alone`."""
    mail = (arc_chains.FOLDER / f"{case}.eml").read_bytes().replace(b"\n", b"\r\n")
    return mail, tomllib.loads((arc_chains.FOLDER / f"{case}.toml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES)
async def test_a_golden_chain_is_judged_as_written_down(case: str) -> None:  # R-IN-08, R-IN-09
    mail, expected = golden(case)
    resolver = TableResolver({name: {"TXT": [text.encode()]} for name, text in ZONE.items()}, down=[SILENT])
    chain = await arc.verify(resolver, Message(mail), datetime.now(UTC))
    assert (chain.outcome, [seal.domain for seal in chain.seals]) == (expected["outcome"], expected["seals"]), expected[
        "why"
    ]


@pytest.mark.parametrize("case", CASES)
def test_dkimpy_alone_judges_a_golden_chain_alike_or_as_noted(case: str) -> None:  # R-IN-08
    mail, expected = golden(case)
    outcome, _, _ = dkim.arc_verify(
        mail, dnsfunc=lambda name, timeout=5: ZONE.get(name.decode().rstrip("."), "").encode()
    )
    assert (outcome or b"fail").decode() == expected.get("alone", expected["outcome"])


def test_the_golden_chains_are_those_that_their_generator_makes() -> None:
    lying = {path.name: path.read_bytes() for path in arc_chains.FOLDER.glob("*.*")}
    made = arc_chains.files()
    assert lying.keys() == made.keys()
    assert [name for name in made if made[name] != lying[name]] == []


# ---------------------------------------------------------------- the public suite


def test_every_case_of_the_validation_suite_gives_its_status() -> None:  # R-IN-08
    wrong, count = [], 0
    for document in suite("arc/arc-draft-validation-tests.yml"):
        for name, case in document["tests"].items():
            count += 1
            records = names(document["txt-records"])
            chain = asyncio.run(arc.verify(records, Message(content(case["message"])), datetime.now(UTC)))
            # An empty status stands for a chain that its newest seal has ended: nothing passes any more.
            if chain.outcome != (case["cv"] or "Fail").lower():
                wrong.append((name, case["cv"], chain.outcome))
    assert wrong == []
    assert count == 171


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]),
    st.binary(max_size=60),
    st.booleans(),
)
async def test_hostile_sets_raise_nothing(name: bytes, value: bytes, again: bool) -> None:  # R-IN-08
    mail = sealed(MAIL, domain="list.example", results="dmarc=pass")
    hostile = name + b": i=1; " + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    mail = hostile + mail if again else re.sub(name + rb": .*\r\n(?:[ \t].*\r\n)*", lambda _: hostile, mail)
    published_keys = TableResolver(published(("s", "list.example", record(rsa_key()))))
    assert (await arc.verify(published_keys, Message(mail), datetime.now(UTC))).outcome in {"pass", "fail"}


@pytest.mark.parametrize("sets", [51, 400])
async def test_a_chain_of_more_sets_than_the_rfc_grants_fails(sets: int) -> None:  # RFC 8617 §5.1.1.1
    resolver = TableResolver({})
    chain = await arc.verify(
        resolver, Message(b"ARC-Seal: i=1; d=a.example; s=s\r\n" * 3 * sets + MAIL), datetime.now(UTC)
    )
    assert (chain.outcome, resolver.asked) == ("fail", [])


def chain_of(domains: list[str]) -> bytes:
    mail = MAIL
    for domain in domains:
        mail = sealed(mail, domain=domain, results="dmarc=pass")
    return mail


@pytest.mark.parametrize(("sealers", "outcome", "asked"), [(12, "pass", 12), (13, "fail", 0)])
async def test_a_chain_makes_us_ask_for_a_dozen_keys_at_most(sealers: int, outcome: str, asked: int) -> None:
    # R-IN-08
    domains = [f"list{number}.example" for number in range(sealers)]
    resolver = TableResolver(published(*(("s", domain, record(rsa_key())) for domain in domains)))
    chain = await arc.verify(resolver, Message(chain_of(domains)), datetime.now(UTC))
    assert (chain.outcome, len(resolver.asked), len(chain.seals)) == (outcome, asked, asked)


async def test_the_keys_of_older_signatures_are_not_asked_for() -> None:  # R-IN-08, RFC 8617 §5.2
    mail = chain_of(["list.example"] * 3)
    mail = re.sub(rb"(ARC-Message-Signature: i=(\d);[^:]*? s=)s;", rb"\g<1>s\g<2>;", mail)
    resolver = TableResolver({})
    assert (await arc.verify(resolver, Message(mail), datetime.now(UTC))).outcome == "fail"
    assert {name for name, _ in resolver.asked} == {"s._domainkey.list.example", "s3._domainkey.list.example"}


@settings(max_examples=200, deadline=None)
@given(st.text('mx.example; spf=pas dkimrc/1()"\\<>@,:\t', max_size=120))
@example("mx; " + "(" * 4_000)
@example("mx; spf=pass " + "(a) " * 2_000)
@example("mx; spf=pass" + " \t" * 4_000 + "x")
@example('mx; spf=pass smtp.mailfrom="' + "\\a" * 4_000)
@example("mx; " + "spf=pass; " * 800)
def test_hostile_results_raise_nothing(text: str) -> None:
    results.read(text)
    results.sealed(f"i=1; {text}")
