"""DKIM of mail that comes in: signatures of others and our own, what proves nothing, and hostile fields."""

import base64
import itertools
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core import dkim as own
from relay.edge.authenticate import dkim
from relay.edge.authenticate.fields import Message
from tests.support.dns import TableResolver
from tests.support.signing import MAIL, edwards_key, published, record, rsa_key, signed

FORMS = (b"simple", b"relaxed")


async def outcomes(mail: bytes, text: bytes | None = None, **names: Any) -> list[str]:
    table = published(("s", "shop.example", record(rsa_key()) if text is None else text))
    found = await dkim.verify(TableResolver(table, **names), Message(mail), datetime.now(UTC))
    assert all(one.method == "dkim" for one in found)
    return [one.outcome for one in found]


@pytest.mark.parametrize("canonicalize", list(itertools.product(FORMS, FORMS)), ids=str)
@pytest.mark.parametrize("mail", [MAIL, MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"], ids=["body", "no body"])
async def test_signatures_of_others_pass_in_every_form(
    mail: bytes, canonicalize: tuple[bytes, bytes]
) -> None:  # R-IN-08
    assert await outcomes(signed(mail, canonicalize=canonicalize)) == ["pass"]
    by_edwards = signed(mail, key=edwards_key(), algorithm="ed25519-sha256", canonicalize=canonicalize)
    assert await outcomes(by_edwards, record(edwards_key())) == ["pass"]


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
async def test_the_relays_own_signatures_pass(algorithm: Any) -> None:
    key = own.SigningKey.load(own.generate(algorithm), domain="shop.example", selector="s")
    header, body = MAIL.split(b"\r\n\r\n", 1)
    field = own.sign(header + b"\r\n", body, [key], datetime.now(UTC), 3_600)
    assert await outcomes(field + MAIL, own.public_record(key).encode()) == ["pass"]


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (b"Good  day", b"Good  dax"),
        (b"Bye", b"By e"),
        (b"me@shop", b"we@shop"),
        (b"About", b"about"),
        (b"From:", b"From: else@shop.example\r\nFrom:"),
    ],
)
async def test_what_was_changed_on_the_way_fails(what: bytes, by: bytes) -> None:  # R-IN-08
    assert await outcomes(signed().replace(what, by, 1)) == ["fail"]


async def test_what_canonical_forms_forgive_passes() -> None:
    assert await outcomes(
        signed().replace(b"Good  day \r\n", b"Good \t day\r\n").replace(b"Subject:  ", b"SUBJECT: ")
    ) == ["pass"]
    assert await outcomes(signed() + b"\r\n\r\n") == ["pass"]


@pytest.mark.parametrize(
    ("mail", "outcome"),
    [
        (signed(length=True), "policy"),
        (signed(algorithm="rsa-sha1"), "policy"),
        (signed().replace(b"from :", b"sender :").replace(b": from", b": sender"), "permerror"),
        (signed().replace(b"a=rsa-sha256", b"a=rsa-sha512"), "permerror"),
        (signed().replace(b"From: Shop", b"From : Shop"), "permerror"),
        (signed().replace(b"d=shop.example", b"d=-shop..example"), "permerror"),
        (b"DKIM-Signature: nonsense\r\n" + MAIL, "permerror"),
        (b"DKIM-Signature: v=1; v=1\r\n" + MAIL, "permerror"),
        (signed().replace(b"v=1;", b"v=1; x=1000000000;"), "permerror"),
        (signed().replace(b"v=1;", b"v=1;" + b" " * 70), "permerror"),
        (signed().replace(b"i=@shop.example", b"i=@else.example"), "permerror"),
    ],
    ids=[
        "l",
        "sha1",
        "no from",
        "algorithm",
        "odd from",
        "domain",
        "nonsense",
        "twice",
        "expired",
        "blanks",
        "identity",
    ],
)
async def test_a_signature_that_proves_nothing_says_why(mail: bytes, outcome: str) -> None:  # R-IN-08
    assert await outcomes(mail) == [outcome]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v=DKIM1; p=",
        b"v=DKIM2; p=AAAA",
        b"v=DKIM1; p=!",
        b"\xff\xfe",
        record(rsa_key(), h="sha1"),
        record(rsa_key(), s="tlsrpt"),
        record(rsa_key(), k="ed25519"),
        record(rsa_key(), k="dsa"),
        record(rsa_key(), n="x" * 3_000),
        record(edwards_key(), k="rsa"),
        record(edwards_key()),
    ],
    ids=[
        "empty",
        "revoked",
        "version",
        "base64",
        "octets",
        "sha1",
        "service",
        "rsa as ed25519",
        "dsa",
        "long",
        "ed25519 as rsa",
        "ed25519 as default",
    ],
)
async def test_a_key_that_does_not_fit_proves_nothing(text: bytes) -> None:  # R-IN-08
    assert await outcomes(signed(), text) == ["permerror"]


