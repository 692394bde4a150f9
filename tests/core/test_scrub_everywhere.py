"""A known address in every place, encoding and charset: nothing of it passes, however the outcome is read."""

import base64
import dataclasses
import itertools
import quopri
from collections.abc import Callable, Iterator
from email.header import Header
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.scrubbing import BUYER, BUYER_ALIAS, PLAN, readings, rewritten, scrubbed

CHARSETS = (
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "windows-1250",
    "windows-1252",
    "windows-1256",
    "iso-2022-jp",
    "shift_jis",
    "euc-jp",
    "gb2312",
    "gb18030",
    "big5",
    "euc-kr",
    "x-unknown",
)
WIDE_CHARSETS = ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-7", "hz")

TEXTS = {
    "prose": f"Büro 連絡先は{BUYER}です。 ok",
    "brackets": f"Grüße 注文 <{BUYER}>, thanks",
    "upper case": f"注文 {BUYER.upper()}.",
    "tagged": "注文 alice.buyer+shop@example.net!",
    "long line": f"{'注文 x ' * 40}{BUYER}{' y 注文' * 40}",
    "quoted": f'> "{BUYER}" wrote 注文:\r\n>> mailto:{BUYER}?subject=x',
    "twice in a line": f"{BUYER} 注文 {BUYER};{BUYER}",
}
HTML = {
    "decimal": "alice.buyer&#64;example&#46;net",
    "padded decimal": "alice.buyer&#0000064;example.net",
    "hexadecimal": "alice.buyer&#x40;ex&#X61;mple.net",
    "without semicolon": "alice.buyer&#64example.net",
    "named": "alice&period;buyer&commat;example&period;net",
    "every character": "".join(f"&#{ord(char)};" for char in BUYER),
    "in a link": "<a href='mailto:alice.buyer%40example.net'>注文</a>",
    "percent in entities": "<a href='mailto:alice.buyer&#37;40example.net'>注文</a>",
    "twice percent-encoded": "<a href='https://x.example/?u=mailto%3Aalice.buyer%2540example.net'>注文</a>",
    "in a comment": f"<!-- {BUYER} -->",
    "in an attribute": f'<img alt="{BUYER}" title={BUYER}>',
    "in style": f"<style>/*{BUYER}*/</style>",
    "broken by tags": "<b>alice.buyer</b>@<wbr>example<!-- x -->.net",
    "zero width": "alice.buyer&ZeroWidthSpace;@exa&shy;mple.&#8203;net",
}
UNICODE = {
    "zero width": "al\u200bice.bu\u00adyer@exam\u2060ple.n\ufeffet",
    "full width": "ａｌｉｃｅ．ｂｕｙｅｒ＠ｅｘａｍｐｌｅ．ｎｅｔ",
    "full-width at sign": "連絡はalice.buyer＠example.netです",
    "ideographic dot": "alice.buyer@example。net",
}


def seven_bit(octets: bytes) -> bytes:
    return octets


def quoted(octets: bytes) -> bytes:
    return quopri.encodestring(octets).replace(b"\n", b"\r\n") if b"\r\n" not in octets else every_octet(octets)


def every_octet(octets: bytes) -> bytes:
    """Lower-case hex for all, a soft break after every 20: legal, if mad (RFC 2045 §6.7)."""
    return b"=\r\n".join(
        b"".join(b"=%02x" % octet for octet in octets[at : at + 20]) for at in range(0, len(octets), 20)
    )


def base64_lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "8bit": ("8bit", seven_bit),
    "quoted-printable": ("quoted-printable", quoted),
    "every octet quoted": ("Quoted-Printable", every_octet),
    "base64": ("BASE64", base64_lines),
}


def octets_of(text: str, charset: str) -> bytes:
    return text.encode("ascii" if charset == "x-unknown" else charset, "ignore")


