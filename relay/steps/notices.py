"""Telling the writer what became of a message: one notice per failure, to an address that was proven (R-OUT-07)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from relay.core import redact
from relay.core.bounce.carrier import host_class
from relay.core.identify import Writer
from relay.core.mail.address import AddressError, fold_domain, split
from relay.core.mail.head import Head, HeadError, read_head
from relay.core.mail.mime import MimeError
from relay.core.mail.mime import split as split_mime
from relay.core.model.facts import Facts
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action, Verdict
from relay.core.notice.compose import NoticeLink, NoticeRequest, NoticeType, RemoteAnswer, compose
from relay.core.signed_link import Purpose
from relay.ports import Delivery, OutgoingNotice
from relay.steps.excerpt import excerpt
from relay.steps.footer import locale_of
from relay.steps.gather import Target
from relay.steps.judgement import ParsedMail
from relay.steps.services import Services

_VERDICT_TYPES: Final = {
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
"""Reasons beside the one for a notice that ask nothing of its reader."""
_LINKS: Final = {
    ReasonCode.SENDER_UNPROVEN: Purpose.CONFIRM,
    ReasonCode.THREAD_CLOSED: Purpose.REOPEN,
    ReasonCode.CHANNEL_OFF: Purpose.PRODUCT_SUPPORT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeContext:
    """A verdict to be told. `sender_id` is the writer's entry on his own side's list, a fresh one included; `reach` the
    answer to a check."""

    incoming: Incoming
    mail: ParsedMail
    facts: Facts
    writer: Writer
    verdict: Verdict
    message_id: str
    sender_id: str | None = None
    reach: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSubject:
    """The message that a notice is about. `reply_to` is the writer's own address where it was proven and approved for
    this message; without it the notice goes to the mailbox of `author`. `alias` was written to; `hidden` are the real
    addresses behind it."""

    message_id: str
    marketplace: Marketplace
    author: Side
    alias: str
    hidden: frozenset[str]
    reply_to: str | None
    subject: str
    original_message_id: str
    received_at: datetime
    order: str
    pending_id: str | None = None


async def about_verdict(services: Services, told: NoticeContext) -> OutgoingNotice:
    """The notice of a message that policy held, returned, or let pass with a warning."""
    verdict, reason = told.verdict, told.verdict.main_reason
    rest = verdict.warnings if verdict.action is Action.RELAY else (*verdict.reasons, *verdict.warnings)
    others = tuple(other for other in rest if other is not reason and other.code not in _NO_FAULTS)
    return await _of_verdict(services, told, _VERDICT_TYPES[verdict.action], reason, others)


async def about_check(services: Services, told: NoticeContext) -> OutgoingNotice:
    """The answer to mail to `check+ALIAS` (R-POL-19), which does not tell the hours in which the buyer sleeps."""
    verdict = told.verdict
    reasons = tuple(one for one in (*verdict.reasons, *verdict.warnings) if one.code is not ReasonCode.QUIET_HOURS)
    return await _of_verdict(
        services,
        told,
        NoticeType.CHECKED,
        reasons[0] if reasons else None,
        reasons[1:],
        reach=told.reach,
        action=verdict.action,
    )


async def _of_verdict(
    services: Services,
    told: NoticeContext,
    notice_type: NoticeType,
    reason: Reason | None,
    others: tuple[Reason, ...],
    **more: Any,
) -> OutgoingNotice:
    incoming, head, facts, writer = told.incoming, told.mail.head, told.facts, told.writer
    about = NoticeSubject(
        message_id=told.message_id,
        marketplace=facts.marketplace,
        author=facts.pair.side(writer.role),
        alias=facts.pair.side(facts.to).alias.address,
        hidden=facts.pair.side(facts.to).addresses,
        reply_to=head.from_address if writer.registered else None,
        subject=head.subject,
        original_message_id=head.message_id,
        received_at=incoming.received_at,
        order=facts.order.external_id if facts.order else "",
        pending_id=told.sender_id,
    )
    if reason is not None and reason.code is ReasonCode.SENDER_PENDING:
        # The account's owner is asked, and has to see who it is about.
        reason = replace(reason, values=(*reason.values, ("sender", head.from_address)))
    return await _notice(
        services,
        about,
        notice_type,
        reason,
        incoming.received_at,
        others=others,
        excerpt=excerpt(incoming.content, told.mail.root, reason.span) if reason and reason.span else "",
        strips=told.verdict.strips,
        not_before=told.verdict.disclosed_until,
        remaining=told.verdict.remaining,
        **more,
    )


async def about_refusal(
    services: Services,
    incoming: Incoming,
    head: Head,
    proven: Facts,
    writer: Writer,
    refused: Target,
    reason: Reason,
    message_id: str,
) -> OutgoingNotice:
    """The notice of a recipient that was refused beside another one, of which `proven` and `writer` tell."""
    about = NoticeSubject(
        message_id=message_id,
        marketplace=proven.marketplace,
        author=proven.pair.side(writer.role),
        alias=f"{refused.local_part}@{refused.domain}",
        hidden=frozenset(),
        reply_to=head.from_address,
        subject=head.subject,
        original_message_id=head.message_id,
        received_at=incoming.received_at,
        order="",
    )
    return await _notice(services, about, NoticeType.RETURNED, reason, incoming.received_at)


async def about_item(
    services: Services,
    item: Item,
    notice_type: NoticeType,
    reason: Reason,
    now: datetime,
    delivery: Delivery | None = None,
) -> OutgoingNotice | None:
    """The notice of a message that was on its way; None when its writer is not to be told (automatic mail) or is gone.
    Raises UnavailableError."""
    about = await _recall(services, item)
    if about is None:
        return None
    remote = None
    if delivery is not None:
        host = host_class(delivery.host)
        said = redact.answer(delivery.text, about.hidden)
        remote = RemoteAnswer(host=host, code=delivery.code, enhanced=delivery.enhanced, text=said)
    retry_until = None
    if notice_type is NoticeType.DELAYED:
        retry_until = item.queued_at + timedelta(seconds=services.settings.schedule.expire_s)
    return await _notice(services, about, notice_type, reason, now, remote=remote, retry_until=retry_until)


async def _recall(services: Services, item: Item) -> NoticeSubject | None:
    """What the record says of the item's message; it is read only when something went wrong."""
    stored = await services.store.message(item.message_id)
    marketplace = services.marketplaces.by_id.get(item.marketplace_id)
    if stored is None or marketplace is None:
        return None
    summary, detail = stored.summary, stored.summary.detail
    role, pair_id = summary.author_role, summary.pair_id
    pair = await services.store.pair(pair_id) if pair_id else None
    if pair is None or role is None or detail.get("automatic"):
        return None
    reply_to = None
    if detail.get("registered"):
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
        subject=stored.subject,
        original_message_id=stored.original_message_id,
        received_at=summary.received_at,
        order=summary.order_external_id or "",
    )


