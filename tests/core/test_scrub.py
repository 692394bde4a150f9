"""What is scrubbed, what is left, and what the record says of it."""

import base64
import dataclasses

import pytest

from tests.support.scrubbing import (
    BUYER,
    BUYER_ALIAS,
    CLIENT_IP,
    HELO,
    PLAN,
    SELLER,
    SELLER_ALIAS,
    readings,
    rewritten,
    scrubbed,
    scrubbed_text,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"<{BUYER}>", f"<{BUYER_ALIAS}>"),
        (f"mailto:{BUYER}?subject=x", f"mailto:{BUYER_ALIAS}?subject=x"),
        (f"to={BUYER}&x=1", f"to={BUYER_ALIAS}&x=1"),
        (f"write to {BUYER}. Thanks", f"write to {BUYER_ALIAS}. Thanks"),
        (f"write to {BUYER}.Thanks", f"write to {BUYER_ALIAS}.Thanks"),
        (f"so...{BUYER}...", f"so...{BUYER_ALIAS}..."),
        (f"-{BUYER}-", f"-{BUYER_ALIAS}-"),
        (f"_{BUYER}_", f"_{BUYER_ALIAS}_"),
        (f"連絡先は{BUYER}です", f"連絡先は{BUYER_ALIAS}です"),
        (f"{BUYER}、{SELLER}。", f"{BUYER_ALIAS}、{SELLER_ALIAS}。"),
        ("Alice.Buyer@EXAMPLE.net", BUYER_ALIAS),
        ("alice.buyer+shop@example.net", BUYER_ALIAS),
        ('"alice.buyer"@example.net', BUYER_ALIAS),
        (f'"{BUYER}"', f'"{BUYER_ALIAS}"'),
        (f"see {BUYER}.pdf", f"see {BUYER_ALIAS}.pdf"),
        ("alice.buyer%40example.net", BUYER_ALIAS),
    ],
)
def test_a_known_address_becomes_that_partys_alias(before: str, after: str) -> None:  # R-REW-04
    assert scrubbed_text(before) == after


@pytest.mark.parametrize(
    "other",
    [
        f"x{BUYER}",
        f"x+{BUYER}",
        f"{BUYER}.au",
        f"{BUYER}work",
        f"{BUYER}-work.example",
        "alice.buyer@mail.example.net",
        "alice@example.net",
        "buyer@example.net",
        "alice.buyer@example",
        "alice.buyer @ example.net",
        "@example.net",
        "example.net",
    ],
)
def test_somebody_elses_address_is_left(other: str) -> None:  # R-REW-04
    assert scrubbed_text(other) == other


def test_an_international_domain_is_known_in_both_spellings() -> None:  # R-REW-04, R-REW-11
    plan = dataclasses.replace(PLAN, disguise={"alice@xn--r8jz45g.example": BUYER_ALIAS})
    assert scrubbed_text("alice@例え.example alice@XN--R8JZ45G.example", plan) == f"{BUYER_ALIAS} {BUYER_ALIAS}"


@pytest.mark.parametrize("domain", ["ガラス", "ｶﾞﾗｽ", "カ\u3099ラス"])
def test_an_international_domain_is_known_in_each_width(domain: str) -> None:  # R-REW-04, R-REW-11
    plan = dataclasses.replace(PLAN, disguise={"alice@xn--mck0a9j.example": BUYER_ALIAS})
    assert scrubbed_text(f"alice@{domain}.example", plan) == BUYER_ALIAS


def test_odd_carrier_local_parts_are_known() -> None:  # R-ADR-03, R-REW-04
    plan = dataclasses.replace(PLAN, disguise={"a..b.@docomo.ne.jp": BUYER_ALIAS, "o'b&c@x.example": SELLER_ALIAS})
    assert scrubbed_text("a..b.@docomo.ne.jp o'b&c@x.example o&#39;b&amp;c@x.example", plan) == (
        f"{BUYER_ALIAS} {SELLER_ALIAS} {SELLER_ALIAS}"
    )


