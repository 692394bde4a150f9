"""What is scrubbed, what is left, and what the record says of it."""

import base64
import dataclasses

import pytest

from relay.core.rewrite.plan import Plan
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
)


def text(body: str, plan: Plan = PLAN, *, header: str = "") -> str:
    """The body of a plain text after scrubbing."""
    content = f"{header}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}".encode()
    return scrubbed(content, plan).split(b"\r\n\r\n", 1)[1].decode()


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
    assert text(before) == after


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
    assert text(other) == other


def test_an_international_domain_is_known_in_both_spellings() -> None:  # R-REW-04, R-REW-11
    plan = dataclasses.replace(PLAN, disguise={"alice@xn--r8jz45g.example": BUYER_ALIAS})
    assert text("alice@例え.example alice@XN--R8JZ45G.example", plan) == f"{BUYER_ALIAS} {BUYER_ALIAS}"


@pytest.mark.parametrize("host", ["mail.例え.example", "mail.xn--r8jz45g.example"])
def test_an_international_host_is_hidden_in_both_spellings(host: str) -> None:  # R-REW-01, R-REW-11
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({"mail.xn--r8jz45g.example"}))
    assert host not in text(f"by {host} today", plan)


@pytest.mark.parametrize("domain", ["ガラス", "ｶﾞﾗｽ", "カ\u3099ラス"])
def test_an_international_domain_is_known_in_each_width(domain: str) -> None:  # R-REW-04, R-REW-11
    plan = dataclasses.replace(PLAN, disguise={"alice@xn--mck0a9j.example": BUYER_ALIAS})
    assert text(f"alice@{domain}.example", plan) == BUYER_ALIAS


def test_odd_carrier_local_parts_are_known() -> None:  # R-ADR-03, R-REW-04
    plan = dataclasses.replace(PLAN, disguise={"a..b.@docomo.ne.jp": BUYER_ALIAS, "o'b&c@x.example": SELLER_ALIAS})
    assert text("a..b.@docomo.ne.jp o'b&c@x.example o&#39;b&amp;c@x.example", plan) == (
        f"{BUYER_ALIAS} {SELLER_ALIAS} {SELLER_ALIAS}"
    )


def test_of_two_addresses_the_longer_one_is_meant() -> None:  # R-REW-04
    plan = dataclasses.replace(PLAN, disguise={"al@x.example": BUYER_ALIAS, "al@x.example.net": SELLER_ALIAS})
    assert text("al@x.example.net, al@x.example", plan) == f"{SELLER_ALIAS}, {BUYER_ALIAS}"


TRACE = (
    "Received: from smtp.home.isp.example (dyn-7.isp.example [203.0.113.9])\r\n"
    "\tby mx.market.example (Postfix 3.5.6) with ESMTPS id 2023.11.22; Mon, 1 Jan 2024 10:15:00 +0000\r\n"
    "Received: from [IPv6:2001:db8::17] by mail-yw1-f173.google.com\r\n"
    "X-Originating-IP: [192.0.2.77]\r\n"
    "Message-ID: <x@alices-shop.example>\r\n"
)


@pytest.mark.parametrize(
    "name",
    [
        "smtp.home.isp.example",
        "dyn-7.isp.example",
        "203.0.113.9",
        "2001:db8::17",
        "mail-yw1-f173.google.com",
        "192.0.2.77",
        "alices-shop.example",
        HELO,
        CLIENT_IP,
    ],
)
def test_machines_of_the_trace_are_hidden_in_text(name: str) -> None:  # R-REW-01
    assert text(f"from {name.upper()}, [{name}].", header=TRACE) == "from [hidden], [[hidden]]."


@pytest.mark.parametrize(
    "written",
    [
        "2001:db8::17",
        "2001:0DB8:0:0:0:0:0:0017",
        "[IPv6:2001:db8::17]",
        "2001:db8:0:0::17",
        "::ffff:203.0.113.9",
        "::FFFF:cb00:7109",
    ],
)
def test_an_ip_address_is_known_however_it_is_spelt(written: str) -> None:  # R-REW-01
    assert "[hidden]" in text(f"from {written} at 10:15:00", header=TRACE)
    assert "0.113" not in text(f"from {written}", header=TRACE)