async def _notice(
    services: Services,
    about: NoticeSubject,
    notice_type: NoticeType,
    reason: Reason | None,
    now: datetime,
    **more: Any,
) -> OutgoingNotice:
    """`more` are fields of the request."""
    marketplace, party = about.marketplace, about.author.party
    item_id = services.ids.new()
    request = NoticeRequest(
        type=notice_type,
        reason=reason,
        marketplace=marketplace,
        notice_id=f"{item_id}@{marketplace.domain}",
        at=now,
        record_id=about.message_id,
        alias=about.alias,
        subject=about.subject,
        original_message_id=about.original_message_id,
        received_at=about.received_at,
        order=about.order,
        links=_links(services, about, reason, now) if reason else (),
        **more,
    )
    item = Item(
        id=item_id,
        message_id=about.message_id,
        marketplace_id=marketplace.id,
        kind=ItemKind.NOTICE,
        state=ItemState.QUEUED,
        recipient_id=None if about.reply_to else party.id,
        address=about.reply_to,
        destination=_domain(about.reply_to or about.author.mailbox),
        queued_at=now,
        due_at=await services.notice_quota.next_free(party.id, now),
    )
    language = services.catalogue(locale_of(marketplace, party))
    return OutgoingNotice(item=item, key_holder_id=party.id, content=compose(request, language))


def _links(services: Services, about: NoticeSubject, reason: Reason, now: datetime) -> tuple[NoticeLink, ...]:
    """What the notice's reader can do with one click."""
    purpose, subject_id = _LINKS.get(reason.code), about.message_id
    if reason.code is ReasonCode.SENDER_PENDING and about.pending_id:
        purpose, subject_id = Purpose.SENDER, about.pending_id
    if purpose is None:
        return ()
    return (NoticeLink(purpose, services.links.url(purpose, about.author.party.id, subject_id, now)),)


def _domain(mailbox: str | None) -> str:
    """The destination to queue under; an erased party's has none, and dispatch finds that out again."""
    try:
        return fold_domain(split(mailbox or "")[1])
    except AddressError:
        return ""


def failure(code: ReasonCode) -> Reason:
    """A reason that arose on the way out."""
    return Reason(code=code)