def test_of_two_addresses_the_longer_one_is_meant() -> None:  # R-REW-04
    plan = dataclasses.replace(PLAN, disguise={"al@x.example": BUYER_ALIAS, "al@x.example.net": SELLER_ALIAS})
    assert scrubbed_text("al@x.example.net, al@x.example", plan) == f"{SELLER_ALIAS}, {BUYER_ALIAS}"


@pytest.mark.parametrize(
    "written",
    ["Alice (my name) <alice.buyer@example.net>", "alice.buyer (x) @ example.net", '"alice" . buyer@example.net'],
)
def test_comments_in_an_address_of_a_forwarded_message_hide_nothing(written: str) -> None:  # R-REW-01
    content = f"Content-Type: message/rfc822\r\n\r\nFrom: {written}\r\n\r\nText\r\n"
    assert scrubbed(content.encode()).endswith(f"\r\n\r\nFrom: {BUYER_ALIAS}\r\n\r\nText\r\n".encode())


def test_an_unencoded_file_that_is_no_text_holds_no_address_either() -> None:  # R-REW-01
    content = (
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\n\r\n%PDF-1.7\n\x00 " + BUYER.encode()
    )
    assert scrubbed(content).endswith(b"%PDF-1.7\n\x00 " + BUYER_ALIAS.encode())


RELATED = (
    'Content-Type: multipart/related; boundary={b}; start="<page@{host}>"\r\n\r\nfor old programs\r\n'
    "--{b}\r\nContent-Type: text/html\r\nContent-ID: <page@{host}>\r\n\r\n"
    '<img src="cid:logo@{host}"><img src=CID:logo%40{host}><img src="cid:logo&#64;{host}"> logo@{host}\r\n'
    "--{b}\r\nContent-Type: image/png\r\nContent-ID: <logo@{host}>\r\nContent-Location: http://{host}/\r\n"
    "X-Attachment-Id: {host}\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--{b}--\r\n"
)


def test_content_ids_are_renewed_together_with_what_points_at_them() -> None:  # R-REW-01
    outcome = scrubbed(RELATED.format(b="plain", host="alices-mac.local").encode())
    assert b"alices-mac.local" not in outcome
    assert b"> logo@[hidden]" in outcome
    ids = {line.split(b"<")[1].split(b">")[0] for line in outcome.split(b"\r\n") if b"Content-ID" in line}
    assert len(ids) == 2
    [logo] = [new for new in ids if outcome.count(b"cid:" + new) == 2 and outcome.count(b"CID:" + new) == 1]
    [page] = ids - {logo}
    assert b'start="<' + page + b'>"' in outcome
    assert b"X-Attachment-Id" not in outcome
    assert b"Content-Location" not in outcome
    assert scrubbed(outcome) == outcome


@pytest.mark.parametrize(
    "boundary", ["x9BI.1234567/mail.isp.example", "=_192.0.2.77_1", f"--{HELO}", "a@b", "2001:db8::17:1"]
)
def test_a_boundary_that_could_name_a_machine_is_renewed_on_every_line(boundary: str) -> None:  # R-REW-01
    content = RELATED.format(b=boundary, host="x").replace(f"boundary={boundary}", f'boundary="{boundary}"').encode()
    outcome = scrubbed(content)
    assert boundary.encode() not in outcome
    [new] = {line.rstrip(b"-") for line in outcome.split(b"\r\n") if line.startswith(b"--")}
    assert b'boundary="' + new[2:] + b'"' in outcome
    assert scrubbed(outcome) == outcome


@pytest.mark.parametrize(
    "boundary",
    [
        "0000000000005f1b17",
        "Apple-Mail=_0E7F2B5C-64B1-4D19",
        "----=_NextPart_000_0012_01D9ABCD.12345678",
        "------------0AbCdEf7g8H9",
        "----=_Part_123_456789.1700000000",
        "===============1234567890==",
        "PEIAKu/WMn1b1Hv9",
    ],
)
def test_the_usual_boundaries_stay(boundary: str) -> None:  # R-REW-04
    content = (
        f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n\r\nText\r\n--{boundary}--\r\n'
    )
    assert rewritten(content.encode()).edits == ()


