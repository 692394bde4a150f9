"""Notices as mails and as lines of the dialogue: what they tell, and what never stands in them."""

import email
import re
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import texts
from relay.core import redact
from relay.core.model.kind import Kind
from relay.core.model.policy import Bypass, Policy
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Action, Verdict
from relay.core.notice import smtp_text
from relay.core.notice.compose import NoticeRequest, NoticeType, RemoteAnswer, compose
from relay.core.notice.texts import LANGUAGES
from tests.support.mail_case import NOW, MailCase, marketplace
from tests.support.narrowing import not_none, parts

CATALOGUE = texts.load()
REFUSING = [code for code in ReasonCode if code.smtp]
ALIAS = "buyeraliasbuyer2@ichiba.example"
ORDER_ALIAS = "buyeraliasbuyer2+250-1@ichiba.example"
RECORD = "01hzy2k4m6p8r0t2v4x6z8b0c2"
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

RETURNED = NoticeRequest(
    type=NoticeType.RETURNED,
    reason=Reason(code=ReasonCode.OPTED_OUT, span=Span(part="subject", start=0, end=17)),
    marketplace=marketplace(),
    notice_id="notice-1@ichiba.example",
    at=NOW,
    record_id=RECORD,
    alias=ALIAS,
    subject="Your order 250-1",
    original_message_id="m1@client.invalid",
    received_at=NOW - timedelta(seconds=5),
    order="250-1",
)
ANSWER = RemoteAnswer(
    host="docomo", code=550, enhanced="5.1.1", text="<hanako@mail.example>: unknown user (mx1.mail.example [192.0.2.7])"
)
REQUESTS = {
    "returned-opted-out": RETURNED,
    "returned-opted-out-japanese-subject": replace(RETURNED, subject="Re: 発送のお知らせ"),
    "held-sender-pending": replace(
        RETURNED,
        type=NoticeType.HELD,
        reason=Reason(code=ReasonCode.SENDER_PENDING, span=Span(part="from", start=0, end=1)),
        order="",
    ),
    "delayed": replace(
        RETURNED,
        type=NoticeType.DELAYED,
        reason=Reason(code=ReasonCode.DELAYED),
        remote=RemoteAnswer(code=451, enhanced="4.7.1", text="greylisted"),
        retry_until=NOW + timedelta(days=5),
    ),
    "undeliverable-mailbox-unknown": replace(
        RETURNED,
        type=NoticeType.UNDELIVERABLE,
        reason=Reason(code=ReasonCode.MAILBOX_UNKNOWN),
        remote=ANSWER,
    ),
}


def notice(request: NoticeRequest, language: str = "en") -> bytes:
    return compose(request, CATALOGUE(language))


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert not part.defects, part.defects
    return message


def text_of(message: EmailMessage) -> str:
    text = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    return str(text.get_content()).replace("\r\n", "\n")


def drawn(content: bytes) -> str:
    """A mail for a golden file: header fields as they are, texts decoded."""
    message = email.message_from_bytes(content)
    parts = []
    for part in message.walk():
        header = "".join(f"{name}: {value}\n" for name, value in part.items())
        body = part.get_payload(decode=True)
        parts.append(f"{header}\n" + (body.decode().replace("\r\n", "\n") if isinstance(body, bytes) else ""))
    return "\n".join(parts).replace("\r\n", "\n")


def decoded(content: bytes) -> str:
    """All that a mail program could show of it."""
    message = read(content)
    return "\n".join([*(str(value) for part in message.walk() for value in part.values()), text_of(message)])


