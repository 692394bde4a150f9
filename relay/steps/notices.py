"""Notices to the writer of a message: one for each failure, sent only to a proven address (R-OUT-07)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from relay.core import redact
from relay.core.mail import encodings
from relay.core.mail.address import fold
from relay.core.mail.head import HeadError, read_head
from relay.core.mail.mime import MimeError, Part
from relay.core.mail.mime import split as split_mime
from relay.core.model.event import NoticeData
from relay.core.model.facts import Proof
from relay.core.model.item import Hold, Item, ItemKind
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Action
from relay.core.notice.compose import NoticeLink, NoticeRequest, NoticeType, RemoteAnswer, compose
from relay.core.providers import host_class
from relay.core.signed_link import Purpose
from relay.ports import Delivery, ListedBy, OutgoingNotice
from relay.steps import queueing
from relay.steps.outcomes import Checked, Judgement
from relay.steps.plan import locale_of
from relay.steps.recipients import Recipient
from relay.steps.services import NoticeSlots, Services, SignedLinkUrls

VERDICT_TYPES: Final = {
    Action.RETURN: NoticeType.RETURNED,
    Action.HOLD: NoticeType.HELD,
    Action.RELAY: NoticeType.WARNED,
}
_NO_FAULTS: Final = frozenset(
    {
        ReasonCode.ANSWER,
        ReasonCode.MARKED_IMPORTANT,
        ReasonCode.ADDITIONAL_INFORMATION,
        ReasonCode.CRITICAL_KIND,
        ReasonCode.QUIET_HOURS,
    }
)
"""The reasons that require no action by the reader. The section "Also noticed" of a notice leaves them out."""
_ENDED_HOLDS: Final = frozenset({ReasonCode.HOLD_EXPIRED, ReasonCode.HOLD_REFUSED})
_EXCERPT_MARGIN: Final = 40
_EXCERPT_LONGEST: Final = 120
_LINKS: Final = {
    ReasonCode.THREAD_CLOSED: Purpose.REOPEN,
    ReasonCode.CHANNEL_OFF: Purpose.PRODUCT_SUPPORT,
}


OWN_ALIAS: Final = Reason(code=ReasonCode.OWN_ALIAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSubject:
    """The message that a notice is about.

    - `author` is the side of the writer.
    - `reply_to` is the writer's own address if it was proven and approved for this message. If it is None, the notice
      is sent to the mailbox of `author`.
    - `alias` is the recipient's alias, and `hidden` are the real addresses that it stands for.
    - `subject` is None if the writer is not proven to be `author`: then the notice contains no text of the message.
    """

    message_id: str
    marketplace: Marketplace
    author: Side
    alias: str
    hidden: frozenset[str]
    reply_to: str | None
    subject: str | None
    original_message_id: str
    received_at: datetime
    order: str


async def about_verdict(
    services: Services, slots: NoticeSlots, incoming: Incoming, judgement: Judgement
) -> OutgoingNotice | None:
    """Returns the notice about a message that the policy held, returned, or relayed with a warning.

    Returns None if too many notices wait for the party already; this holds for all functions of this module that return
    a notice. Raises UnavailableError.
    """
    verdict, reason = judgement.verdict, judgement.verdict.main_reason
    rest = verdict.warnings if verdict.action is Action.RELAY else (*verdict.reasons, *verdict.warnings)
    others = tuple(other for other in rest if other is not reason and other.code not in _NO_FAULTS)
    notice_type = VERDICT_TYPES[verdict.action]
    return await _of_verdict(services, slots, incoming, judgement, notice_type, reason, others)


async def about_check(
    services: Services, slots: NoticeSlots, incoming: Incoming, checked: Checked
) -> OutgoingNotice | None:
    """Returns the answer to a message to `check+ALIAS` (R-POL-19); None if too many notices wait for the party.

    The answer does not disclose the buyer's quiet hours. Raises UnavailableError.
    """
    judgement, verdict = checked.judgement, checked.judgement.verdict
    reasons = tuple(one for one in (*verdict.reasons, *verdict.warnings) if one.code is not ReasonCode.QUIET_HOURS)
    return await _of_verdict(
        services,
        slots,
        incoming,
        judgement,
        NoticeType.CHECKED,
        reasons[0] if reasons else None,
        reasons[1:],
        reach=checked.reach,
        action=verdict.action,
    )


async def _of_verdict(
    services: Services,
    slots: NoticeSlots,
    incoming: Incoming,
    judgement: Judgement,
    notice_type: NoticeType,
    reason: Reason | None,
    others: tuple[Reason, ...],
    **more: Any,
) -> OutgoingNotice | None:
    mail, facts, verdict = judgement.mail, judgement.facts, judgement.verdict
    head, reader = mail.head, facts.pair.side(facts.to)
    about = NoticeSubject(
        message_id=judgement.recipient.message_id,
        marketplace=facts.marketplace,
        author=facts.pair.side(judgement.writer.role),
        alias=reader.alias.address,
        hidden=reader.addresses,
        reply_to=head.from_address if judgement.writer.registered else None,
        subject=head.subject,
        original_message_id=head.message_id,
        received_at=incoming.received_at,
        order=facts.order.external_id if facts.order else "",
    )
    if not judgement.writer.registered:
        # The owner of the account reads the notice, and it must not contain text by anybody else (R-SND-02).
        reason = Reason(code=reason.code) if reason is not None else None
        about = replace(about, subject=None, original_message_id="")
        return await _notice(services, slots, about, notice_type, reason, incoming.received_at, **more)
    return await _notice(
        services,
        slots,
        about,
        notice_type,
        reason,
        incoming.received_at,
        others=others,
        excerpt=_excerpt(incoming.content, mail.root, reason.span) if reason and reason.span else "",
        strips=() if verdict.kept else verdict.strips,
        not_before=verdict.disclosed_until,
        remaining=verdict.remaining,
        **more,
    )


def is_from_mailbox_of_other_side(judgement: Judgement) -> bool:
    """Returns whether unlisted mail comes from the mailbox of its own recipient, proven by DNS and without a login.

    This is mail of a party that wrote to its own alias, and the party gets a notice. Other addresses on the party's
    list do not count, because another person may have put them on the list.
    """
    writer, verdict, facts = judgement.writer, judgement.verdict, judgement.facts
    is_request = bool(verdict.reasons) and verdict.main_reason.code is ReasonCode.SENDER_PENDING
    mailbox = facts.pair.side(facts.to).mailbox
    is_own = mailbox is not None and fold(mailbox) == facts.from_address
    return is_request and is_own and writer.proof is Proof.ALIGNED


async def about_own_alias(
    services: Services, slots: NoticeSlots, incoming: Incoming, judgement: Judgement
) -> OutgoingNotice | None:
    """Returns the notice to a party that wrote to its own alias (R-REW-05).

    The notice replaces the question to the other side. Returns None if the notice could be sent only after a week.
    Raises UnavailableError.
    """
    own = judgement.facts.pair.side(judgement.facts.to)
    about = NoticeSubject(
        message_id=judgement.recipient.message_id,
        marketplace=judgement.facts.marketplace,
        author=own,
        alias=own.alias.address,
        hidden=frozenset(),
        reply_to=None,
        subject=None,
        original_message_id="",
        received_at=incoming.received_at,
        order="",
    )
    return await _notice(services, slots, about, NoticeType.RETURNED, OWN_ALIAS, incoming.received_at)


async def about_refusal(
    services: Services,
    slots: NoticeSlots,
    incoming: Incoming,
    refused: Recipient,
    reason: Reason,
    proven: Judgement,
) -> OutgoingNotice | None:
    """Returns the notice about a refused recipient, to a writer who is proven for another recipient of the transaction.

    `proven` is the judgement for the other recipient. Returns None if too many notices wait for the party. Raises
    UnavailableError.
    """
    head = proven.mail.head
    about = NoticeSubject(
        message_id=refused.message_id,
        marketplace=proven.facts.marketplace,
        author=proven.facts.pair.side(proven.writer.role),
        alias=f"{refused.local_part}@{refused.domain}",
        hidden=frozenset(),
        reply_to=head.from_address,
        subject=head.subject,
        original_message_id=head.message_id,
        received_at=incoming.received_at,
        order="",
    )
    return await _notice(services, slots, about, NoticeType.RETURNED, reason, incoming.received_at)


async def about_item(
    services: Services,
    slots: NoticeSlots,
    item: Item,
    notice_type: NoticeType,
    reason: Reason,
    now: datetime,
    delivery: Delivery | None = None,
) -> OutgoingNotice | None:
    """Returns the notice about an accepted message whose item was delayed, returned or bounced.

    Returns None if the writer gets no notice (automatic mail, or mail to the writer's own alias), if the writer no
    longer exists, or if a hold ended and its owner was never asked about it. Raises UnavailableError.
    """
    about = await _recall(services, item)
    if about is None:
        return None
    if (
        about.subject is None
        and reason.code in _ENDED_HOLDS
        and not await services.store.requests.was_asked(item.message_id)
    ):
        return None
    remote = None
    if delivery is not None:
        host = host_class(delivery.host)
        said = redact.answer(delivery.text, about.hidden)
        remote = RemoteAnswer(host=host, code=delivery.code, enhanced=delivery.enhanced, text=said)
    retry_until = None
    if notice_type is NoticeType.DELAYED:
        retry_until = item.queued_at + timedelta(seconds=services.settings.schedule.expire_s)
    return await _notice(services, slots, about, notice_type, reason, now, remote=remote, retry_until=retry_until)


async def _recall(services: Services, item: Item) -> NoticeSubject | None:
    """Returns the subject of a notice about the item, read from the record; None if nobody gets a notice."""
    stored = await services.store.records.message(item.message_id)
    marketplace = services.marketplaces.by_id.get(item.marketplace_id)
    if stored is None or marketplace is None:
        return None
    summary, detail = stored.summary, stored.summary.detail
    role, pair_id = summary.author_role, summary.pair_id
    pair = await services.store.pairs.get(pair_id) if pair_id else None
    if pair is None or role is None or detail.automatic:
        return None
    if detail.listed_by is ListedBy.OTHER_SIDE and detail.proof is not Proof.LOGIN:
        return None  # the other side would get the notice; the writer got a notice at once (`about_own_alias`)
    reply_to = None
    if detail.registered:
        try:
            reply_to = read_head(
                stored.original, split_mime(stored.original, services.settings.mime_limits)
            ).from_address
        except (HeadError, MimeError):
            reply_to = None
    return NoticeSubject(
        message_id=summary.id,
        marketplace=marketplace,
        author=pair.side(role),
        alias=pair.side(role.other).alias.address,
        hidden=pair.side(role.other).addresses,
        reply_to=reply_to,
        subject=stored.subject if detail.registered else None,
        original_message_id=stored.original_message_id if detail.registered else "",
        received_at=summary.received_at,
        order=summary.order_external_id or "",
    )


async def _notice(
    services: Services,
    slots: NoticeSlots,
    about: NoticeSubject,
    notice_type: NoticeType,
    reason: Reason | None,
    now: datetime,
    **more: Any,
) -> OutgoingNotice | None:
    """Returns a notice as a queue item with its content; None if too many notices wait for the party.

    `more` has further fields of `NoticeRequest`.
    """
    marketplace, party = about.marketplace, about.author.party
    item = queueing.of_relay(
        services,
        ItemKind.NOTICE,
        marketplace,
        about.message_id,
        now,
        recipient_id=party.id,
        mailbox=about.author.mailbox,
        address=about.reply_to,
    )
    due_at = await slots.next_free(party.id, item.id, now)
    if due_at is None:
        return None
    if due_at > now:
        # With a hold, a claim finds the item by its time, and does not mistake the long wait for a jump of the clock.
        item = replace(item, queued_at=due_at, due_at=due_at, hold=Hold.TIME)
    request = NoticeRequest(
        type=notice_type,
        reason=reason,
        marketplace=marketplace,
        notice_id=f"{item.id}@{marketplace.domain}",
        at=now,
        record_id=about.message_id,
        alias=about.alias,
        subject=about.subject,
        original_message_id=about.original_message_id,
        received_at=about.received_at,
        order=about.order,
        links=_links(services.links, about, reason, now) if reason else (),
        **more,
    )
    language = services.catalogue(locale_of(marketplace, party))
    return OutgoingNotice(item=item, key_holder_id=party.id, content=compose(request, language))


def _links(urls: SignedLinkUrls, about: NoticeSubject, reason: Reason, now: datetime) -> tuple[NoticeLink, ...]:
    """Returns the signed links with which the reader can act on the reason; empty if there are none."""
    purpose = _LINKS.get(reason.code)
    if purpose is None:
        return ()
    return (NoticeLink(purpose, urls.url(purpose, about.author.party.id, about.message_id, now)),)


def _excerpt(content: bytes, root: Part, span: Span) -> str:
    """Returns the text of the span with some text around it, on one line (R-POL-16).

    Returns "" for a span in the header or in a part that is not text. The excerpt may contain addresses, which
    `compose` removes.
    """
    part = next((one for one in root.walk() if one.path == span.part), None)
    if part is None or part.children or not part.content_type.startswith("text/"):
        return ""
    octets = encodings.decode(content[part.body_start : part.end], part.encoding)
    text = encodings.decode_text(octets, encodings.codec_of(part.params.get("charset", ""), octets, part.hint.charset))
    start, end = max(span.start - _EXCERPT_MARGIN, 0), min(span.end, span.start + _EXCERPT_LONGEST) + _EXCERPT_MARGIN
    return " ".join(text[start:end].split())


def queued_data(notice: OutgoingNotice, notice_type: NoticeType, reason: ReasonCode | None) -> NoticeData:
    """Returns the data of a NOTICE_QUEUED event."""
    data = NoticeData(notice=notice.item.id, type=notice_type)
    if reason:
        data["reason"] = reason
    return data


def failure(code: ReasonCode) -> Reason:
    """Returns the reason with this code for a failed delivery."""
    return Reason(code=code)
