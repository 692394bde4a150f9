"""What policy strips is gone, its placeholder stands there, the rest is as it was."""

import codecs
import re
from email import message_from_bytes, policy
from itertools import product
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.plan import Change, Cutout, Plan
from relay.core.rewrite.rewrite import rewrite

ZIP = b"UEsDBBQAAAAIAA=="
MIXED = (
    b"From: a@x.example\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n"
    b"--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-ID: <1>\r\n"
    b"Content-Disposition: attachment; filename=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + ZIP + b"\r\n"
    b"--b--\r\n"
)
SECRET = b"alice@private.example"


def plan(*cutouts: Cutout) -> Plan:
    return Plan(
        domain="market.example",
        from_address="alias-b@market.example",
        from_name="Alice",
        disguise={SECRET.decode(): "alias-b@market.example"},
        message_id="out@market.example",
        thread_ids={},
        thread_key=b"k",
        hidden_hosts=frozenset(),
        cutouts=cutouts,
    )


def sent(content: bytes, *cutouts: Cutout) -> tuple[bytes, tuple[Change, ...]]:
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, plan(*cutouts))
    return assemble.assemble(content, root.body_start, rewritten.header, rewritten.edits), rewritten.changes


def texts(message: bytes) -> list[str]:
    parsed = message_from_bytes(message, policy=policy.default)
    return [part.get_content().replace("\r\n", "\n") for part in parsed.walk() if part.get_content_maintype() == "text"]


def test_a_part_gives_way_to_its_placeholder() -> None:  # R-REW-08 R-POL-07
    content = MIXED % (b"utf-8", b"7bit", b"hello")
    out, changes = sent(content, Cutout("2", None, None, "［削除: a.zip］"))
    parsed = message_from_bytes(out, policy=policy.default)
    text, placeholder = parsed.iter_parts()
    assert text.get_content() == "hello"
    assert placeholder.get_content_type() == "text/plain"
    assert placeholder.get_content_disposition() == "inline"
    assert placeholder.get_content().strip() == "［削除: a.zip］"
    assert ZIP not in out
    assert b"a.zip" not in out
    change = next(change for change in changes if change.what == "stripped")
    assert change.where == "2"
    assert content[change.start : change.end] == ZIP


def test_a_mail_that_is_nothing_but_the_attachment() -> None:  # R-REW-08
    content = (
        b"From: a@x.example\r\nSubject: s\r\nContent-Type: application/zip; name=a.zip\r\n"
        b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n" + ZIP + b"\r\n"
    )
    out, changes = sent(content, Cutout("", None, None, "[removed: a.zip]"))
    parsed = message_from_bytes(out, policy=policy.default)
    assert parsed.get_content_type() == "text/plain"
    assert texts(out)[0] == "[removed: a.zip]\n"
    assert parsed["Subject"] == "s"
    assert b"base64" not in out
    assert next(c for c in changes if c.what == "stripped").end == len(content)


def test_a_multipart_goes_with_all_that_is_in_it() -> None:  # R-REW-08
    content = MIXED % (b"utf-8", b"7bit", b"hello")
    out, _ = sent(content, Cutout("", None, None, "gone"), Cutout("2", None, None, "x"), Cutout("1", 0, 2, "y"))
    assert texts(out)[0] == "gone\n"


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        *product(["utf-8", "iso-2022-jp", "shift_jis", "euc-jp"], ["8bit", "quoted-printable", "base64"]),
        ("utf-16", "base64"),
    ],
)
def test_spans_give_way_in_the_charset_of_the_part(charset: str, encoding: str) -> None:  # R-REW-04 R-REW-08
    text = "日本語 https://evil.example/a と https://evil.example/b です alice@private.example\r\n"
    octets = text.encode(charset)
    codings: dict[str, Literal["base64", "quopri"]] = {"quoted-printable": "quopri", "base64": "base64"}
    raw = octets if encoding == "8bit" else _encoded(octets, codings[encoding])
    content = MIXED % (charset.encode(), encoding.encode(), raw)
    mark = charset == "utf-16"  # is read as a character
    first, second = text.index("https") + mark, text.rindex("https") + mark
    out, changes = sent(
        content,
        Cutout("1", second, second + 22, "〔削除〕"),
        Cutout("1", first, first + 22, "〔削除〕"),
    )
    shown = texts(out)[0].replace("\r\n", "\n").rstrip()
    assert shown.removeprefix("\ufeff") == "日本語 〔削除〕 と 〔削除〕 です alias-b@market.example"
    assert f"charset={charset}".encode() in out
    assert ZIP in out
    assert {change.where for change in changes if change.what == "stripped"} == {"1"}


def _encoded(octets: bytes, coding: Literal["base64", "quopri"]) -> bytes:
    return re.sub(rb"\r*\n", b"\r\n", codecs.encode(octets, coding))


def test_a_charset_that_cannot_say_it_becomes_utf_8() -> None:  # R-REW-08
    content = MIXED % (b"us-ascii", b"7bit", b"see http://evil.example/ now")
    out, _ = sent(content, Cutout("1", 4, 24, "〔削除〕"))
    assert texts(out)[0] == "see 〔削除〕 now"
    assert b"us-ascii" not in out


def test_placeholders_in_html_are_text() -> None:  # R-REW-08
    page = b'<p>a</p><a href="x"><img src="http://evil.example/p.gif"></a>'
    content = b"From: a@x.example\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n" + page
    out, _ = sent(content, Cutout("", 8, len(page), "[<evil.example> 削除]"))
    assert out.endswith(b"<p>a</p>[&lt;evil.example&gt; &#21066;&#38500;]")


def test_inside_a_signature_the_record_says_what_was_broken() -> None:  # R-REW-08
    content = (
        b'From: a@x.example\r\nContent-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nbuy this\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nxx\r\n--b--\r\n"
    )
    out, changes = sent(content, Cutout("1", 4, 8, "[removed]"))
    assert b"buy [removed]" in out
    assert "signature no longer valid" in {change.what for change in changes}


def test_what_cannot_be_stripped_does_not_pass() -> None:  # R-POL-08
    content = MIXED % (b"utf-8", b"7bit", b"hello")
    for cutout in (Cutout("3", None, None, ""), Cutout("1", 2, 99, ""), Cutout("", 0, 1, "")):
        with pytest.raises(ValueError, match="strip"):
            sent(content, cutout)


_TEXT = st.text(st.sampled_from("ab <&=\r\n@あ亜é--"), min_size=1, max_size=60)


@settings(deadline=None)
@given(_TEXT, st.sampled_from(["utf-8", "iso-2022-jp", "cp932"]), st.booleans(), st.data())
def test_any_span_of_any_text(text: str, charset: str, coded: bool, data: st.DataObject) -> None:  # R-REW-04 R-REW-08
    octets = text.encode(charset, "replace")
    text = octets.decode(charset)
    raw = _encoded(octets, "base64") if coded else octets
    content = (
        f"From: a@x.example\r\nContent-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {'base64' if coded else '8bit'}\r\n\r\n"
    ).encode() + raw
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    out, _ = sent(content, Cutout("", start, end, "〔x〕"))
    payload = message_from_bytes(out).get_payload(decode=True)
    assert isinstance(payload, bytes)
    if not coded and b"Transfer-Encoding: base64" in out:  # half a line end is left
        charset, coded = "utf-8", True
    body = payload.decode(charset) if coded else out[mime.body_start(out) :].decode(charset)
    assert body.removesuffix("\r\n") == (text[:start] + "〔x〕" + text[end:]).removesuffix("\r\n")