@pytest.mark.parametrize("kind", NoticeType)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REFUSING)
def test_every_reason_makes_a_valid_mail(code: ReasonCode, language: str, kind: NoticeType) -> None:  # R-REW-10
    request = replace(RETURNED, type=kind, reason=Reason(code=code), subject="納期について")
    content = notice(request, language)
    message = read(content)
    assert content.isascii()
    assert re.search(rb"[^\r]\n|\r[^\n]|\r\Z", content) is None
    assert content.endswith(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert message["Subject"].endswith("納期について")
    assert CATALOGUE(language).gettext(f"{code}.title") in message["Subject"] or kind in {
        NoticeType.CHECKED,
        NoticeType.REPORTED,
    }
    assert "{" not in text_of(message)


@pytest.mark.parametrize("name", REQUESTS)
def test_no_machine_answers_a_notice_and_it_threads(name: str) -> None:  # R-OUT-07 R-OUT-08
    message = read(notice(REQUESTS[name]))
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<m1@client.invalid>"
    assert message["Message-ID"] == "<notice-1@ichiba.example>"
    assert (message["To"], message["MIME-Version"]) == (None, "1.0")
    assert message["From"].addresses[0].addr_spec == "mailer-daemon@ichiba.example"
    assert message["From"].addresses[0].display_name == "Ichiba"


def test_programs_read_what_failed() -> None:  # R-OUT-05, RFC 3464
    message = read(notice(REQUESTS["undeliverable-mailbox-unknown"]))
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    people, status, original = message.iter_parts()
    assert [part.get_content_type() for part in (people, status, original)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    per_message, per_recipient = parts(status)
    assert (per_message["Reporting-MTA"], per_message["X-Relay-Record"]) == ("dns; ichiba.example", RECORD)
    assert per_recipient["Final-Recipient"] == f"rfc822; {ALIAS}"
    assert (per_recipient["Action"], per_recipient["Status"]) == ("failed", "5.1.1")
    assert per_recipient["X-Relay-Reason"] == "mailbox_unknown"
    fields = email.message_from_string(str(original.get_payload()), policy=policy.default)
    assert sorted(fields.keys()) == ["Date", "Message-ID", "Subject", "To"]
    assert (fields["Subject"], fields["To"]) == ("Your order 250-1", ALIAS)


@pytest.mark.parametrize(("kind", "action", "digit"), [("delayed", "delayed", "4"), ("undeliverable", "failed", "5")])
@pytest.mark.parametrize("code", REFUSING)
def test_status_and_action_agree(code: ReasonCode, kind: str, action: str, digit: str) -> None:  # RFC 3464 §2.3.3
    request = replace(RETURNED, type=NoticeType(kind), reason=Reason(code=code))
    content = notice(request).decode()
    assert f"\r\nAction: {action}\r\n" in content
    assert f"\r\nStatus: {digit}.{not_none(code.smtp).enhanced[2:]}\r\n" in content


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", REQUESTS)
def test_no_address_but_aliases_and_no_host_of_the_other_side(name: str, language: str) -> None:  # R-OUT-05
    hostile = replace(
        REQUESTS[name],
        subject="連絡先は hanako@mail.example または ＨＡＮＡＫＯ＠mail.example です <hanako@mail.example>",
        remote=ANSWER,
    )
    seen = decoded(notice(hostile, language))
    own = {"mailer-daemon@ichiba.example", ALIAS, ORDER_ALIAS, "notice-1@ichiba.example", "m1@client.invalid"}
    assert set(ADDRESS.findall(seen)) <= own
    for secret in ("hanako", "ＨＡＮＡＫＯ", "mail.example", "192.0.2.7"):
        assert secret not in seen


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("5.1.1 user unknown", "5.1.1 user unknown"),
        ("<hanako>: no such user", "[host]: no such user"),
        ("see https://mail.example/?q=hanako for more", "see [host] for more"),
        ("host mx1.mail.example [2001:db8::7] refused", "host [host] [[host]] refused"),
        ("blocked: 192.0.2.7", "blocked: [host]"),
    ],
)
def test_words_of_another_server_lose_hosts(said: str, shown: str) -> None:  # R-OUT-03 R-OUT-05
    assert redact.public_answer(said) == shown


def test_an_alias_in_the_subject_stays() -> None:  # R-OUT-05
    assert f"Subject: about {ALIAS}\n" in text_of(read(notice(replace(RETURNED, subject=f"about {ALIAS}"))))


