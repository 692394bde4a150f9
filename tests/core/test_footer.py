"""The reader's footer comes below the mail and breaks nothing; of the writer's own, however quoted, nothing passes."""

import base64
import codecs
import html
import quopri
import re
import textwrap
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.longlines import has_long_line
from relay.core.rewrite.plan import Change, FooterLine, Plan
from relay.core.rewrite.rewrite import rewrite

PREFIX = "https://relay.market.example/l/"
TOKEN = base64.urlsafe_b64encode(bytes((i * 83 + 17) % 251 for i in range(78))).decode()
LINK = PREFIX + TOKEN
HOST = "relay.market.example"
TEXTS = {
    "en": ("Order 250-1", "Stop such messages", "Report this message"),
    "ja": ("注文 250-1", "今後このような連絡を止める", "この連絡を報告する"),
}


def footer(language: str) -> tuple[FooterLine, ...]:
    order, stop, report = TEXTS[language]
    return (FooterLine(order, ""), FooterLine(stop, LINK), FooterLine(report, PREFIX + TOKEN[::-1]))


def plan(language: str = "", *, unsubscribe: str = "") -> Plan:
    return Plan(
        domain="market.example",
        from_address="alias-b@market.example",
        from_name="Alice",
        disguise={"alice@private.example": "alias-b@market.example"},
        message_id="out@market.example",
        thread_ids={},
        thread_key=b"k",
        hidden_hosts=frozenset(),
        footer=footer(language) if language else (),
        language=language or "en",
        unsubscribe=unsubscribe,
        link_prefix=PREFIX,
    )


def sent(content: bytes, given: Plan) -> tuple[bytes, tuple[Change, ...]]:
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, given)
    out = assemble.assemble(content, root.body_start, rewritten.header, rewritten.edits)
    assert not has_long_line(out)
    return out, rewritten.changes


