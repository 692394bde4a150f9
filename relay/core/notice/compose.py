"""Composes notices: one per failure (R-OUT-05), in the language of the party, with the steps that the reader can take.

A notice about returned, delayed or undeliverable mail has a text for people, and then a delivery report for programs
(RFC 3464). A notice about mail that is held, was relayed with a warning, or was sent for a check (R-POL-19) has only
the text. No address except aliases appears (R-OUT-05), with one exception: the address of a pending sender, about which
the party must decide. A notice has no To field and no signature yet. Both are added when it is delivered, with the null
reverse-path as its sender (R-OUT-07).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from relay.core import alias, redact
from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import OWNER_DECIDES, Reason, ReasonCode, Span
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action, Strip
from relay.core.notice import dsn, encode, frame, values
from relay.core.notice.encode import field
from relay.core.notice.frame import moment
from relay.core.notice.texts import NoticePart, Translations, key, text
from relay.core.signed_link import Purpose

_EXCERPT_CHARS: Final = 300
_LISTED: Final = 20


class NoticeType(StrEnum):
    RETURNED = "returned"
    HELD = "held"
    DELAYED = "delayed"
    UNDELIVERABLE = "undeliverable"
    REPORTED = "reported"
    """An unconfirmed report says that the message could not be delivered (R-OUT-04)."""
    WARNED = "warned"
    """The message was relayed, but a rule of the policy gave a warning or removed a part."""
    CHECKED = "checked"
    """The notice has the verdict that a message to `check+ALIAS` would get if it were sent to the alias (R-POL-19)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAnswer:
    """The SMTP reply of the receiving server, for a notice.

    `text` has no real addresses. `code` is 0 and `enhanced` is "" if the server gave no reply. `host` is a word for the
    provider of the server, such as "docomo" or "smarthost", or ""; it is never the host name.
    """

    text: str
    code: int = 0
    enhanced: str = ""
    host: str = ""


class NoticeLink(NamedTuple):
    """A signed link that the reader of the notice may use, and its purpose."""

    purpose: Purpose
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequest:
    """The content of a notice about one message.

    `notice_id` is the Message-ID of the notice. `original_message_id` is the Message-ID that the writer gave the
    message, "" if it had none. Both have no angle brackets. `subject` is the subject of the message, None if it must
    not be shown. `alias` is the address to which the writer sent the message. `order` is the marketplace's order id, ""
    if the message is about no order. `retry_until` is the time of the last attempt, for delayed mail.

    `reason` is None if a check found no reason. `excerpt` is the text at the span of the reason, with some text around
    it. `others` are further reasons and warnings. `strips` are the removed parts. `not_before` is the time at which a
    hold or a wait ends without a decision. `remaining` is the number of messages that the writer may still send today,
    None if no quota applies.

    `reach` and `action` are set for a check only: whether the seller may write to the buyer about the order, and the
    action that the message would get.
    """

    type: NoticeType
    reason: Reason | None
    marketplace: Marketplace
    notice_id: str
    at: datetime
    record_id: str
    alias: str
    subject: str | None
    original_message_id: str
    received_at: datetime
    order: str = ""
    remote: RemoteAnswer | None = None
    retry_until: datetime | None = None
    excerpt: str = ""
    others: tuple[Reason, ...] = ()
    strips: tuple[Strip, ...] = ()
    links: tuple[NoticeLink, ...] = ()
    not_before: datetime | None = None
    remaining: int | None = None
    reach: Standing | None = None
    action: Action | None = None


_REPORTS: Final = frozenset({NoticeType.RETURNED, NoticeType.DELAYED, NoticeType.UNDELIVERABLE})