def mail(subtype: str, charset: str, encoding: str, body: bytes, *, more: str = "") -> bytes:
    return (
        f"Subject: Order\r\nMIME-Version: 1.0\r\nContent-Type: text/{subtype}; charset={charset}{more}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + body


def nested(inner: bytes) -> bytes:
    return (
        b"Subject: Order\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--outer--\r\n"
    )


def bodies() -> Iterator[tuple[str, bytes]]:
    for (text, words), charset, encoding in itertools.product(TEXTS.items(), CHARSETS, ENCODERS):
        label, encode = ENCODERS[encoding]
        yield f"{text}, {charset}, {encoding}", mail("plain", charset, label, encode(octets_of(words, charset)))
    for (text, words), charset, encoding in itertools.product(TEXTS.items(), WIDE_CHARSETS, list(ENCODERS)[2:]):
        label, encode = ENCODERS[encoding]
        yield f"{text}, {charset}, {encoding}", mail("plain", charset, label, encode(octets_of(words, charset)))
    for (text, words), charset, encoding in itertools.product(HTML.items(), CHARSETS[::4], ENCODERS):
        label, encode = ENCODERS[encoding]
        page = f"<html><p>注文 {words} é</p></html>"
        yield f"HTML {text}, {charset}, {encoding}", mail("html", charset, label, encode(octets_of(page, charset)))
    for (text, words), charset, encoding in itertools.product(UNICODE.items(), ("utf-8", "gb18030"), ENCODERS):
        label, encode = ENCODERS[encoding]
        yield f"{text}, {charset}, {encoding}", mail("plain", charset, label, encode(octets_of(words, charset)))
    for charset, encoding in itertools.product(("iso-2022-jp", "shift_jis", "euc-jp"), ENCODERS):
        label, encode = ENCODERS[encoding]
        words = UNICODE["full width"] + "です"
        yield f"full width, {charset}, {encoding}", mail("plain", charset, label, encode(octets_of(words, charset)))
    for encoding, (label, encode) in ENCODERS.items():
        for words in ("write to alice.bu \r\nyer@example.net", "> write to alice.buyer@exam \r\n> ple.net"):
            body = encode(words.encode())
            more = "; format=flowed; delsp=yes"
            yield f"flowed {words[:2]}, {encoding}", mail("plain", "utf-8", label, body, more=more)


def encoded_words(charset: str, encoding: str) -> str:
    words = f"注文 {BUYER} Grüße" if charset == "utf-8" else f"注文 {BUYER} です"
    if encoding == "b":
        return str(Header(words, charset, maxlinelen=40).encode(linesep="\r\n"))
    text = "".join(f"={octet:02X}" for octet in words.encode(charset))
    return "\r\n ".join(f"=?{charset}?q?{text[at : at + 30]}?=" for at in range(0, len(text), 30))


def fields() -> Iterator[tuple[str, bytes]]:
    for charset, encoding in itertools.product(("utf-8", "iso-2022-jp", "shift_jis", "euc-jp"), "bq"):
        value = encoded_words(charset, encoding)
        yield f"Subject {charset} {encoding}", f"Subject: {value}\r\n\r\nText\r\n".encode()
        yield f"inner From {charset} {encoding}", nested(f"From: {value} <{BUYER}>\r\n\r\nText\r\n".encode())
    for value in (
        f"Re: {BUYER}",
        "Re: =?utf-8?q?alice=2Ebuyer?=@example.net",
        f"Grüße {BUYER}",
        "x%20alice.buyer%40example.net",
    ):
        yield f"Subject {value[:30]}", f"Subject: {value}\r\n\r\nText\r\n".encode()
    part = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{}\r\n\r\nText\r\n--b--\r\n"
    name = f"注文-{BUYER}.pdf"
    encoded = quote(name.encode(), safe="")
    word = Header(name, "utf-8", maxlinelen=200).encode()
    for field in (
        f'Content-Disposition: attachment; filename="{BUYER}.pdf"',
        f"Content-Disposition: attachment; filename=invoice_{BUYER}_1.pdf",
        f'Content-Disposition: attachment; filename="{word}"',
        f"Content-Disposition: attachment; filename*=utf-8''{encoded}",
        f"Content-Disposition: attachment; filename*0*=utf-8''{encoded[:40]};\r\n filename*1*={encoded[40:]}",
        'Content-Disposition: attachment; filename*0="alice.buyer@exa"; filename*1="mple.net.pdf"',
        'Content-Disposition: attachment; filename="al\\ice.buyer@example.net.pdf"',
        f'Content-Type: application/pdf; name="{BUYER}"',
        f'Content-Type: text/plain; name="{word}"',
        f'Content-Type: text/plain; x="{BUYER}"',
        f"Content-Type: text/plain\r\nContent-Type: text/html; name={BUYER}",
        f"Content-Description: from {BUYER}",
        f"Content-Description: {word}",
        f"Content-ID: <{BUYER}>",
        f"Content-ID: <1.{BUYER}>",
        f"Content-Location: https://x.example/{BUYER}",
        f"X-Owner: {BUYER}",
        f"Content-Language: {BUYER}",
    ):
        yield field[:70], part.format(field).encode()
    for boundary in (BUYER, f"----{BUYER}", f"=_{BUYER}/1"):
        yield (
            f"boundary {boundary}",
            part.replace("=b\r", f'="{boundary}"\r')
            .replace("--b", f"--{boundary}")
            .format(f"Content-Description: {BUYER}")
            .encode(),
        )
    for field in ("From", "To", "Cc", "Reply-To", "Subject", "Received", "Return-Path", "X-Original-To", "Message-ID"):
        inner = f'{field}: "Buyer, Alice" <{BUYER}>, Other <o@other.example>\r\n\r\nText {BUYER}\r\n'
        yield f"inner {field}", nested(inner.encode())
    yield "preamble", part.format("").replace("\r\n\r\n--b", f"\r\n\r\nfor {BUYER}\r\n--b", 1).encode()
    yield "epilogue", part.format("").encode() + f"\r\nfrom {BUYER}\r\n".encode()
    yield "multipart without parts", f"Content-Type: multipart/mixed; boundary=b\r\n\r\nonly {BUYER}\r\n".encode()
    yield "footer after base64", mail("plain", "utf-8", "base64", b"Z2hp\r\n\r\nfrom alice.buyer@example.net\r\n")
    yield "footer after padding", mail("plain", "utf-8", "base64", b"ZyA=\r\n" + base64_lines(BUYER.encode()))
    yield (
        "message in base64",
        nested(b"").replace(
            b"rfc822\r\n\r\n", b"rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(BUYER.encode())
        ),
    )
    yield (
        "delivery status",
        part.format(f"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822;{BUYER}").encode(),
    )
    yield "SVG", part.format("Content-Type: image/svg+xml\r\n\r\n<text>alice.buyer&#64;example.net</text>").encode()


CASES = dict((*bodies(), *fields()))


@pytest.mark.parametrize("case", CASES)
def test_no_known_address_passes(case: str) -> None:  # R-REW-01, R-REW-04, R-REW-08
    content = CASES[case]
    assert "@example.net" in readings(content), "the case itself must hold the address"
    outcome = scrubbed(content)
    seen = readings(outcome)
    assert BUYER not in seen
    assert "alice.buyer" not in seen
    assert rewritten(content).changes
    again = rewritten(outcome)
    assert again.edits == ()
    assert scrubbed(outcome) == outcome


@pytest.mark.parametrize("case", [case for case, _ in bodies()])
def test_the_alias_stands_in_the_place_of_the_address(case: str) -> None:  # R-REW-04
    content = CASES[case]
    assert BUYER_ALIAS in readings(scrubbed(content))


# These change for what they are, not for the address in them.
TELLING = ("boundary", "Content-ID", "Content-Loc", "X-Own", "inner", "Content-Type: text/plain\r\n")


@pytest.mark.parametrize("case", [case for case in CASES if not any(word in case for word in TELLING)])
def test_who_is_not_known_passes_untouched(case: str) -> None:  # R-REW-04
    result = rewritten(CASES[case], dataclasses.replace(PLAN, disguise={"somebody@else.example": BUYER_ALIAS}))
    assert (result.edits, result.changes) == ((), ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.", ""),
        ("x.", ""),
        ("x-", ""),
        ("No.", ""),
        ("E-mail-", ""),
        ("mail_", ""),
        ("", "-san"),
        ("", "-sama, hello"),
        ("", "-san. Bye"),
        ("10.", "-san"),
    ],
)
def test_a_sign_beside_an_address_does_not_save_it(before: str, after: str) -> None:  # R-REW-01
    content = f'Content-Type: text/html\r\n\r\n<p cite="mid:{before}{BUYER}{after}">{before}{BUYER}{after}</p>'.encode()
    assert scrubbed(content).count(f"{before}{BUYER_ALIAS}{after}".encode()) == 2


