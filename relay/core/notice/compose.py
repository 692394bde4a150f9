"""From a reason to a mail that its reader can act on: one notice per failure (R-OUT-05), in the party's language.

Returned, delayed and undeliverable mail is told as a delivery report (RFC 3464) for programs, with a text for people
before it; held mail, of which nothing has failed yet, as text alone. No address but aliases appears (R-OUT-05). What
`compose` yields lacks To and signature: dispatch adds both, and sends it with the null sender (R-OUT-07).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from relay.core import redact
from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import SMTP_NUMBERS, Reason
from relay.core.notice import encode
from relay.core.notice.encode import field
from relay.core.notice.texts import Part, Translations, key, text
from relay.core.rewrite import date

_SUBJECT_CHARS: Final = 200
_MESSAGE_ID: Final = re.compile(r"[!-;=?-~]{1,900}\Z")


class NoticeType(StrEnum):
    RETURNED = "returned"
    HELD = "held"
    DELAYED = "delayed"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAnswer:
    """What the receiving server said: `text` with real addresses already removed, `code` 0 and `enhanced` "" when it
    never spoke. `host` is its class, one word ("docomo", "smarthost") or "", never its name."""

    text: str
    code: int = 0
    enhanced: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequest:
    """All that a notice tells. `notice_id` is its own Message-ID, `original_message_id` that of the message as its
    author knows it ("" for none), both without brackets; `alias` is the address that he wrote to; `order` the
    marketplace's order id; `retry_until` the end of trying, for delayed mail."""

    type: NoticeType
    reason: Reason
    marketplace: Marketplace
    notice_id: str
    at: datetime
    record_id: str
    alias: str
    subject: str
    original_message_id: str
    received_at: datetime
    order: str = ""
    remote: RemoteAnswer | None = None
    retry_until: datetime | None = None