def mail(text: str, charset: str = "utf-8", encoding: str = "8bit", kind: str = "text/plain") -> bytes:
    octets = text.encode(charset)
    raw = {
        "8bit": lambda: octets,
        "7bit": lambda: octets,
        "base64": lambda: codecs.encode(octets, "base64").replace(b"\n", b"\r\n"),
        "quoted-printable": lambda: re.sub(rb"\r*\n", b"\r\n", quopri.encodestring(octets)),
    }[encoding]()
    head = (
        f"From: a@x.example\r\nContent-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + raw


def shown(message: bytes) -> list[str]:
    parsed = message_from_bytes(message, policy=policy.default)
    return [part.get_content().replace("\r\n", "\n") for part in parsed.walk() if part.get_content_maintype() == "text"]


def reached_across(message: bytes, language: str = "ja") -> list[str]:
    """What of the links or of the footer's words is left, in whatever form."""
    texts = [message.decode("latin-1"), *shown(message)]
    texts += [html.unescape(text) for text in texts]
    words = (HOST, TOKEN[:16], TOKEN[-12:], ".:---", ".:___", *TEXTS[language][1:])
    return [word for word in words if any(word in re.sub(r"[\s>]+", "", text) or word in text for text in texts)]


# ---------------------------------------------------------------- put


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


# ---------------------------------------------------------------- removed again


def flowed_quote(text: str) -> str:
    return "".join(f"> {line}\r\n" for line in text.splitlines())


def wrapped_quote(text: str) -> str:
    lines = [wrapped for line in text.splitlines() for wrapped in textwrap.wrap(line, 60) or [""]]
    return "".join(f"> {line}\r\n" for line in lines)


def cut_quote(text: str) -> str:
    """Programs that cut at a column, whatever stands there, and mark only the first piece."""
    return "".join(
        "> " + "\r\n".join(line[at : at + 70] for at in range(0, max(1, len(line)), 70)) + "\r\n"
        for line in text.splitlines()
    )


def bare_quote(text: str) -> str:
    """Phones put the mail below a line, without marks."""
    return "-----Original Message-----\r\n" + text.replace("\n", "\r\n")


def bracketed_quote(text: str) -> str:
    """Outlook's plain text of a page: the label, then the link in angle brackets."""
    return re.sub(r"([^\n]*)[:：]\n(https?://\S+)", r"\1 <\2>", text).replace("\n", "\r\n")


def folded_quote(text: str) -> str:
    """A paragraph filled anew: all on the same lines."""
    return "> " + "\r\n> ".join(textwrap.wrap(" ".join(text.split()), 72, break_long_words=False)) + "\r\n"


PLAIN_QUOTES: list[Callable[[str], str]] = [
    flowed_quote,
    wrapped_quote,
    cut_quote,
    bare_quote,
    bracketed_quote,
    folded_quote,
]


@pytest.mark.parametrize("quoted", PLAIN_QUOTES)
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_quoted_footer_does_not_reach_the_other_side(
    quoted: Callable[[str], str], language: str, encoding: str
) -> None:  # R-REW-09
    received, _ = sent(mail("Where is it?\r\n"), plan(language))
    answer = "It is on its way.\r\n\r\n" + quoted(shown(received)[0]) + "\r\nBest regards\r\nShop\r\n"
    out, changes = sent(mail(answer, encoding=encoding), plan())
    assert reached_across(out, language) == []
    (text,) = shown(out)
    assert text.startswith("It is on its way.\n")
    assert "Where is it?" in text
    assert text.endswith("Best regards\nShop\n")
    assert "own link removed" in {change.what for change in changes}


def gmail(page: str) -> str:
    page = page.replace("style=", 'class="m_-12" style=').replace('lang="ja" ', "")
    return f'<div dir="ltr">new</div><br><div class="gmail_quote"><blockquote>{page}</blockquote></div>'


def outlook(page: str) -> str:
    """Paragraphs in place of breaks, links through a scanner, label and link in their own spans."""
    page = re.sub(
        r'href="([^"]*)"',
        lambda m: (
            'href="https://emea01.safelinks.protection.outlook.com/?url='
            + quote(html.unescape(m[1]), safe="")
            + '&amp;data=05%7C01%7C&amp;reserved=0" originalsrc="'
            + m[1]
            + '"'
        ),
        page,
    )
    page = re.sub(r"<br>\r?\n", '<o:p></o:p></span></p>\r\n<p class="MsoNormal"><span style="color:#666">', page)
    return f'<div class="WordSection1"><p>new</p><div><p class="MsoNormal"><span>{page}</span></p></div></div>'


def apple(page: str) -> str:
    return f'<div>new</div><div><br><blockquote type="cite">{page}</blockquote></div>'


def entities(page: str) -> str:
    return "<p>new</p>" + re.sub(r"(https://[^\"<]*)", lambda m: "".join(f"&#{ord(c)};" for c in m[1]), page)


def broken_words(page: str) -> str:
    """The text of a link with a chance to break after each few letters."""
    text = re.sub(r"<a [^>]*>(.*?)</a>", lambda m: "<wbr>".join(textwrap.wrap(LINK, 9)), page)
    return "<p>new</p>" + text


def detagged(page: str) -> str:
    """Pasted as text: attributes gone, links written out."""
    return "<p>new</p>" + re.sub(r'<a href="([^"]*)">(.*?)</a>', r"\2 &lt;\1&gt;", re.sub(r"</?div[^>]*>", "", page))


@pytest.mark.parametrize("quoted", [gmail, outlook, apple, entities, broken_words, detagged])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_quoted_footer_in_html_does_not_reach_the_other_side(
    quoted: Callable[[str], str], language: str, encoding: str
) -> None:  # R-REW-09
    received, _ = sent(mail("<p>Where is it?</p>", kind="text/html"), plan(language))
    answer = quoted(shown(received)[0]) + "<p>Shop</p>"
    out, _ = sent(mail(answer, encoding=encoding, kind="text/html"), plan())
    assert reached_across(out, language) == []
    (page,) = shown(out)
    assert "new" in page
    assert "<p>Where is it?</p>" in page
    assert page.rstrip().endswith("<p>Shop</p>")
    assert page.count("<div") == page.count("</div")
    assert page.count("<blockquote") == page.count("</blockquote")


@pytest.mark.parametrize("rounds", [12])
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_twelve_rounds_pile_up_no_footer(rounds: int, kind: str) -> None:  # R-REW-09 R-REW-03
    quotes = (gmail, apple, outlook) if kind == "text/html" else (flowed_quote, bare_quote, bracketed_quote)
    body, lengths = "", []
    for number in range(rounds):
        language = ("en", "ja")[number % 2]
        new = f"Round {number}.\r\n"
        quoted = quotes[number % 3](body.replace("\r\n", "\n")) if body else ""
        out, _ = sent(mail(new + quoted, kind=kind), plan(language))
        (body,) = shown(out)
        assert body.count(".:---") == body.count(".:___") == 1
        assert body.count(TOKEN) == 1
        assert all(f"Round {earlier}." in body for earlier in range(number + 1))
        lengths.append(len(body))
    without = sent(mail(body, kind=kind), plan())[0]
    assert reached_across(without, "en") == reached_across(without, "ja") == []
    if kind == "text/plain":
        assert (
            max(b - a for a, b in zip(lengths[2:], lengths[4:], strict=False)) < 250
        )  # no more than text and marks of quoting


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30), max_size=8).map("\r\n".join),
    st.sampled_from(["8bit", "quoted-printable", "base64"]),
    st.sampled_from(["en", "ja"]),
)
def test_put_and_taken_away_a_text_is_what_it_was(text: str, encoding: str, language: str) -> None:  # R-REW-09 R-REW-04
    text += "\r\n"
    text = text.replace(" \r\n", ".\r\n")  # what quoted-printable of this test's own library does not keep
    received, _ = sent(mail(text, encoding=encoding), plan(language))
    back, _ = sent(mail(decoded(received), encoding=encoding), plan())
    assert decoded(back) == text