@pytest.mark.parametrize(
    "text", [f"x{BUYER}", f"1{BUYER}", f"x+{BUYER}", f"{BUYER}-shop.example", f"{BUYER}.au", f"{BUYER}x"]
)
def test_a_letter_beside_an_address_makes_it_another_one(text: str) -> None:  # R-REW-04
    assert text.encode() in scrubbed(f"Content-Type: text/plain\r\n\r\n{text}".encode())


HOSTILE = st.text(alphabet='&#64;%40@<>!-=?+"ａ＠\u200b alice.buyer@example.net', max_size=300)


@given(HOSTILE, st.sampled_from(["plain", "html"]), st.sampled_from(CHARSETS), st.sampled_from(sorted(ENCODERS)))
def test_scrubbing_what_is_scrubbed_changes_nothing(text: str, subtype: str, charset: str, encoding: str) -> None:
    # R-REW-04
    label, encode = ENCODERS[encoding]
    outcome = scrubbed(mail(subtype, charset, label, encode(octets_of(f"{text} {BUYER} {text}", charset))))
    assert scrubbed(outcome) == outcome


@given(st.binary(max_size=400), st.sampled_from(["plain", "html"]), st.sampled_from(sorted(ENCODERS)))
def test_any_bytes_can_be_scrubbed(body: bytes, subtype: str, encoding: str) -> None:  # R-IN-06
    label, encode = ENCODERS[encoding]
    for content in (body, mail(subtype, "utf-8", label, encode(body + BUYER.encode())), nested(body)):
        scrubbed(content)
