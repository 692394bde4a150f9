"""The reader's footer comes below the mail and breaks nothing."""

import html
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from relay.core.mail import mime
from relay.core.rewrite.plan import FooterLine, Plan
from tests.support.footers import LINK, TEXTS, footer, mail, plan, sent, shown


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "shift_jis", "euc-jp"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_the_footer_stands_below_in_the_charset_of_the_mail(
    kind: str, charset: str, encoding: str, language: str
) -> None:  # R-REW-09 R-REW-04
    text = (
        "<p>こんにちは = alice@private.example</p>\r\n"
        if kind == "text/html"
        else "こんにちは = alice@private.example\r\n"
    )
    out, changes = sent(mail(text, charset, encoding, kind), plan(language))
    parsed = message_from_bytes(out, policy=policy.default)
    assert parsed.get_content_charset() == charset
    assert parsed["Content-Transfer-Encoding"] == encoding
    (body,) = shown(out)
    assert body.startswith(text.replace("alice@private", "alias-b@market").replace("\r\n", "\n"))
    read = html.unescape(body)
    assert all(word in read for word in TEXTS[language])
    assert LINK in read
    assert [change.where for change in changes if change.what == "footer added"] == [""]


def test_ascii_becomes_utf_8_where_the_footer_is_japanese() -> None:  # R-REW-09 R-REW-10
    out, _ = sent(b"From: a@x.example\r\n\r\nHello = you\r\n", plan("ja"))
    parsed = message_from_bytes(out, policy=policy.default)
    assert parsed.get_content_charset() == "utf-8"
    assert parsed["Content-Transfer-Encoding"] in {"quoted-printable", "base64"}
    assert shown(out)[0].startswith("Hello = you\n\n.:---")
    assert TEXTS["ja"][1] in shown(out)[0]
    assert out.isascii()


def test_html_keeps_its_end_and_its_letters_are_escaped() -> None:  # R-REW-09
    page = "<html><body><table><tr><td>x</td></tr></table></body>\r\n</html>\r\n"
    given = FooterLine('<b>"R&D"</b>', LINK + "?a=1&b=2")
    out, _ = sent(
        mail(page, "us-ascii", "7bit", "text/html"),
        Plan(**{**{f: getattr(plan("ja"), f) for f in Plan.__slots__}, "footer": (*footer("ja"), given)}),
    )
    (body,) = shown(out)
    assert body.endswith("</div>\n</body>\n</html>\n")
    assert "<b>" not in body
    assert "?a=1&amp;b=2" in body
    assert html.unescape(body).count(TEXTS["ja"][1]) == 1
    assert out.isascii()


def test_letters_that_grow_when_small_do_not_move_it() -> None:  # R-REW-04 R-REW-09
    (body,) = shown(sent(mail("<body><p>İstanbul İİİİ</p></body>\r\n", kind="text/html"), plan("en"))[0])
    assert body.startswith("<body><p>İstanbul İİİİ</p>\n<div ")
    assert body.endswith("</div>\n</body>\n")


def test_a_comment_without_an_end_does_not_hide_it() -> None:  # R-REW-09
    out, _ = sent(mail("<p>x</p><!-- hm", kind="text/html"), plan("en"))
    assert "<!-- hm-->" in shown(out)[0]


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><p>x</p></body></html><!-- </body> made by y -->\r\n",
        "<html><body><!-- </body> --><p>x</p>\r\n",
        "<html><body><p>x</p><!--[if mso]></table></body></html><![endif]-->\r\n",
        "<html><body><p>x</p></body></html><script>var y = '</body>';</script>\r\n",
        "<html><body><p>x</p><style>/* </body> */</style>\r\n",
        '<html><body><p>x</p><img alt="</body>">\r\n',
        "<html><body><p>x</p></body></html>\r\n<p>a scanner's word</p>\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_tag_that_ends_no_body_draws_no_footer_to_it(page: str, encoding: str) -> None:  # R-REW-04 R-REW-09
    (body,) = shown(sent(mail(page, "utf-8", encoding, "text/html"), plan("en"))[0])
    assert body.startswith(page.replace("\r\n", "\n"))
    assert body.endswith("</div>\n")


