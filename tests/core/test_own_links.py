"""A signed link of the writer, in whatever form, does not reach the other side."""

import base64
import codecs
import re
from email import message_from_bytes, policy
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.footers import HOST, LINK, TOKEN, mail, plan, sent, shown

HIDDEN = {
    "in the text": f"see {LINK}, or not",
    "without scheme": f"see {LINK.removeprefix('https://')} or not",
    "in capitals": f"see {LINK.replace(HOST, HOST.upper())} or not",
    "percent-encoded": f"see https://click.example/?u={quote(LINK, safe='')}&x=1 or not",
    "percent-encoded twice": f"see https://click.example/?u={quote(quote(LINK, safe=''), safe='')} or not",
    "with entities": "see " + "".join(f"&#x{ord(c):x};" for c in LINK) + " or not",
    "with dots as entities": f"see {LINK.replace('.', '&#46;')} or not",
    "in angle brackets": f"see <{LINK}> or not",
    "in Markdown": f"see [this]({LINK}) or not",
    "with a fragment": f"see {LINK}?utm_source=x#top or not",
    "with an invisible space": f"see {LINK[:20]}\u200b{LINK[20:50]}\u200b{LINK[50:]} or not",
    "in full width": "see " + "".join(chr(ord(c) + 0xFEE0) for c in LINK) + " or not",
    "in a scanner's spelling": "see https://urldefense.example/v2/url?u="
    + LINK.replace("-", "-2D")
    .replace("_", "-5F")
    .replace("://", "-3A__")
    .replace("/l/", "_l_")
    .replace("example/", "example_")
    + "&d=Dw or not",
    "in another scanner's spelling": f"see https://urldefense.com/v3/__{LINK}__;!!abc$ or not",
    "over two lines": f"see {LINK[:70]}\r\n{LINK[70:]}\r\n or not",
    "over three quoted lines": f"> see\r\n> {LINK[:50]}\r\n> {LINK[50:100]}\r\n> {LINK[100:]}\r\n or not",
    "as raw quoted-printable": f"see {LINK[:60]}=\r\n{LINK[60:]} or not",
}


@pytest.mark.parametrize("way", HIDDEN)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/csv"])
def test_a_link_of_the_writers_own_goes_however_it_is_written(way: str, encoding: str, kind: str) -> None:  # R-REW-09
    out, changes = sent(mail(HIDDEN[way] + "\r\n", encoding=encoding, kind=kind), plan())
    (text,) = shown(out)
    assert text.lstrip("> ").startswith("see")
    assert "or not" in text
    assert TOKEN[:12] not in text
    assert TOKEN[-12:] not in text
    assert "own link removed" in {change.what for change in changes}


@pytest.mark.parametrize(
    ("page", "left"),
    [
        (f'<p>a <a href="{LINK}">click <b>me</b></a> b</p>', "<p>a  b</p>"),
        (f"<p>a <a href='{LINK}'>{LINK}</a> b</p>", "<p>a  b</p>"),
        (f'<p>a <img src="{LINK}"> b</p>', "<p>a  b</p>"),
        (f'<form action="{LINK}"><input></form>', '<form action=""><input></form>'),
        (f'<p style="background:url({LINK})">b</p>', '<p style="background:url">b</p>'),
        (f"<p>{LINK}</p>", "<p></p>"),
        (f"<p>&lt;{LINK}&gt;&nbsp;b</p>", "<p>&nbsp;b</p>"),
        (f"<!-- {LINK} --><p>b</p>", "<!--  --><p>b</p>"),
        (f"<p>x {LINK[:40]}<wbr>{LINK[40:]} y</p>", "<p>x  y</p>"),
    ],
)
def test_in_html_the_element_goes_with_the_link(page: str, left: str) -> None:  # R-REW-09
    out, _ = sent(mail(page, kind="text/html"), plan())
    assert shown(out) == [left]