@pytest.mark.parametrize(("language", "exact"), [("en", "[Important] Re: 返品"), ("ja", "[重要] Re: 返品")])
def test_the_subject_to_copy_passes_the_opt_out(language: str, exact: str) -> None:  # R-POL-04
    text = text_of(read(notice(replace(RETURNED, subject="Re: 返品"), language)))
    assert exact in text.splitlines()
    assert MailCase(subject=exact, opt_outs=({},)).verdict().action is Action.RELAY


@pytest.mark.parametrize(
    "changes",
    [{"brackets": ("【】",)}, {"important_words": ("緊急",)}, {"brackets": ()}, {"important_words": ()}],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_subject_to_copy_follows_the_policy(language: str, changes: dict[str, Any]) -> None:  # R-POL-04
    request = replace(RETURNED, marketplace=marketplace(policies=(Policy(bypass=Bypass(**changes)),)), subject="返品")
    lines = text_of(read(notice(request, language))).splitlines()
    exact = next(line for line in lines if line.endswith(" 返品"))
    assert (
        MailCase(subject=exact, opt_outs=({},), policy={"bypass": Bypass(**changes)}).verdict().action is Action.RELAY
    )


@given(subject=st.text(max_size=300), message_id=st.text(max_size=100), order=st.text(max_size=20))
def test_whatever_the_author_wrote_the_notice_stays_whole(subject: str, message_id: str, order: str) -> None:
    content = notice(replace(RETURNED, subject=subject, original_message_id=message_id, order=order))
    message = read(content)
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    header = content.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in header.split(b"\r\n") if not line.startswith(b" ")]
    allowed = b"Date From Subject Message-ID In-Reply-To References Auto-Submitted X-Auto-Response-Suppress".split()
    assert set(names) <= {*allowed, b"X-Relay-Loop", b"MIME-Version", b"Content-Type"}
    assert len(names) == len(set(names))


def test_a_long_subject_is_clipped() -> None:
    assert len(notice(replace(RETURNED, subject="長" * 100_000), "ja")) < 20_000


def test_a_japanese_marketplace_name_can_be_read() -> None:
    name = "いちば・マーケットプレイス株式会社"
    content = notice(replace(RETURNED, marketplace=marketplace(name=name)), "ja")
    written = email.message_from_bytes(content)["From"]  # the newer parser leaves a blank between encoded words
    assert str(make_header(decode_header(written))) == f"{name} <mailer-daemon@ichiba.example>"


# ---------------------------------------------------------------- the dialogue


def verdict(action: Action, *codes: ReasonCode, notify: bool = True, **more: Any) -> Verdict:
    reasons = tuple(Reason(code=code) for code in codes)
    return Verdict(action=action, reasons=reasons, kind=Kind.OTHER, notify=notify, policy_version="1", **more)


LINK = Reason(code=ReasonCode.EXTERNAL_LINK)
MIDNIGHT = datetime(2026, 7, 2, tzinfo=ZoneInfo("Asia/Tokyo"))


def test_unknown_alias_and_stranger_get_the_same_bytes() -> None:  # R-ADR-07
    at_rcpt = smtp_text.reply(ReasonCode.ADDRESS_UNKNOWN, marketplace())
    after_data = smtp_text.reply(ReasonCode.ADDRESS_UNKNOWN, marketplace(), record_id=RECORD)
    assert str(at_rcpt) == str(after_data)
    assert str(at_rcpt) == (
        "550 5.1.1 Address unknown, or yours is not registered to write to it (address_unknown); see https://ichiba.example/help"
    )


