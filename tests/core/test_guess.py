"""Text without a known charset is read as mail programs could best read it, and leaves so that all of them do."""

import email
from email.header import decode_header, make_header
from email.message import Message

import pytest

from relay.core.mail import guess
from tests.support.narrowing import octets
from tests.support.real_mail import BUYER, FOOTER_MARK, SELLER, pass_on, stored

QUESTION = "青い器について質問です。"


def _mail(text: bytes, content_type: str = "text/plain", subject: bytes = b"b", writer: str = BUYER) -> bytes:
    kind = f"Content-Type: {content_type}\r\n".encode() if content_type else b""
    return b"From: <%s>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n%s\r\n%s" % (writer.encode(), subject, kind, text)


def _text(part: Message) -> str:
    return octets(part).decode(str(part.get_content_charset()))


def _subject(out: bytes) -> str:
    return str(make_header(decode_header(email.message_from_bytes(out)["Subject"])))


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "text/plain; charset=us-ascii", "text/plain; charset=x-unknown"]
)
@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "euc_jp", "iso-2022-jp"])
def test_japanese_text_without_a_known_charset_stays_readable(charset: str, content_type: str) -> None:  # R-REW-10
    out = email.message_from_bytes(pass_on(_mail(QUESTION.encode(charset), content_type)).out)
    assert _text(out).startswith(QUESTION)
    assert "注文 1234" in _text(out)


@pytest.mark.parametrize("text", ["Café, réponse demain.", "Grüße aus Köln, 5 €", "it’s “fine” – señor"])
def test_western_text_without_a_known_charset_stays_readable(text: str) -> None:  # R-REW-10
    out = email.message_from_bytes(pass_on(_mail(text.encode("cp1252"), "text/plain; charset=unknown")).out)
    assert _text(out).startswith(text)


@pytest.mark.parametrize("name", ["c06", "c10", "c26"])
def test_real_mail_stays_readable(name: str) -> None:
    out = email.message_from_bytes(pass_on(stored(name)).out)
    assert _text(out).startswith(QUESTION)
    assert out["Content-Transfer-Encoding"] == "8bit"
    assert "注文 1234" in _text(out)


def test_real_mail_with_an_unknown_charset_stays_readable() -> None:
    assert _text(email.message_from_bytes(pass_on(stored("c08")).out)).startswith("Café, réponse demain.")


def test_text_that_cannot_be_told_stays_as_it_is_and_the_footer_stands_beside_it() -> None:  # R-REW-09
    russian = "Когда придёт посылка?".encode("koi8-r")
    for content in (_mail(russian), _mail(b"\xff\xfd\xfc \x81\x8d", "text/plain; charset=x-unknown")):
        parts = [part for part in email.message_from_bytes(pass_on(content).out).walk() if not part.is_multipart()]
        text, footer = parts
        assert octets(text) == content.partition(b"\r\n\r\n")[2]
        assert "注文 1234" in _text(footer)