@pytest.mark.parametrize("helo", ["alices-pc", "desktop7", "NDUzMjk0NDA"])
def test_a_name_without_a_domain_is_hidden_where_programs_write_it(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    for before, after in (("from ", " ("), ("\\\\", "\\share"), ("x@", ">"), ("[", "]"), ("helo ", "\r\n")):
        assert text(f"{before}{helo}{after}", plan) == f"{before}[hidden]{after}"
    name = f'Content-Disposition: attachment; filename="scan_{helo}_1.txt"\r\n\r\nText\r\n'
    assert helo.encode() not in scrubbed(
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{name}--b--\r\n".encode(), plan
    )


@pytest.mark.parametrize("helo", ["alices-pc", "desktop7", "there", "localhost", "userid", "list"])
def test_a_name_without_a_domain_is_left_in_prose_and_in_longer_words(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    words = f"my {helo} is slow, as are wish{helo} and {helo}s, from {helo}way"
    assert text(words, plan) == words


@pytest.mark.parametrize("helo", ["there", "list", "localhost", "userid"])
def test_a_word_of_letters_names_no_machine(helo: str) -> None:  # R-REW-01
    plan = dataclasses.replace(PLAN, hidden_hosts=frozenset({helo}))
    assert text(f"from {helo} by {helo} [{helo}]", plan) == f"from {helo} by {helo} [{helo}]"


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


@pytest.mark.parametrize(
    "words",
    [
        *("gmail.com", "mx.market.example", "3.5.6", "10:15:00", "2023.11.22", "203.0.113.90", "1.203.0.113.9"),
        *("my-alices-shop.example", "alices-shop.example.com", "not-alices-shop.example", "localhost", "127.0.0.1"),
    ],
)
def test_what_names_no_machine_of_the_trace_is_left(words: str) -> None:  # R-REW-01
    assert text(words, header=TRACE) == words


@pytest.mark.parametrize("provider", ["gmail.com", "yahoo.co.jp", "docomo.ne.jp", "icloud.com"])
def test_a_public_providers_bare_domain_may_stand_in_prose(provider: str) -> None:  # R-REW-01
    header = f"Received: from {provider} by {provider}\r\nMessage-ID: <1@{provider}>\r\n"
    assert text(f"I use {provider}.", header=header) == f"I use {provider}."


LISTED_BY_SERVER = (
    "Received: from localhost (localhost [127.0.0.1]) by web.isp.example (Postfix, from userid 33) id 14.3.123.4\r\n"
    "Authentication-Results: mx.isp.example; spf=pass smtp.mailfrom=hanako.yamada@phone.example; dkim=pass header.d=x.example\r\n"
    "Received: from a.x.example by b.x.example with Microsoft SMTP Server id 15.0.62.29; Mon, 6 Jul 2026 10:00:00 +0900\r\n"
    "Message-ID: <broken.png>\r\n"
)


@pytest.mark.parametrize(
    "words", ["smtp.mailfrom", "header.d", "14.3.123.4", "15.0.62.29", "broken.png", "127.0.0.1", "hanako.yamada"]
)
def test_words_of_the_trace_that_are_no_hosts_are_left(words: str) -> None:  # R-REW-01
    assert text(f"See {words}, please.", header=LISTED_BY_SERVER) == f"See {words}, please."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See https://alices-shop.example/care?id=1.", "See [link removed]."),
        ("（https://www.alices-shop.example/care）をご覧ください", "（[link removed]）をご覧ください"),
        ("at shop.alices-shop.example:8080/care today", "at [link removed] today"),
        ("www.alices-shop.example", "[link removed]"),
        ("alices-shop.example", "[hidden]"),
        ("https://other.example/care", "https://other.example/care"),
    ],
)
def test_a_link_to_a_hidden_host_is_removed_whole(before: str, after: str) -> None:  # R-REW-01, R-REW-08
    assert text(before, header=TRACE) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://alices-shop.example/care">care</a>', "[link removed]care</a>"),
        (
            "<a href='https://alices-shop.example/'>https://alices-shop.example/</a>!",
            "[link removed]</a>!",
        ),
        ('<img alt="a>b" src="https://alices-shop.example/a.png"> end', "[link removed] end"),
        ('<td background="https://alices-shop.example/a.png">x', '<td background="[link removed]">x'),
        ('<a href="https://other.example/">care</a>', '<a href="https://other.example/">care</a>'),
    ],
)
def test_the_tag_of_a_link_to_a_hidden_host_is_removed(before: str, after: str) -> None:  # R-REW-01, R-REW-08
    content = f"{TRACE}Content-Type: text/html; charset=utf-8\r\n\r\n{before}".encode()
    assert scrubbed(content).split(b"\r\n\r\n", 1)[1].decode() == after


@pytest.mark.parametrize(
    ("charset", "shown"),
    [("utf-8", "[削除：リンク]"), ("iso-2022-jp", "[削除：リンク]"), ("us-ascii", "[link removed]")],
)
def test_the_placeholder_of_a_link_is_written_in_the_charset_of_the_text(charset: str, shown: str) -> None:  # R-REW-08
    plan = dataclasses.replace(PLAN, link_placeholder="[削除：リンク]")
    encoding = "Content-Transfer-Encoding: 8bit\r\n" if charset == "utf-8" else ""
    content = (
        f"{TRACE}{encoding}Content-Type: text/plain; charset={charset}\r\n\r\nhttps://alices-shop.example/ x".encode()
    )
    assert scrubbed(content, plan).split(b"\r\n\r\n", 1)[1].decode(charset) == f"{shown} x"


def test_a_domain_that_the_marketplace_allows_is_shown() -> None:  # R-REW-01, R-POL-08
    plan = dataclasses.replace(PLAN, shown_domains=frozenset({"alices-shop.example"}))
    words = "See https://alices-shop.example/care or www.alices-shop.example"
    assert text(words, plan, header=TRACE) == words


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


def test_a_receipt_does_not_name_the_machine_it_was_made_on() -> None:  # R-REW-01, R-REW-07
    content = (
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nRead.\r\n"
        b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Reporting-UA: alice-pc; Mail 1.0\r\n on alice-pc\r\nDisposition: manual-action; displayed\r\n\r\n--b--\r\n"
    )
    outcome = scrubbed(content)
    assert b"alice-pc" not in outcome
    assert b"Reporting-UA: [hidden]\r\nDisposition: manual-action; displayed" in outcome
    assert scrubbed(outcome) == outcome


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