@pytest.mark.parametrize(
    "text",
    [
        f"see https://{HOST}/ and https://{HOST}/help\r\n",
        f"see https://not{HOST}/l/{TOKEN}\r\n",
        f"see https://other.example/l/{TOKEN}\r\n",
        "Signed:\r\n.:--:. my own line .:__:.\r\n",
        "50% &#39;off&#39; = now\r\n",
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_what_is_no_link_of_ours_stays(text: str, kind: str) -> None:  # R-REW-04
    content = mail(text, kind=kind)
    out, changes = sent(content, plan())
    assert out.endswith(b"\r\n\r\n" + text.encode())
    assert "own link removed" not in {change.what for change in changes}


def test_what_follows_a_link_is_not_taken_for_the_rest_of_it() -> None:  # R-REW-09
    out, _ = sent(mail(f"> {LINK}\r\nThanks\r\nJD0123456789\r\n"), plan())
    assert shown(out) == ["Thanks\nJD0123456789\n"]


def test_forwarded_and_signed_mails_are_looked_into() -> None:  # R-REW-09
    inner = (
        b"From: x@market.example\r\nSubject: s\r\nList-Unsubscribe: <"
        + LINK.encode()
        + b">\r\n\r\n> "
        + LINK.encode()
        + b"\r\n"
    )
    for header in (b"7bit", b"base64"):
        body = codecs.encode(inner, "base64").replace(b"\n", b"\r\n") if header == b"base64" else inner
        content = (
            b"From: a@x.example\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n"
            b"Content-Transfer-Encoding: "
            + header
            + b"\r\n\r\n"
            + body
            + b"\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
        )
        out, changes = sent(content, plan())
        found = b"".join(
            base64.b64decode(run)
            for run in re.findall(rb"(?:[A-Za-z0-9+/=]{60,76}\r\n)+[A-Za-z0-9+/=]*", out)
            if b":" not in run
        )
        assert HOST.encode() not in out + found
        assert "signature no longer valid" in {change.what for change in changes}


def test_subjects_carry_no_link() -> None:  # R-REW-09
    out, _ = sent(f"Subject: Fwd: {LINK} 1\r\n".encode() + mail("x\r\n"), plan())
    assert message_from_bytes(out)["Subject"].split() == ["Fwd:", "1"]


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=60).map(lambda o: o.replace(b"\r", b"").replace(b"\n", b"\r\n")), min_size=1, max_size=4
    )
)
def test_other_parts_stay_byte_for_byte(bodies: list[bytes]) -> None:  # R-REW-04 R-REW-09
    head = b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b-b\r\n\r\n"
    text = b"--b-b\r\nContent-Type: text/plain\r\n\r\nhello\r\n> " + LINK.encode() + b"\r\n"
    rest = b"".join(
        b"\r\n--b-b\r\nContent-Type: application/x; name=f.bin\r\nContent-Transfer-Encoding: binary\r\n\r\n\0" + body
        for body in bodies
    )
    out, _ = sent(head + text + rest + b"\r\n--b-b--\r\n", plan("ja"))
    assert out.endswith(rest + b"\r\n--b-b--\r\n")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                LINK,
                LINK[:60],
                ".:" + "-" * 32 + ":.",
                ".:" + "_" * 32 + ":.",
                "<a href=",
                '"',
                ">",
                "</a>",
                "<div>",
                "</div>",
                "\r\n",
                "> ",
                "%2F",
                "&#46;",
                "<!--",
                "a:",
                HOST + "/l/",
                " ",
                "\u3042",
            ]
        ),
        max_size=30,
    ).map("".join),
    st.sampled_from(["text/plain", "text/html"]),
    st.sampled_from(["", "en", "ja"]),
)
def test_no_shape_of_it_breaks_anything(text: str, kind: str, language: str) -> None:  # R-REW-09 R-IN-06
    out, _ = sent(mail(text, kind=kind), plan(language))
    whole = message_from_bytes(out).get_payload(decode=True)
    assert isinstance(whole, bytes)
    assert whole.count(TOKEN.encode()) == (1 if language else 0)


def test_a_file_named_by_a_link_of_the_writers_own_loses_the_name_alone() -> None:  # R-REW-09 R-REW-04
    part = (
        f'Content-Type: text/csv; name="{LINK}.csv"; charset=shift_jis\r\n'
        f'Content-Disposition: attachment; filename="{LINK}.csv"\r\nContent-Description: {LINK}\r\n'
    ).encode()
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"\r\n\x8a\xbf,1\r\n--b--\r\n"
    out, changes = sent(content, plan())
    [file] = message_from_bytes(out, policy=policy.default).iter_attachments()
    assert TOKEN.encode() not in out
    assert (file.get_content_type(), file.get_content_charset(), file.get_filename()) == ("text/csv", "shift_jis", None)
    assert file["Content-Description"] is None
    assert len([change for change in changes if change.where == "1" and change.what == "own link removed"]) == 3
