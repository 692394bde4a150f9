"""No open element of the writer's swallows the footer: a browser's parser finds it where it is shown."""

import email
import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.support.narrowing import octets
from tests.support.real_mail import SELLER, pass_on, stored

_HIDDEN = {
    "title",
    "style",
    "script",
    "noscript",
    "noframes",
    "textarea",
    "template",
    "select",
    "iframe",
    "object",
    "xmp",
}
OPEN = [
    "<title>",
    "<style>",
    "<style>p {",
    "<noscript>",
    "<noframes>",
    "<textarea>",
    "<select><option>",
    "<template>",
    "<script>",
    "<xmp>",
    "<plaintext>",
    "<iframe>",
    "<object>",
    "<svg>",
    "<math>",
    "<details>",
    "<!-- ",
    "<!-- <title>",
    '<a href="',
    "<a title='",
    "<a href=x ",
    "<div hidden>",
    "<div style='display:none'>Preview",
    "<div style='display:none'><p><b>Preview",
    "<div style='DISPLAY : none'>Preview",
    "<div style='display&#58;none'>Preview",
    "<span style='font-size:0'>",
    "<span style='font-size:0px'>",
    "<p style='visibility:hidden'>",
    "<table style='opacity:0'><tr><td>",
    "<div style='max-height:0;overflow:hidden'>",
    "<div style='display:none'><title>",
    "<title><style><noscript>",
]


def _shown_in(html: str) -> bool:
    node = next(
        (link for link in LexborHTMLParser(html).css("a") if (link.attributes.get("href") or "").endswith("/report")),
        None,
    )
    while node is not None and node.tag not in ("html", "-document"):
        style = (node.attributes.get("style") or "").replace(" ", "").lower()
        is_hidden = (
            node.tag in _HIDDEN or "hidden" in node.attributes or "none" in style or ":0" in style.replace(":0a", "")
        )
        if is_hidden and "clear:both" not in style:
            return False
        node = node.parent
        if node is None or node.tag == "html":
            return True
    return False


def _mail(html: str) -> bytes:
    return f"From: <{SELLER}>\r\nSubject: b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}".encode()


@pytest.mark.parametrize("end", ["", "\r\n</body></html>"])
@pytest.mark.parametrize("opened", OPEN)
def test_an_open_element_does_not_hide_the_footer(opened: str, end: str) -> None:  # R-REW-09
    html = octets(email.message_from_bytes(pass_on(_mail(f"<html><body><p>Your bowl.</p>{opened}{end}")).out)).decode()
    assert _shown_in(html)
    assert "Your bowl." in html


@pytest.mark.parametrize(
    "opened", ["<div hidden>x", "<div style='display:none'><p>x", "<select><option>x", "<details>x"]
)
def test_an_open_element_is_closed_by_its_end_tag_alone(opened: str) -> None:  # R-REW-04 R-REW-09
    html = octets(email.message_from_bytes(pass_on(_mail(f"<p>Your bowl.</p>{opened}")).out)).decode()
    assert re.fullmatch(rf"<p>Your bowl\.</p>{opened}(?:</[a-z]+>)+\s*<div lang=.*", html, re.DOTALL), html


@pytest.mark.parametrize("name", ["c31", "c32"])
def test_real_mail_shows_its_footer(name: str) -> None:
    assert _shown_in(octets(email.message_from_bytes(pass_on(stored(name)).out)).decode())


def test_a_mail_that_shows_nothing_has_the_footer_beside_it() -> None:  # R-REW-09
    out = email.message_from_bytes(pass_on(_mail("<body style='display:none'>hello")).out)
    assert [part.get_content_type() for part in out.walk()] == ["multipart/mixed", "text/html", "text/plain"]


@pytest.mark.parametrize(
    "html",
    [
        "<html><head><title>x</title><style>p {}</style></head><body><div style='display:none'>x</div><p>y</p></body></html>",
        "<p>hello</p>\r\n",
        "<div><!-- x --><p style='width:100px'>hello</p></div>",
    ],
)
def test_a_closed_text_has_the_footer_at_its_end(html: str) -> None:  # R-REW-09
    text = octets(email.message_from_bytes(pass_on(_mail(html)).out)).decode()
    assert text.startswith(html.removesuffix("</body></html>"))