def test_a_forwarded_message_keeps_what_a_reader_needs_and_loses_real_names() -> None:  # R-REW-01, R-REW-04
    content = (
        "Content-Type: message/rfc822\r\n\r\n"
        "Received: from x.isp.example\r\nDKIM-Signature: v=1; d=example.net\r\nMessage-ID: <1@alices-mac.local>\r\n"
        f'From: "Buyer, Alice" <{BUYER}>\r\nTo: =?utf-8?q?Car=C3=B6l?= <carol@other.example>, {SELLER}\r\nSubject: Hi\r\n'
        f"Date: Mon, 1 Jan 2024 10:15:00 +0000\r\n\r\nI am {BUYER}\r\n"
    )
    assert scrubbed(content.encode()).decode().split("\r\n\r\n", 1)[1] == (
        f"From: {BUYER_ALIAS}\r\nTo: =?utf-8?q?Car=C3=B6l?= <carol@other.example>,\r\n {SELLER_ALIAS}\r\nSubject: Hi\r\n"
        f"Date: Mon, 1 Jan 2024 10:15:00 +0000\r\n\r\nI am {BUYER_ALIAS}\r\n"
    )


def test_a_subject_changes_only_in_the_words_that_hold_the_address() -> None:  # R-REW-04
    subject = f"Re: =?ISO-2022-JP?B?GyRCQ21KOBsoQg==?= about {BUYER} =?iso-8859-1?q?Gr=FC=DFe?="
    outcome = scrubbed(f"Subject: {subject}\r\n\r\nText\r\n".encode())
    assert outcome.startswith(f"Subject: {subject.replace(BUYER, BUYER_ALIAS)}\r\n\r\n".encode())


def test_an_encoded_word_keeps_its_charset() -> None:  # R-REW-04
    outcome = scrubbed(
        b"Subject: =?ISO-2022-JP?B?" + b"GyRCQ21KOBsoQiBhbGljZS5idXllckBleGFtcGxlLm5ldA==" + b"?=\r\n\r\n"
    )
    assert b"=?iso-2022-jp?b?" in outcome.lower()
    assert BUYER_ALIAS in readings(outcome)
    assert "注文" in readings(outcome)


def test_tags_inside_an_address_are_kept() -> None:  # R-REW-04
    outcome = scrubbed(b"Content-Type: text/html\r\n\r\n<p><b>alice.buyer</b>@<i>example.net</i></p>")
    assert outcome.endswith(f"<p><b>{BUYER_ALIAS}</b><i></i></p>".encode())


def test_bytes_around_an_address_stay_as_they_were() -> None:  # R-REW-04
    before, after = b"Gr=fc=DFe=20\r\n=\r\n odd=3d =zz\r\n", b" and =e9 trailing \r\n\r\n.\r\n"
    head = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    outcome = scrubbed(head + before + b"alice.buy=\r\ner=40example.net" + after)
    assert outcome == head + before + BUYER_ALIAS.encode() + after


def test_a_binary_attachment_is_not_looked_into() -> None:  # R-REW-06 has its own rules
    pdf = base64.encodebytes(f"%PDF-1.7\n{BUYER}\n".encode()).replace(b"\n", b"\r\n")
    content = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + pdf
    assert scrubbed(content) == content


SIGNED = (
    "Content-Type: multipart/signed; boundary=s; micalg=pgp-sha256\r\n\r\n--s\r\nContent-Type: text/plain\r\n"
    "X-Owner: nobody\r\nContent-ID: <1@alices-mac.local>\r\n\r\n{}\r\n--s\r\n"
    "Content-Type: application/pgp-signature\r\n\r\nsignature\r\n--s--\r\n"
)