def test_each_text_of_an_alternative_may_need_the_footer_beside_it() -> None:  # R-REW-09
    body = b"--a\r\nContent-Type: text/plain\r\n\r\n%s\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--a--\r\n"
    content = _mail(body % "Когда придёт посылка?".encode("koi8-r"), "multipart/alternative; boundary=a")
    kinds = [part.get_content_type() for part in email.message_from_bytes(pass_on(content).out).walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/plain"]


@pytest.mark.parametrize("charset", ["koi8-r", "gbk", "big5", "euc-kr", "shift_jis", "windows-1251"])
def test_a_raw_subject_is_read_in_the_charset_of_the_first_text(charset: str) -> None:  # R-REW-03
    subject = {"gbk": "关于订单", "big5": "關於訂單", "euc-kr": "주문에 대하여", "shift_jis": "ご注文"}.get(
        charset, "О заказе"
    )
    passed = pass_on(_mail(b"hello", f"text/plain; charset={charset}", subject.encode(charset)))
    assert (passed.head.subject, _subject(passed.out)) == (subject, subject)
    within = b"--a\r\nContent-Type: text/plain; charset=%s\r\n\r\nhello\r\n--a--\r\n" % charset.encode()
    passed = pass_on(_mail(within, "multipart/mixed; boundary=a", subject.encode(charset)))
    assert _subject(passed.out) == subject


@pytest.mark.parametrize("charset", ["shift_jis", "euc_jp"])
def test_a_raw_important_mark_counts(charset: str) -> None:  # R-POL-04
    subject = "【重要】発送について".encode(charset)
    passed = pass_on(_mail(b"late", "text/plain; charset=us-ascii", subject, SELLER), opt_outs=({},))
    assert passed.verdict.action == "relay"
    assert passed.verdict.bypass
    assert pass_on(stored("07c"), opt_outs=({},)).verdict.bypass


@pytest.mark.parametrize(("name", "subject"), [("07a", "商品についての質問です"), ("c22", "青い器について")])
def test_real_mail_keeps_its_raw_subject(name: str, subject: str) -> None:
    assert _subject(pass_on(stored(name)).out) == subject


def test_a_raw_subject_that_cannot_be_told_keeps_its_octets() -> None:  # R-REW-10
    raw = "Вопрос о посылке, которая не пришла".encode("koi8-r")
    out = email.message_from_bytes(pass_on(_mail(b"hello", subject=raw)).out)
    ((words, charset),) = decode_header(out["Subject"])
    assert (words, charset) == (raw, "unknown-8bit")


def test_a_raw_file_name_is_read_like_the_text() -> None:  # R-REW-04
    part = (
        b'Content-Type: text/plain; charset=shift_jis\r\n\r\nhello\r\n--a\r\nContent-Type: application/pdf; name="%s"'
    )
    name = "見積書.pdf".encode("shift_jis")
    content = _mail(b"--a\r\n" + part % name + b"\r\n\r\n%PDF-1.4\r\n--a--\r\n", "multipart/mixed; boundary=a")
    assert pass_on(content).root.children[1].filename == "見積書.pdf"


@pytest.mark.parametrize(
    "text",
    [
        "it’s late".encode("cp1252"),
        "Müller & Söhne".encode("cp1252"),
        "Вопрос о посылке".encode("koi8-r"),
        "Когда же придёт наша посылка".encode("cp1251"),
        "关于订单的问题，请回复".encode("gbk"),
        "주문에 대하여 질문이 있습니다".encode("euc-kr"),
        bytes(range(128, 256)),
    ],
)
def test_other_text_is_not_taken_for_japanese(text: bytes) -> None:
    assert guess.charset(text) in {"", "windows-1252"}


def test_text_that_was_cut_within_a_character_is_still_utf_8() -> None:
    assert guess.charset((QUESTION * 3).encode()[:-2]) == "utf-8"


def test_a_signed_text_keeps_its_declaration() -> None:  # R-REW-09
    part = (
        b"--a\r\nContent-Type: text/plain\r\n\r\n%s\r\n--a\r\nContent-Type: application/x-other\r\n\r\nx\r\n--a--\r\n"
    )
    content = _mail(part % QUESTION.encode(), "multipart/signed; boundary=a")
    assert part % QUESTION.encode() in pass_on(content, signatures="pass", strip_signatures=False).out


@pytest.mark.parametrize(
    "written",
    ["base64;", "base64; x=y", '"base64"', "'base64'", "base64, 8bit", "BASE64 (x)", "(x (y)) base64", " base64 "],
)
def test_a_transfer_encoding_with_a_tail_is_read_and_written_plainly(written: str) -> None:  # R-REW-10
    content = _mail(b"aGVsbG8=\r\n", f"text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {written}")
    out = email.message_from_bytes(pass_on(content).out)
    assert out["Content-Transfer-Encoding"] == "base64"
    assert octets(out).startswith(b"hello")
    assert FOOTER_MARK.encode() in octets(out)


def test_real_mail_with_a_tail_at_its_encoding_is_decoded() -> None:
    assert (
        octets(email.message_from_bytes(pass_on(stored("06a")).out))
        .decode()
        .startswith("こんにちは、サイズはいくつですか？")
    )


@pytest.mark.parametrize("encoding", ["", "\r\nContent-Transfer-Encoding: 7bit"])
def test_8_bit_text_is_declared_as_such(encoding: str) -> None:  # R-REW-10
    part = f"Content-Type: text/plain; charset=utf-8{encoding}\r\n\r\n{QUESTION}".encode()
    content = _mail(b"--a\r\n%s\r\n--a--\r\n" % part, "multipart/mixed; boundary=a")
    outer, inner = email.message_from_bytes(pass_on(content, footer=False).out).walk()
    assert outer["Content-Transfer-Encoding"] == inner["Content-Transfer-Encoding"] == "8bit"
