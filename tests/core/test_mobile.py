"""Readers at a mobile carrier get text first, whatever the writer's program made (R-ADR-03)."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import assemble, plaintext
from relay.core.rewrite.longlines import has_long_line
from relay.core.rewrite.plan import Cutout, FooterLine
from relay.core.rewrite.rewrite import rewrite
from tests.core.test_rewrite import PLAN

MOBILE = replace(PLAN, mobile=True)
_HTML = "<html><body><p>Hello <b>Größe</b></p><p>Second</p></body></html>"
_PNG = "Content-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
_HTML_PART = f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{_HTML}\r\n"


def _mail(body: str, kind: str = "", **more: Any) -> EmailMessage:
    content = f"From: x@y.example\r\nSubject: s\r\nMIME-Version: 1.0\r\n{kind}{body}".encode()
    root = mime.split(content, mime.MimeLimits())
    result = rewrite(content, root, replace(MOBILE, **more))
    out = assemble.assemble(content, mime.body_start(content), result.header, result.edits)
    message = message_from_bytes(out, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not any(part.defects for part in message.walk())
    assert not has_long_line(out)
    return message


def _parts(kind: str, *parts: str) -> str:
    return (
        f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n"
        + "".join(f"--b\r\n{part}" for part in parts)
        + "--b--\r\n"
    )


def _shape(message: MIMEPart) -> Any:
    kind = message.get_content_type().partition("/")[2]
    return (kind, *(map(_shape, message.iter_parts()))) if message.is_multipart() else kind


def _first(message: EmailMessage) -> str:
    text = next(part for part in message.walk() if not part.is_multipart())
    assert text.get_content_type() == "text/plain"
    return str(text.get_content())


def test_html_alone_gets_a_text_before_it() -> None:
    message = _mail(_HTML_PART)
    assert _shape(message) == ("alternative", "plain", "html")
    assert _first(message).replace("\r\n", "\n").strip() == "Hello Größe\n\nSecond"
    (_, html) = message.iter_parts()
    assert html.get_content().strip() == _HTML
    assert message.get_all("Content-Transfer-Encoding") is None


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (_parts("mixed", _HTML_PART, _PNG), ("mixed", ("alternative", "plain", "html"), "png")),
        (_parts("related", _HTML_PART, _PNG), ("alternative", "plain", ("related", "html", "png"))),
        (_parts("alternative", _HTML_PART), ("alternative", ("alternative", "plain", "html"))),
        (
            _parts("alternative", _HTML_PART, "Content-Type: text/plain\r\n\r\nplain\r\n"),
            ("alternative", "plain", "html"),
        ),
        (
            _parts("alternative", "Content-Type: text/plain\r\n\r\nplain\r\n", _HTML_PART),
            ("alternative", "plain", "html"),
        ),
        (_parts("mixed", "Content-Type: text/plain\r\n\r\nplain\r\n", _PNG), ("mixed", "plain", "png")),
        (_parts("signed", _HTML_PART, _PNG), ("signed", "html", "png")),
        ("Content-Type: text/plain\r\n\r\nplain\r\n", "plain"),
        ("Content-Type: text/html\r\n\r\n<p> <img src='cid:1'></p>\r\n", "html"),
    ],
)
def test_every_shape_comes_out_text_first_and_otherwise_as_it_was(body: str, shape: Any) -> None:
    message = _mail(body)
    assert _shape(message) == shape
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert all(part.get_content() == b"\x89PNG\r\n\x1a\n" for part in pictures)


def test_other_readers_get_html_as_it_is() -> None:
    assert _shape(_mail(_HTML_PART, mobile=False)) == "html"


def test_the_text_says_what_the_reader_gets_after_all_other_passes() -> None:  # R-REW-01, R-REW-09
    body = _HTML_PART.replace("Second", "write to alice@private.example <a href='https://x.example/t?1'>parcel</a>")
    footer = (FooterLine("Stop such mail", "https://market.example/l/1"),)
    text = _first(_mail(body, footer=footer))
    assert "private" not in text
    assert "alias-b@market.example" in text
    assert "parcel <https://x.example/t?1>" in text
    assert "Stop such mail" in text
    assert "https://market.example/l/1" in text


def test_an_address_is_not_put_together_by_the_text() -> None:  # R-REW-01
    body = _HTML_PART.replace("Second", "<img alt='alice' src='x'>@private.example")
    assert "private" not in _first(_mail(body))


def test_what_policy_cut_out_is_not_in_the_text() -> None:
    at = _HTML.index("Second")
    text = _first(_mail(_HTML_PART, cutouts=(Cutout("", at, at + 6, "[removed]"),)))
    assert "Second" not in text
    assert "[removed]" in text


def test_html_with_a_long_line_is_wrapped_and_so_is_its_text() -> None:  # R-REW-10
    words = "word " * 500
    message = _mail(_HTML_PART.replace("Second", words))
    assert _shape(message) == ("alternative", "plain", "html")
    assert words.strip() in _first(message).replace("\r\n", "\n")


# ---------------------------------------------------------------- the text of HTML


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<br>b</p>", "a\nb\n"),
        ("<ul><li>one<li>two</ul>", "- one\n- two\n"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc\n"),
        ("<style>p{}</style><script>x</script><title>t</title><!-- c -->shown", "shown\n"),
        ("a&nbsp;&amp;&#x41;", "a &A\n"),
        ('<a href="mailto:a@b.example">a@b.example</a> <a href="#x">y</a>', "a@b.example y\n"),
        ('<img alt="Logo" src="cid:1"> <a href="https://x.example/">here</a>', "Logo here <https://x.example/>\n"),
        ("  \n ", ""),
        ("<h1>T</h1><div>a</div><div>b</div>", "T\n\na\nb\n"),
    ],
)
def test_html_reads_as_its_text(html: str, text: str) -> None:
    assert plaintext.of_html(html) == text


@pytest.mark.parametrize(
    "hostile",
    [
        "<b>" * 100_000 + "x",
        "<b></x>" * 50_000 + "x",
        "<li><ul>" * 50_000 + "x",
        "<" * 100_000 + " x",
        "<b>" * 300 + "x" + "<!--" * 50_000,
    ],
)
def test_a_tree_without_end_costs_no_stack_and_keeps_its_text(hostile: str) -> None:  # R-IN-06
    assert plaintext.of_html(hostile).endswith("x\n")


_BITS = ["<p>", "</p>", "<a href='x'>", "</a>", "<b>", "</i>", "<table>", "<td>", "<!--", "-->", "<", "&", "x", "\n"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(_BITS)).map("".join))
def test_any_html_gives_some_text(html: str) -> None:
    text = plaintext.of_html(html)
    assert text == "" or text.endswith("\n")