def compose(request: NoticeRequest, translations: Translations) -> bytes:
    """Returns the notice as a message without a To field and without a signature.

    It has CRLF line ends, is 7-bit, and has lines of at most 998 octets. The same request gives the same bytes.
    """
    words = _Words(request, translations)
    people = encode.text_part(
        frame.page(_blocks(request, words), request.marketplace, translations), translations.gettext("language")
    )
    head = frame.header(
        request.marketplace,
        request.at,
        request.notice_id,
        words.say(f"subject.{request.type}"),
        answered_id=request.original_message_id,
    )
    if request.type not in _REPORTS or request.reason is None:
        return head + people
    # The writer of the message cannot know the record's id in advance, so no line of the subject can be this boundary.
    boundary = f"=_relay_{request.record_id}"
    parts = (people, *_for_programs(request, request.reason.code, words.subject))
    content_type = field("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"')
    return head + content_type + b"\r\n" + encode.multipart(boundary, parts)


def _for_programs(request: NoticeRequest, code: ReasonCode, subject: str) -> Iterator[bytes]:
    yield dsn.delivery_status(
        request.marketplace.domain,
        request.record_id,
        request.alias,
        code,
        request.received_at,
        delayed=request.type is NoticeType.DELAYED,
        answer=_answer(request.remote) if request.remote and request.remote.code else "",
        retry_until=request.retry_until,
    )
    answered_id = frame.message_id(request.original_message_id)
    yield dsn.original_header(request.alias, subject, answered_id, request.received_at)


class _Words:
    """Looks up the texts of one notice in the catalogue, and fills in their values."""

    def __init__(self, request: NoticeRequest, translations: Translations) -> None:
        self._request, self._translations = request, translations
        self.policy = request.marketplace.policy_at(request.at)
        self._given = values.shown(request.subject or "", request.marketplace)
        self.subject = self._given or translations.gettext(
            "message.no_subject" if request.subject is not None else "message.not_shown"
        )
        self.order_address = alias.tagged(request.alias, request.order) or ""
        self._frame = {
            "alias": request.alias,
            "order": request.order,
            "order_address": self.order_address,
            "record": request.record_id,
            "received": moment(request.received_at, self.policy),
            "subject": self.subject,
            "remaining": str(request.remaining),
            "title": translations.gettext(key(request.reason.code, NoticePart.TITLE)) if request.reason else "",
        }

    def say(self, name: str, /, **more: str) -> str:
        return text(self._translations, name, {**self._frame, **more})

    def of(self, reason: Reason, part: NoticePart) -> str:
        request = self._request
        given = values.of_reason(reason, request.marketplace, self.policy, request.at, self._translations)
        return self.say(key(reason.code, part), important_subject=self._important_subject(), **given)

    def _important_subject(self) -> str:
        """Returns the message's subject with a mark of importance, by which it passes the buyer's opt-out.

        The notice shows it to the writer, who can copy it. The mark is one that the marketplace's policy accepts.
        """
        subject, policy = self._given, self.policy.bypass
        if policy.brackets and policy.important_words:
            word = self.say("mark.important")
            word = word if word in policy.important_words else policy.important_words[0]
            left, right = policy.brackets[0][0], policy.brackets[0][1]
            return f"{left}{word}{right} {subject}".rstrip()
        return " ".join((*policy.additional_information[:1], subject)).strip()


def _blocks(request: NoticeRequest, words: _Words) -> Iterator[str]:
    """Yields the paragraphs of the text for people; empty ones are left out later."""
    yield _lines(words.say(f"lead.{request.type}"), *_found(request, words))
    if request.reason:
        yield from _explained(request, request.reason, words)
    yield _listed(words, "heading.others", [_noticed(reason, words) for reason in request.others])
    if request.type not in _REPORTS:
        heading = "heading.stripped" if request.type is NoticeType.WARNED else "heading.strips"
        yield _listed(words, heading, [_stripped(strip, request, words) for strip in request.strips])
    for purpose, url in request.links:
        yield _lines(words.say(f"link.{purpose.name.lower()}"), url)
    yield _lines(
        words.say("heading.message"),
        words.say("message.to"),
        words.say("message.order") if request.order else "",
        words.say("message.write_to_order") if words.order_address else "",
        words.say("message.subject"),
        words.say("message.received"),
        words.say("message.record"),
    )


def _found(request: NoticeRequest, words: _Words) -> Iterator[str]:
    """Yields the lines about the result of a check, and about the number of messages that are left today."""
    if request.reach:
        yield words.say(f"reach.{request.reach}")
    if request.action:
        yield words.say(f"verdict.{request.action}")
    if request.type is NoticeType.CHECKED and request.not_before:
        yield words.say("checked.at", until=moment(request.not_before, words.policy))
    if request.remaining is not None:
        yield words.say("remaining")
    if request.type is NoticeType.CHECKED and not request.reason:
        yield words.say("again.checked")


def _explained(request: NoticeRequest, reason: Reason, words: _Words) -> Iterator[str]:
    """Yields the four paragraphs about the reason (R-POL-16).

    They say what happened, which rule and which place in the message caused it, what the writer can change, and how to
    send the message again.
    """
    waits = request.type is NoticeType.HELD and reason.code not in OWNER_DECIDES
    next_time = waits or request.type is NoticeType.WARNED
    yield _lines(
        words.say("heading.what"),
        words.of(reason, NoticePart.WHAT),
        *_remote_lines(request, words),
        *_waiting_lines(request, reason, words),
    )
    yield _lines(words.say("heading.rule"), words.of(reason, NoticePart.RULE), *_place_lines(request, reason, words))
    yield _lines(
        words.say("heading.change_next" if next_time else "heading.change"), words.of(reason, NoticePart.CHANGE)
    )
    if request.type is NoticeType.WARNED and request.strips:
        again = words.say("again.stripped")
    elif waits or request.type in {NoticeType.WARNED, NoticeType.CHECKED}:
        again = words.say(f"again.{request.type}")
    else:
        again = words.of(reason, NoticePart.AGAIN)
    yield _lines(words.say("heading.again"), again)


def _place_lines(request: NoticeRequest, reason: Reason, words: _Words) -> Iterator[str]:
    rule = str(reason.code)  # the same word as in SMTP replies and records (R-POL-16)
    if reason.span and _is_field(reason.span):
        yield words.say("rule.field", rule=rule, field=reason.span.part.capitalize())
    else:
        yield words.say("rule.id", rule=rule)
    if quoted := values.shown(request.excerpt, request.marketplace, _EXCERPT_CHARS):
        yield words.say("rule.place", excerpt=quoted)


def _is_field(span: Span) -> bool:
    """Returns whether the span is in a header field, not in a MIME part.

    The path of a MIME part consists of digits and dots; it is "" for the whole message.
    """
    return bool(span.part.strip("0123456789."))


def _remote_lines(request: NoticeRequest, words: _Words) -> Iterator[str]:
    if request.remote:
        said = "remote.said_by" if request.remote.host else "remote.said"
        yield words.say(said, host=request.remote.host, answer=_answer(request.remote))
    if request.retry_until:
        yield words.say("remote.until", until=moment(request.retry_until, words.policy))


def _waiting_lines(request: NoticeRequest, reason: Reason, words: _Words) -> Iterator[str]:
    """Yields the line with the time at which a hold or a wait ends, if it ends at a known time."""
    if request.not_before and request.type is not NoticeType.CHECKED:
        by_itself = request.type is not NoticeType.HELD or reason.code not in OWNER_DECIDES
        yield words.say("sent.at" if by_itself else "held.until", until=moment(request.not_before, words.policy))
    elif request.type is NoticeType.HELD and reason.code in OWNER_DECIDES:
        pending = timedelta(seconds=words.policy.senders.pending_s)
        until = moment(request.received_at + pending, words.policy)
        yield words.say("held.days" if pending.days > 1 else "held.until", days=str(pending.days), until=until)


def _listed(words: _Words, heading: str, lines: list[str]) -> str:
    return _lines(words.say(heading), *lines[:_LISTED]) if lines else ""


def _noticed(reason: Reason, words: _Words) -> str:
    title, change = words.of(reason, NoticePart.TITLE), words.of(reason, NoticePart.CHANGE)
    return words.say("list.item", title=title, change=change)


def _stripped(strip: Strip, request: NoticeRequest, words: _Words) -> str:
    title = words.say(key(strip.code, NoticePart.TITLE))
    name = values.shown(strip.name, request.marketplace)
    return words.say("stripped.item", name=name, title=title) if name else words.say("list.title", title=title)


def _lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _answer(remote: RemoteAnswer) -> str:
    numbers = (str(remote.code) if remote.code else "", remote.enhanced, remote.text)
    return redact.public_answer(" ".join(part for part in numbers if part))