def decoded(message: bytes) -> str:
    payload = message_from_bytes(message).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


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


def word(page: str) -> str:
    """Each line a paragraph of its own with the colour of the block, as Word makes them."""
    lines = re.sub(r"</?div[^>]*>", "", page).replace("<br>", "").split("\n")
    spans = [f"<p class=MsoNormal><span style='color:#666'>{line}<o:p></o:p></span></p>" for line in lines if line]
    return "<div style='margin-top:12.0pt'>\r\n" + "\r\n".join(spans) + "\r\n</div>\r\n"


def test_no_empty_paragraph_stays_where_a_footer_was() -> None:  # R-REW-09
    received, _ = sent(mail("", kind="text/html"), plan("en"))
    page = f"<p>new</p>\r\n{word(shown(received)[0])}<p>Shop</p>\r\n"
    out, _ = sent(mail(page, kind="text/html"), plan())
    assert shown(out) == ["<p>new</p><p>Shop</p>\n"]


def test_paragraphs_keep_what_is_written_beside_a_footer() -> None:  # R-REW-09
    received, _ = sent(mail("", kind="text/html"), plan("en"))
    inner = word(shown(received)[0])
    inner = inner.replace("'>.:--", "'>before .:--").replace("__:.<", "__:. after<")
    out, _ = sent(mail(inner, kind="text/html"), plan())
    (page,) = shown(out)
    assert "".join(page.split("\n")) == (
        "<div style='margin-top:12.0pt'><p class=MsoNormal><span style='color:#666'>before </span></p>"
        "<p class=MsoNormal><span style='color:#666'> after<o:p></o:p></span></p></div>"
    )


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


def test_words_written_into_a_quoted_footer_stay() -> None:  # R-REW-09
    received, _ = sent(mail("Where is it?\r\n"), plan("en"))
    lines = flowed_quote(shown(received)[0]).splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "Stop such" in line)
    lines.insert(at, "I do not want to stop this!\r\n")
    out, _ = sent(mail("".join(lines)), plan())
    assert "I do not want to stop this!" in shown(out)[0]
    assert HOST not in shown(out)[0]


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
