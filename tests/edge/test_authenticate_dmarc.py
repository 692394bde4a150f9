"""DMARC: where records are looked for, which domains belong together, what a record must be (RFC 9989)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import dmarc as core
from relay.core.dmarc import DmarcRecord
from relay.edge.authenticate import dmarc
from relay.ports import ResolveError
from tests.support.dns import TableResolver


def names(records: dict[str, str], **more: Any) -> TableResolver:
    return TableResolver({f"_dmarc.{domain}": {"TXT": [text.encode()]} for domain, text in records.items()}, **more)


# §4.10: the RFC's own example of a long name, and short ones.
@pytest.mark.parametrize(
    ("domain", "asked"),
    [
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ],
        ),
        ("a.mail.example.com", ["a.mail.example.com", "mail.example.com", "example.com", "com"]),
        ("example", ["example"]),
    ],
)
async def test_a_walk_asks_these_names(domain: str, asked: list[str]) -> None:  # R-IN-08
    resolver = names({})
    await dmarc.discover(resolver, domain)
    assert resolver.asked == [(f"_dmarc.{name}", "TXT") for name in asked]


@pytest.mark.parametrize(
    ("domain", "records", "organization", "policy_of"),
    [
        # Appendix B: one record for all, at the organization's domain.
        ("example.com", {"example.com": "p=none"}, "example.com", "example.com"),
        ("mail.example.com", {"example.com": "p=none"}, "example.com", "example.com"),
        ("mail.example.com", {"example.com": "p=none", "mail.example.com": "p=reject"}, "example.com", "mail.example.com"),
        # A part of an organization that stands for itself, and the domains below it.
        ("a.b.example.com", {"example.com": "p=none", "b.example.com": "p=none; psd=n"}, "b.example.com", "b.example.com"),
        # A public suffix: what is below it are organizations, whether they publish or not.
        ("giant.bank.example", {"bank.example": "p=reject; psd=y"}, "giant.bank.example", "bank.example"),
        ("mail.giant.bank.example", {"bank.example": "p=reject; psd=y"}, "giant.bank.example", "bank.example"),
        (
            "mail.mega.bank.example",
            {"bank.example": "p=reject; psd=y", "mega.bank.example": "p=none"},
            "mega.bank.example",
            "mega.bank.example",
        ),
        # The suffix's own mail.
        ("bank.example", {"bank.example": "p=reject; psd=y"}, "bank.example", "bank.example"),
        # Records between the author's domain and the organization's do not count.
        ("a.b.c.example.com", {"b.c.example.com": "p=none", "example.com": "p=none"}, "example.com", "example.com"),
        # Nothing published: the public suffix list (RFC 7489 §3.2).
        ("mail.example.co.jp", {}, "example.co.jp", None),
        ("co.jp", {}, "co.jp", None),
        ("a.my-shop.example", {}, "my-shop.example", None),
        ("user.github.io", {}, "user.github.io", None),
    ],
)  # fmt: skip
async def test_organization_and_record_of_a_domain(
    domain: str, records: dict[str, str], organization: str, policy_of: str | None
) -> None:  # R-IN-08
    found = await dmarc.discover(names({name: f"v=DMARC1; {tags}" for name, tags in records.items()}), domain)
    assert found.organization == organization
    assert found.policy == (found.records[policy_of] if policy_of else None)


@pytest.mark.parametrize("flag", ["y", "n"])
async def test_a_walk_ends_at_a_public_suffix_and_at_a_declared_organization(flag: str) -> None:
    resolver = names({"b.example.com": f"v=DMARC1; p=none; psd={flag}"})
    await dmarc.discover(resolver, "a.b.example.com")
    assert [name for name, _ in resolver.asked] == ["_dmarc.a.b.example.com", "_dmarc.b.example.com"]


@pytest.mark.parametrize(
    ("texts", "record"),
    [
        (["v=DMARC1; p=none"], DmarcRecord()),
        (["v=DMARC1;p=reject;"], DmarcRecord()),
        (["v=DMARC1; p=none; adkim=s; aspf=s"], DmarcRecord(strict=frozenset({"spf", "dkim"}))),
        (["v=DMARC1; p=none; aspf=S; adkim=r"], DmarcRecord(strict=frozenset({"spf"}))),
        (["v=DMARC1; p=quarantine; sp=none; np=reject; t=y; pct=20; fo=1; unknown=x"], DmarcRecord()),
        (["v=DMARC1; p=Reject; psd=N"], DmarcRecord(psd="n")),
        (["v=DMARC1; p=none; psd=maybe"], DmarcRecord()),
        (["v=DMARC1; p=nonsense; rua=mailto:dmarc@example.com"], DmarcRecord()),
        (["v=DMARC1; rua=mailto:dmarc@example.com"], DmarcRecord()),
        (["other text", "v=DMARC1; p=none", "v=spf1 -all"], DmarcRecord()),
        (["v=DMARC1"], None),
        (["v=DMARC1; p=nonsense"], None),
        (["v=DMARC1; p=none; sp=nonsense"], None),
        (["v=DMARC1; p=none; np=nonsense"], None),
        (["v=DMARC1; p=none; p=none"], None),
        (["v=DMARC1; p"], None),
        (["v=dmarc1; p=none"], None),
        (["v=DMARC2; p=none"], None),
        (["p=none; v=DMARC1"], None),
        (["v=DMARC1; p=none", "v=DMARC1; p=none"], None),
        (["v=DMARC1; p=none; x=\xe9"], None),
        ([], None),
    ],
)
def test_what_is_a_record(texts: list[str], record: DmarcRecord | None) -> None:  # R-IN-08, §4.7, §4.10
    assert core.read([text.encode() for text in texts]) == record


@given(st.lists(st.binary(max_size=60).map(lambda tail: b"v=DMARC1;" + tail), max_size=2))
def test_hostile_records_raise_nothing(texts: list[bytes]) -> None:
    assert core.read(texts) is None or len(texts) == 1


@pytest.mark.parametrize(
    ("method", "domain", "records", "aligned"),
    [
        ("dkim", "example.com", {}, True),
        ("dkim", "mail.example.com", {}, True),
        ("dkim", "mail.example.com", {"example.com": "v=DMARC1; p=none"}, True),
        ("dkim", "mail.example.com", {"example.com": "v=DMARC1; p=none; adkim=s"}, False),
        ("spf", "mail.example.com", {"example.com": "v=DMARC1; p=none; adkim=s"}, True),
        ("spf", "mail.example.com", {"example.com": "v=DMARC1; p=none; aspf=s"}, False),
        ("spf", "example.com", {"example.com": "v=DMARC1; p=none; aspf=s"}, True),
        ("spf", "else.com", {"example.com": "v=DMARC1; p=none"}, False),
        ("spf", "evilexample.com", {}, False),
        ("spf", "com", {}, False),
        ("spf", "example.net", {}, False),
        ("dkim", "part.example.com", {"example.com": "v=DMARC1; p=none", "part.example.com": "v=DMARC1; p=none; psd=n"}, False),
    ],
)  # fmt: skip
async def test_which_domains_stand_for_the_authors(
    method: core.Method, domain: str, records: dict[str, str], *, aligned: bool
) -> None:  # R-IN-09
    resolver = names(records)
    author = await dmarc.discover(resolver, "example.com")
    assert await dmarc.aligned(resolver, author, method, domain) is aligned


async def test_domains_below_one_public_suffix_are_strangers() -> None:  # R-IN-09
    """By the list where nobody publishes anything, by `psd=y` where it is published."""
    for records in ({}, {"bank.example": "v=DMARC1; p=none; psd=y"}):
        author_domain, other = ("a.co.jp", "b.co.jp") if not records else ("giant.bank.example", "mega.bank.example")
        resolver = names(records)
        author = await dmarc.discover(resolver, author_domain)
        assert not await dmarc.aligned(resolver, author, "spf", other)


async def test_no_answer_is_not_no_record() -> None:  # R-IN-08
    with pytest.raises(ResolveError):
        await dmarc.discover(names({}, down=["_dmarc.example.com"]), "mail.example.com")