@pytest.mark.parametrize(
    ("judged", "line"),
    [
        (verdict(Action.RELAY), f"250 2.0.0 {RECORD} recorded and queued"),
        (
            verdict(Action.RETURN, ReasonCode.OPTED_OUT),
            f"250 2.0.0 {RECORD} recorded, not delivered (opted_out), notice follows",
        ),
        (verdict(Action.RETURN, ReasonCode.LOOP, notify=False), f"250 2.0.0 {RECORD} recorded, not delivered (loop)"),
        (
            verdict(Action.HOLD, ReasonCode.SENDER_PENDING),
            f"250 2.0.0 {RECORD} held, this From address waits for the account owner's approval (sender_pending)",
        ),
        (
            verdict(Action.RELAY, remaining=12),
            f"250 2.0.0 {RECORD} recorded and queued; 12 more today",
        ),
        (
            verdict(Action.RELAY, warnings=(LINK, LINK), disclosed_until=MIDNIGHT, remaining=0),
            f"250 2.0.0 {RECORD} recorded and queued (warning: external_link); waits until 2026-07-01 15:00 UTC; 0 more today",
        ),
        (
            verdict(Action.HOLD, ReasonCode.QUOTA_PAIR, disclosed_until=MIDNIGHT),
            f"250 2.0.0 {RECORD} held until 2026-07-01 15:00 UTC, Too many messages to this recipient today (quota_pair)",
        ),
    ],
)
def test_what_was_recorded_is_answered_with_its_id(judged: Verdict, line: str) -> None:  # R-POL-16
    assert str(smtp_text.reply_for_verdict(judged, RECORD, marketplace())) == line


def test_reject_at_data_makes_a_return_the_reasons_own_refusal() -> None:
    judged, strict = verdict(Action.RETURN, ReasonCode.OPTED_OUT), marketplace(reject_at_data=True)
    refusal = smtp_text.reply_for_verdict(judged, RECORD, strict)
    assert (refusal.code, refusal.enhanced) == (550, "5.7.1")
    assert smtp_text.reply_for_verdict(judged, RECORD, strict, reject=False).code == 250
    assert smtp_text.reply_for_verdict(verdict(Action.HOLD, ReasonCode.SENDER_PENDING), RECORD, strict).code == 250


@pytest.mark.parametrize("code", [ReasonCode.QUOTA_SELLER, ReasonCode.QUOTA_PAIR, ReasonCode.QUOTA_BUYER])
def test_a_refusal_over_quota_says_when_to_try_again(code: ReasonCode) -> None:  # R-POL-11
    line = str(smtp_text.reply(code, marketplace(), detail="again from 2026-07-02T00:00:00+09:00"))
    assert line.startswith("450 4.7.1 ")
    assert f": again from 2026-07-02T00:00:00+09:00 ({code})" in line


@pytest.mark.parametrize("code", REFUSING)
def test_no_answer_outgrows_a_line(code: ReasonCode) -> None:  # RFC 5321 §4.5.3.1.5
    warning = Reason(code=code)
    for action in Action:
        judged = verdict(action, code, warnings=(warning,) * 50, disclosed_until=MIDNIGHT, remaining=10**9)
        line = str(smtp_text.reply_for_verdict(judged, RECORD, marketplace()))
        assert line.isascii()
        assert len(line) <= 490


@pytest.mark.parametrize("code", REFUSING)
def test_every_refusal_is_one_short_ascii_line_with_help(code: ReasonCode) -> None:  # R-ADR-07 R-POL-16
    line = str(
        smtp_text.reply(code, marketplace(help_url="https://ichiba.example/助け?" + "x" * 200), record_id=RECORD)
    )
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= 510
    assert "%E5%8A%A9" in line
    assert line.startswith(f"{not_none(code.smtp).code} {not_none(code.smtp).enhanced} ")


def test_a_help_page_that_does_not_fit_a_line_is_left_out() -> None:
    line = str(smtp_text.reply(ReasonCode.LOOP, marketplace(help_url="https://ichiba.example/" + "x" * 600)))
    assert line == "554 5.4.6 Mail loop (loop)"


def test_outside_of_any_marketplace_there_is_still_an_answer() -> None:  # R-ADR-08
    assert (
        str(smtp_text.reply(ReasonCode.NO_RELAYING, None))
        == "550 5.7.1 Not a recipient of this server; no relaying (no_relaying)"
    )
