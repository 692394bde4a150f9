"""Marks in subjects: matching brackets, word alone, spans in the text as given, linear in its length."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.head import read_head
from relay.core.mail.mime import MimeLimits, split
from relay.core.model.policy import Policy
from relay.core.policy import subject_marks
from tests.support.mail_case import MailCase

BRACKETS = Policy().bypass.brackets
WORDS = Policy().bypass.important_words
PHRASES = Policy().bypass.additional_information
SPACES = st.text(alphabet=" \t\u3000\u00a0", max_size=5)


@given(
    before=st.text(max_size=30),
    after=st.text(max_size=30),
    pair=st.sampled_from(BRACKETS),
    word=st.sampled_from(["重要", "Important", "IMPORTANT", "iMPORTANT", "ＩＭＰＯＲＴＡＮＴ", "ｉｍｐｏｒｔａｎｔ"]),
    left=SPACES,
    right=SPACES,
)
def test_a_marked_word_is_found_anywhere(  # R-POL-04
    before: str, after: str, pair: str, word: str, left: str, right: str
) -> None:
    mark = pair[0] + left + word + right + pair[1]
    span = subject_marks.important(before + mark + after, BRACKETS, WORDS)
    assert span is not None
    assert span.start <= len(before)
    if span.start == len(before):
        assert span.end == len(before) + len(mark)


@given(company=st.text(alphabet=st.characters(categories=["L", "N", "So"]), min_size=1), pair=st.sampled_from(BRACKETS))
def test_a_word_with_company_is_no_mark(company: str, pair: str) -> None:  # R-POL-04
    for text in (f"重要{company}", f"{company}重要", f"重要 {company}", f"{company} Important"):
        assert subject_marks.important(pair[0] + text + pair[1], BRACKETS, WORDS) is None


@pytest.mark.parametrize("left", [pair[0] for pair in BRACKETS])
@pytest.mark.parametrize("right", [pair[1] for pair in BRACKETS])
def test_brackets_must_match(left: str, right: str) -> None:  # R-POL-04
    span = subject_marks.important(f"{left}重要{right}", BRACKETS, WORDS)
    assert (span is not None) == (left + right in BRACKETS)


@pytest.mark.parametrize(
    "prefix",
    ["", "Re: ", "RE:RE: ", "re : ", "Re[2]: ", "Re(3): ", "Re^2: ", "Re*2: ", "Ｒｅ：", "返信: ", "返信：Re: "],
)
@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_pass_after_any_chain_of_replies(prefix: str, phrase: str) -> None:  # R-POL-04
    subject = f"{prefix}{phrase} (order 1)"
    span = subject_marks.additional_information(subject, PHRASES)
    assert span is not None
    assert subject[span.start : span.end] == phrase


@pytest.mark.parametrize("prefix", ["Order: ", "[shop] ", "Ref: ", "Re ", "Reply: ", "x"])
@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_after_anything_else_do_not(prefix: str, phrase: str) -> None:  # R-POL-04
    assert subject_marks.additional_information(prefix + phrase, PHRASES) is None


def test_a_phrase_in_full_width_letters_has_its_span_in_the_text_as_given() -> None:  # R-POL-04 R-POL-16
    subject = "Re: Ａｄｄｉｔｉｏｎａｌ　Information required!"
    span = subject_marks.additional_information(subject, PHRASES)
    assert span is not None
    assert subject[span.start : span.end] == "Ａｄｄｉｔｉｏｎａｌ　Information required"


def test_nothing_configured_nothing_found() -> None:
    assert subject_marks.important("[重要]", (), WORDS) is None
    assert subject_marks.important("[重要]", BRACKETS, ()) is None
    assert subject_marks.additional_information("x", ("",)) is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "hostile",
    [
        "[",
        "[ ",
        "[重要",
        "([［（【「",
        "[" + " " * 80,
        "Re:",
        "Re: ",
        "Re",
        "Re" + " " * 50,
        "返信 ",
        "Re[2]",
        "重要]",
        "[" + "\u3000" * 63,
    ],
)
def test_a_hostile_subject_is_no_more_than_long(hostile: str) -> None:
    """100 KB each; what is quadratic here takes minutes and runs into the time limit."""
    subject = hostile * (100_000 // len(hostile))
    assert MailCase(subject=subject, opt_outs=({},)).verdict().action == "return"


def _encoded(text: str, charset: str, encoding: str, pieces: int) -> bytes:
    """`text` as encoded-words of `pieces` characters' groups, each with its own shifts, folded (RFC 2047 §2, §5)."""
    size = -(-len(text) // pieces)
    words = []
    for start in range(0, len(text), size):
        raw = text[start : start + size].encode(charset)
        if encoding == "B":
            words.append(f"=?{charset}?B?{base64.b64encode(raw).decode()}?=")
        else:
            words.append(f"=?{charset}?Q?{''.join(f'={byte:02X}' for byte in raw)}?=")
    return "\r\n ".join(words).encode()


def _subject(value: bytes) -> str:
    content = b"From: shop@seller.example\r\nSubject: " + value + b"\r\n\r\nhello\r\n"
    return read_head(content, split(content, MimeLimits())).subject


@pytest.mark.parametrize("pair", BRACKETS)
@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8", "cp932"])
@pytest.mark.parametrize("encoding", ["B", "Q"])
@pytest.mark.parametrize("pieces", [1, 3, 7, 50])
def test_a_mark_is_found_in_any_charset_and_however_it_is_split(
    pair: str, charset: str, encoding: str, pieces: int
) -> None:  # R-POL-04
    for mark in (f"{pair[0]}重要{pair[1]}", f"{pair[0]} 重 要 {pair[1]}", f"{pair[0]}Important{pair[1]}"):
        subject = _subject(_encoded(f"Re: {mark}お届け先のご確認", charset, encoding, pieces))
        span = subject_marks.important(subject, BRACKETS, WORDS)
        assert span is not None, subject
        assert subject[span.start : span.end] == mark
    harmless = _subject(_encoded(f"Re: {pair[0]}重要なお知らせ{pair[1]}", charset, encoding, pieces))
    assert subject_marks.important(harmless, BRACKETS, WORDS) is None


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_is_found_in_any_charset_and_however_it_is_split(  # R-POL-04
    charset: str, pieces: int, phrase: str
) -> None:
    subject = _subject(_encoded(f"Re: {phrase}", charset, "B", pieces))
    assert subject_marks.additional_information(subject, PHRASES) is not None


@pytest.mark.parametrize("pair", BRACKETS)
def test_a_mark_is_found_in_raw_utf8(pair: str) -> None:  # R-POL-04, RFC 6532
    mark = f"{pair[0]}重要{pair[1]}"
    assert subject_marks.important(_subject(f"{mark}ご確認".encode()), BRACKETS, WORDS) is not None