def test_each_alternative_has_its_footer_and_attached_texts_have_none() -> None:  # R-REW-09
    message = EmailMessage()
    message["From"] = "a@x.example"
    message.set_content("hello")
    message.add_alternative("<p>hello</p>", subtype="html")
    message.add_attachment("notes", filename="notes.txt")
    content = message.as_bytes(policy=policy.SMTP)
    out, changes = sent(content, plan("en"))
    text, page, attached = shown(out)
    assert LINK in text
    assert LINK in page
    assert attached == "notes\n"
    assert [change.where for change in changes if change.what == "footer added"] == ["1.1", "1.2"]


def test_flowed_text_keeps_its_paragraphs() -> None:  # R-REW-09
    content = b"From: a@x.example\r\nContent-Type: text/plain; format=flowed\r\n\r\nto be \r\n"
    out, _ = sent(content, plan("en"))
    lines = out[mime.body_start(out) :].split(b"\r\n")
    assert lines[:3] == [b"to be ", b"", b""]
    assert not any(line.endswith(b" ") or line.startswith((b" ", b">", b"From ")) for line in lines[1:])


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_nothing_is_put_inside_a_signature_or_an_encryption(kind: str) -> None:  # R-REW-09
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nxx\r\n--b--\r\n"
    content = b"From: a@x.example\r\nContent-Type: multipart/" + kind.encode() + b"; boundary=b\r\n\r\n" + body
    out, changes = sent(content, plan("en"))
    assert out.endswith(b"\r\n\r\n" + body)
    assert "footer added" not in {change.what for change in changes}


def test_a_mail_without_text_gets_a_part_for_the_footer() -> None:  # R-REW-09
    image = b"Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo="
    alone = b"From: a@x.example\r\n" + image + b"\r\n"
    among = (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        + image
        + b"\r\n--b--\r\nepilogue"
    )
    for content in (alone, among):
        out, _ = sent(content, plan("ja"))
        parsed = message_from_bytes(out, policy=policy.default)
        picture, text = parsed.iter_parts()
        assert picture.get_content_type() == "image/png"
        assert picture.get_content() == b"\x89PNG\r\n\x1a\n"
        assert LINK in text.get_content()
        assert not parsed.defects


@pytest.mark.parametrize("body", [b"", b"\r\n", b"JVBERi0xLjc=\r\n"])
def test_an_attachment_alone_stays_before_its_footer_also_when_it_is_empty(body: bytes) -> None:  # R-REW-09
    head = b'Content-Type: application/pdf; name="bill.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
    out, _ = sent(b"From: a@x.example\r\n" + head + b"\r\n" + body, plan("en"))
    parsed = message_from_bytes(out, policy=policy.default)
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/mixed", "application/pdf", "text/plain"]
    assert [part.defects for part in parsed.walk()] == [[], [], []]
    assert LINK in shown(out)[0]


def test_one_click_opt_out_stands_in_the_header_alone() -> None:  # R-POL-02
    out, _ = sent(mail("hi\r\n"), plan(unsubscribe=LINK))
    parsed = message_from_bytes(out, policy=policy.default)
    assert parsed["List-Unsubscribe"] == f"<{LINK}>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert shown(out) == ["hi\n"]


def test_lists_of_others_do_not_pass() -> None:  # R-REW-02 R-POL-02
    listed = b"List-Unsubscribe: <https://evil.example/>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <x>\r\n"
    out, _ = sent(listed + mail("hi\r\n"), plan(unsubscribe=LINK))
    assert b"evil.example" not in out
    assert b"List-Id" not in out
    assert out.count(b"List-Unsubscribe:") == 1