@pytest.mark.parametrize("tags", [{"h": "sha1:sha256"}, {"s": "email"}, {"s": "*"}, {"t": "y"}, {"t": "s"}])
async def test_a_key_that_limits_itself_to_this_use_fits(tags: dict[str, str]) -> None:
    assert await outcomes(signed(), record(rsa_key(), **tags)) == ["pass"]


async def test_a_strict_key_takes_identities_of_its_own_domain_alone() -> None:  # RFC 6376 §3.6.1
    below = signed(identity=b"@sub.shop.example")
    assert await outcomes(below) == ["pass"]
    assert await outcomes(below, record(rsa_key(), t="y:s")) == ["permerror"]


def _rsa_record(modulus: int, exponent: int) -> bytes:
    """RSAPublicKey (RFC 8017 §A.1.1) with any numbers."""

    def der(kind: int, octets: bytes) -> bytes:
        size = len(octets)
        length = (
            bytes([size])
            if size < 128
            else b"\x81" + bytes([size])
            if size < 256
            else b"\x82" + size.to_bytes(2, "big")
        )
        return bytes([kind]) + length + octets

    numbers = (number.to_bytes(number.bit_length() // 8 + 1, "big") for number in (modulus, exponent))
    sequence = der(0x30, b"".join(der(2, octets) for octets in numbers))
    return b"v=DKIM1; p=" + base64.b64encode(sequence)


async def test_keys_of_a_wrong_size_prove_nothing() -> None:  # R-IN-08, RFC 8301 §3.2
    numbers = rsa_key().public_key().public_numbers()
    assert await outcomes(signed(), _rsa_record(numbers.n, numbers.e)) == ["pass"]
    assert await outcomes(signed(), _rsa_record(numbers.n >> 8 | 1, numbers.e)) == ["permerror"]
    assert await outcomes(signed(), _rsa_record(numbers.n, numbers.n)) == ["permerror"]
    long = rsa_key(4_608)
    assert await outcomes(signed(key=long), record(long)) == ["permerror"]


async def test_no_answer_from_dns_is_temporary() -> None:  # R-IN-08
    assert await outcomes(signed(), down=["s._domainkey.shop.example"]) == ["temperror"]


async def test_only_so_many_signatures_are_looked_at() -> None:
    mail = signed()
    assert await outcomes(mail.partition(b"From:")[0] * 100 + MAIL) == ["pass"] * 8
    assert await outcomes(MAIL) == []


async def test_each_signature_is_for_itself() -> None:
    mail = signed(signed(), domain="list.example")
    found = await dkim.verify(
        TableResolver(published(("s", "shop.example", record(rsa_key())))), Message(mail), datetime.now(UTC)
    )
    assert [(one.domain, one.outcome) for one in found] == [("list.example", "permerror"), ("shop.example", "pass")]
    assert dkim.best_outcome(found) == "pass"
    assert dkim.best_outcome([]) == "none"


@pytest.mark.parametrize(
    "body", [b" " * 3_000_000, b"\r\n" * 1_500_000, b" \r\n" * 1_000_000, b"\t" * 2_000_000 + b"x"]
)
@pytest.mark.parametrize("form", FORMS)
async def test_a_body_made_to_be_slow_is_not(body: bytes, form: bytes) -> None:
    mail = signed(canonicalize=(b"relaxed", form))
    assert await outcomes(mail + body + b"\r\n") in (["fail"], ["pass"])


@pytest.mark.parametrize(
    "value", [b"b=" + b"\r\n " * 5_000, b"h=" + b"from:" * 3_000, b"v=1; " + b"\r\n x" * 3_000, b"b=" + b"A " * 8_000]
)
async def test_a_field_made_to_be_slow_is_not(value: bytes) -> None:
    tags = b"v=1; a=rsa-sha256; d=shop.example; s=s; h=from; bh=AAAA; b=AAAA"
    mail = (
        b"DKIM-Signature: "
        + tags
        + b"; x"
        + value
        + b"\r\n"
        + b"From: a@b.example\r\n"
        + b"To: x\r\n " * 60_000
        + b"\r\n"
    )
    assert (await outcomes(mail))[0] in {"permerror", "fail"}


_TAGS = re.findall(rb"([a-z]+)=([^;]*)", signed().partition(b"From:")[0].partition(b":")[2])


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from([tag for tag, _ in _TAGS] + [b"l", b"x", b"z"]), st.binary(max_size=40)),
    st.binary(max_size=200),
)
async def test_hostile_fields_and_keys_raise_nothing(tags: dict[bytes, bytes], text: bytes) -> None:
    field = b"; ".join(tag + b"=" + value for tag, value in (dict(_TAGS) | tags).items())
    mail = b"DKIM-Signature: " + field.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" + MAIL
    for key in (text, None):
        assert set(await outcomes(mail, key)) <= {"pass", "fail", "policy", "permerror"}