def test_text_that_calls_itself_a_signature_is_read_as_what_it_is() -> None:  # R-REW-01
    block = "-----BEGIN PGP SIGNATURE-----\r\nComment: {}\r\n\r\niQEzBAEBCAAdFiEE\r\n-----END PGP SIGNATURE-----\r\n"
    mail = "Content-Type: application/pgp-signature\r\n\r\n" + block
    assert BUYER_ALIAS.encode() in scrubbed(mail.format(BUYER).encode())
    assert block.format("by nobody").encode() in scrubbed(mail.format("by nobody").encode())


def test_a_signed_part_without_secrets_stays_whole() -> None:  # R-REW-01
    content = SIGNED.format("Text").replace("Content-ID: <1@alices-mac.local>\r\n", "").encode()
    assert rewritten(content).edits == ()


def test_no_leak_wins_over_a_signature_and_the_record_says_so() -> None:  # R-REW-01, R-REW-08
    result = rewritten(SIGNED.format(BUYER).encode())
    assert BUYER not in readings(scrubbed(SIGNED.format(BUYER).encode()))
    assert "signature no longer valid" in [change.what for change in result.changes]


def test_a_signed_message_inside_tells_no_machine_it_came_by() -> None:  # R-REW-01
    inner = "Received: from alices-mac ([192.0.2.9])\r\nMessage-ID: <1@alices-mac>\r\nSubject: old\r\n\r\nHello"
    content = SIGNED.format("Text").replace("Content-Type: text/plain\r\nX-Owner: nobody\r\n", "FORWARDED")
    content = content.replace("FORWARDED", "Content-Type: message/rfc822\r\n").replace("Text", inner)
    outcome = scrubbed(content.replace("Content-ID: <1@alices-mac.local>\r\n", "").encode())
    assert b"alices-mac" not in outcome
    assert b"192.0.2.9" not in outcome
    assert b"Subject: old" in outcome


def test_every_change_is_listed_with_its_place_and_without_the_address() -> None:  # R-REW-08
    content = (
        f"Subject: {BUYER}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nI am {BUYER}, at {CLIENT_IP}\r\n"
        f'--b\r\nContent-Type: application/pdf; name="{BUYER}.pdf"\r\nX-Owner: me\r\n\r\nx\r\n--b--\r\n'
    ).encode()
    listed = {(change.what, change.where): content[change.start : change.end] for change in rewritten(content).changes}
    assert listed == {
        ("address replaced", "subject"): f"Subject: {BUYER}\r\n".encode(),
        ("address replaced", "1"): BUYER.encode(),
        ("host replaced", "1"): CLIENT_IP.encode(),
        ("address replaced", "2"): f'Content-Type: application/pdf; name="{BUYER}.pdf"\r\n'.encode(),
        ("header dropped", "2"): b"X-Owner: me\r\n",
    }
    assert not any(BUYER in f"{change.what}{change.where}{change.why}" for change in rewritten(content).changes)


@pytest.mark.parametrize("charset", ["", "no-such", "unknown-8bit", "utf-16", "\xff", "x" * 70])
def test_an_encoded_word_in_any_charset_name_is_scrubbed(charset: str) -> None:  # R-REW-04
    subject = f"=?{charset}?q?{BUYER}?= =?utf-8?q?{BUYER.replace('@', '=40')}?="
    outcome = scrubbed(f"Subject: {subject}\r\n\r\nText\r\n".encode("latin-1"))
    assert BUYER not in readings(outcome)
    assert BUYER_ALIAS in readings(outcome)


def test_a_charset_whose_characters_have_no_octets_of_their_own_is_encoded_anew() -> None:  # R-REW-04
    shifted = base64.b64encode(f"注文 {BUYER} です".encode("utf-16-be")).rstrip(b"=")
    outcome = scrubbed(b"Content-Type: text/plain; charset=utf-7\r\n\r\nHi +" + shifted + b"- bye\r\n")
    assert outcome.split(b"\r\n\r\n", 1)[1].decode("utf-7") == f"Hi 注文 {BUYER_ALIAS} です bye\r\n"
