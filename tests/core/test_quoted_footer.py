"""A footer that a party quotes, in whatever form, does not reach the other side."""

import html
import re
import textwrap
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.footers import HOST, LINK, TOKEN, decoded, mail, plan, reached_across, sent, shown


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


def test_words_written_into_a_quoted_footer_stay() -> None:  # R-REW-09
    received, _ = sent(mail("Where is it?\r\n"), plan("en"))
    lines = flowed_quote(shown(received)[0]).splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "Stop such" in line)
    lines.insert(at, "I do not want to stop this!\r\n")
    out, _ = sent(mail("".join(lines)), plan())
    assert "I do not want to stop this!" in shown(out)[0]
    assert HOST not in shown(out)[0]