def compose(request: NoticeRequest, translations: Translations) -> bytes:
    """The notice, CRLF-ended, 7-bit, lines of at most 998 octets, without To and signature. Same input, same bytes."""
    values = _values(request, translations)
    people = encode.text_part(_text_for_people(request, translations, values), translations.gettext("language"))
    head = b"".join(_header(request, translations, values))
    if request.type is NoticeType.HELD:
        return head + people
    # Nobody knows a record's id before he writes, so no line of his can be this boundary.
    boundary = f"=_relay_{request.record_id}"
    return b"".join(
        (
            head,
            field("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
            b"\r\n",
            encode.multipart(boundary, (people, _delivery_status(request), _original_header(request, values))),
        )
    )


def _values(request: NoticeRequest, translations: Translations) -> dict[str, str]:
    marketplace = request.marketplace
    subject = redact.clip(redact.addresses(redact.clip(request.subject, _SUBJECT_CHARS), marketplace.domains), 300)
    return {
        **{name: redact.clip(value, _SUBJECT_CHARS) for name, value in request.reason.values},
        "marketplace": marketplace.name,
        "help_url": marketplace.help_url,
        "limit": f"{marketplace.policy_at(request.at).limits.message_bytes / 1_000_000:.0f}",
        "alias": request.alias,
        "order": request.order,
        "record": request.record_id,
        "received": _minute(request.received_at),
        "subject": subject or translations.gettext("message.no_subject"),
        "important_subject": _important_subject(request, translations, subject),
        "title": translations.gettext(key(request.reason.code, Part.TITLE)),
    }


def _important_subject(request: NoticeRequest, translations: Translations, subject: str) -> str:
    """The subject to copy, word for word, that passes the buyer's opt-out under this marketplace's policy."""
    policy = request.marketplace.policy_at(request.at).bypass
    if policy.brackets and policy.important_words:
        word = translations.gettext("mark.important")
        word = word if word in policy.important_words else policy.important_words[0]
        left, right = policy.brackets[0][0], policy.brackets[0][1]
        return f"{left}{word}{right} {subject}".rstrip()
    return " ".join((*policy.additional_information[:1], subject)).strip()


def _header(request: NoticeRequest, translations: Translations, values: dict[str, str]) -> Iterator[bytes]:
    marketplace = request.marketplace
    yield field("Date", date.write(request.at))
    yield field("From", f"{encode.phrase(marketplace.name)} <mailer-daemon@{marketplace.domain}>")
    yield field("Subject", encode.unstructured(text(translations, f"subject.{request.type}", values)))
    yield field("Message-ID", f"<{request.notice_id}>")
    if _MESSAGE_ID.match(request.original_message_id):
        yield field("In-Reply-To", f"<{request.original_message_id}>")
        yield field("References", f"<{request.original_message_id}>")
    yield field("Auto-Submitted", "auto-replied")  # RFC 3834 §5
    yield field("X-Auto-Response-Suppress", "All")
    yield field("MIME-Version", "1.0")


def _text_for_people(request: NoticeRequest, translations: Translations, values: dict[str, str]) -> str:
    def say(name: str, **more: str) -> str:
        return text(translations, name, {**values, **more})

    def part(name: Part) -> str:
        return say(key(request.reason.code, name), **values)

    where = {"rule": request.reason.rule, "field": request.reason.span.part.capitalize() if request.reason.span else ""}
    blocks = [
        say(f"lead.{request.type}"),
        "\n".join((say("heading.what"), part(Part.WHAT), *_remote_lines(request, translations))),
        "\n".join((say("heading.rule"), part(Part.RULE), say("rule.field" if where["field"] else "rule.id", **where))),
        "\n".join((say("heading.change"), part(Part.CHANGE))),
        "\n".join((say("heading.again"), part(Part.AGAIN))),
        "\n".join(
            (
                say("heading.message"),
                say("message.to"),
                *([say("message.order")] if request.order else []),
                say("message.subject"),
                say("message.received"),
                say("message.record"),
            )
        ),
        "-- \n" + say("footer"),
    ]
    return "\n\n".join(blocks) + "\n"


def _remote_lines(request: NoticeRequest, translations: Translations) -> Iterator[str]:
    if request.remote:
        values = {"host": request.remote.host, "answer": _answer(request.remote)}
        yield text(translations, "remote.said_by" if request.remote.host else "remote.said", values)
    if request.retry_until:
        yield text(translations, "remote.until", {"until": _minute(request.retry_until)})


def _delivery_status(request: NoticeRequest) -> bytes:
    """RFC 3464 §2: fields of the message, an empty line, fields of its one recipient. The status is ours."""
    delayed = request.type is NoticeType.DELAYED
    status = ("4" if delayed else "5") + SMTP_NUMBERS[request.reason.code].enhanced[1:]
    fields = [
        field("Content-Type", "message/delivery-status"),
        b"\r\n",
        field("Reporting-MTA", f"dns; {request.marketplace.domain}"),
        field("Arrival-Date", date.write(request.received_at)),
        field("X-Relay-Record", request.record_id),
        b"\r\n",
        field("Final-Recipient", f"rfc822; {request.alias}"),
        field("Action", "delayed" if delayed else "failed"),
        field("Status", status),
        field("X-Relay-Reason", str(request.reason.code)),
    ]
    if request.remote and request.remote.code:
        fields.append(field("Diagnostic-Code", f"smtp; {_answer(request.remote)}"))
    if delayed and request.retry_until:
        fields.append(field("Will-Retry-Until", date.write(request.retry_until)))
    return b"".join(fields)


def _original_header(request: NoticeRequest, values: dict[str, str]) -> bytes:
    """RFC 6522 §3: just enough for the author to find his message."""
    fields = [
        field("Content-Type", "text/rfc822-headers"),
        b"\r\n",
        field("Date", date.write(request.received_at)),
        field("To", request.alias),
        field("Subject", encode.unstructured(values["subject"])),
    ]
    if _MESSAGE_ID.match(request.original_message_id):
        fields.append(field("Message-ID", f"<{request.original_message_id}>"))
    return b"".join(fields)


def _answer(remote: RemoteAnswer) -> str:
    numbers = (str(remote.code) if remote.code else "", remote.enhanced, remote.text)
    return redact.public_answer(" ".join(part for part in numbers if part))


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
