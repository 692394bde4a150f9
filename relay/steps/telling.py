"""Telling the writer what became of a message: one notice per failure, to an address that was proven (R-OUT-07)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.core import redact
from relay.core.address import AddressError, fold_domain, split
from relay.core.bounce.carrier import host_class
from relay.core.head import HeadError, read_head
from relay.core.identify import Writer
from relay.core.model.head import Head
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.notice.compose import NoticeRequest, NoticeType, RemoteAnswer, compose
from relay.core.policy.facts import Facts
from relay.core.rewrite.mime import MimeError
from relay.core.rewrite.mime import split as split_mime
from relay.ports import Delivery, OutgoingNotice
from relay.steps.gather import Target
from relay.steps.house import House

_VERDICT_TYPES = {Action.RETURN: NoticeType.RETURNED, Action.HOLD: NoticeType.HELD}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
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


def about_verdict(
    house: House, incoming: Incoming, head: Head, facts: Facts, writer: Writer, verdict: Verdict, message_id: str
) -> OutgoingNotice:
    """The notice of a message that policy held or returned."""
    about = About(
        message_id=message_id,
        marketplace=facts.marketplace,
        author=facts.pair.side(writer.role),
        alias=facts.pair.side(facts.to).alias.address,
        hidden=facts.pair.side(facts.to).addresses,
        reply_to=head.from_address if writer.registered else None,
        subject=head.subject,
        original_message_id=head.message_id,
        received_at=incoming.received_at,
        order=facts.order.external_id if facts.order else "",
    )
    return _notice(house, about, _VERDICT_TYPES[verdict.action], verdict.reasons[0], incoming.received_at)


def about_refusal(
    house: House,
    incoming: Incoming,
    head: Head,
    proven: Facts,
    writer: Writer,
    refused: Target,
    reason: Reason,
    message_id: str,
) -> OutgoingNotice:
    """The notice of a recipient that was refused beside another one, of which `proven` and `writer` tell."""
    about = About(
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
    return _notice(house, about, NoticeType.RETURNED, reason, incoming.received_at)


async def about_item(
    house: House, item: Item, notice_type: NoticeType, reason: Reason, now: datetime, delivery: Delivery | None = None
) -> OutgoingNotice | None:
    """The notice of a message that was on its way; None when its writer is not to be told (automatic mail) or is gone.
    Raises UnavailableError."""
    about = await _recall(house, item)
    if about is None:
        return None
    remote = None
    if delivery is not None:
        host = host_class(delivery.host)
        said = redact.answer(delivery.text, about.hidden)
        remote = RemoteAnswer(host=host, code=delivery.code, enhanced=delivery.enhanced, text=said)
    retry_until = None
    if notice_type is NoticeType.DELAYED:
        retry_until = item.queued_at + timedelta(seconds=house.settings.schedule.expire_s)
    return _notice(house, about, notice_type, reason, now, remote=remote, retry_until=retry_until)


async def _recall(house: House, item: Item) -> About | None:
    """What the record says of the item's message; it is read only when something went wrong."""
    stored = await house.store.message(item.message_id)
    marketplace = house.book.by_id.get(item.marketplace_id)
    if stored is None or marketplace is None:
        return None
    summary, detail = stored.summary, stored.summary.detail
    role, pair_id = summary.author_role, summary.pair_id
    pair = await house.store.pair(pair_id) if pair_id else None
    if pair is None or role is None or detail.get("automatic"):
        return None
    reply_to = None
    if detail.get("registered"):
        try:
            reply_to = read_head(stored.original, split_mime(stored.original, house.settings.mime_limits)).from_address
        except (HeadError, MimeError):
            reply_to = None
    return About(
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


def _notice(
    house: House,
    about: About,
    notice_type: NoticeType,
    reason: Reason,
    now: datetime,
    *,
    remote: RemoteAnswer | None = None,
    retry_until: datetime | None = None,
) -> OutgoingNotice:
    marketplace, party = about.marketplace, about.author.party
    locale = party.locale if party.locale in marketplace.locales else marketplace.locales[0]
    item_id = house.ids.new()
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
        remote=remote,
        retry_until=retry_until,
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
        due_at=house.notice_quota.next_free(party.id, now),
    )
    return OutgoingNotice(item=item, key_holder_id=party.id, content=compose(request, house.catalogue(locale)))


def _domain(mailbox: str | None) -> str:
    """The destination to queue under; an erased party's has none, and dispatch finds that out again."""
    try:
        return fold_domain(split(mailbox or "")[1])
    except AddressError:
        return ""


class NoticeQuota:
    """At most so many notices an hour per person (R-OUT-07): more are not lost but wait for the next hour."""

    def __init__(self, per_hour: int) -> None:
        self._gap = timedelta(hours=1)
        self._per_hour = per_hour
        self._due: dict[str, list[datetime]] = {}

    def next_free(self, party_id: str, now: datetime) -> datetime:
        due = [at for at in self._due.get(party_id, ()) if at > now - self._gap]
        at = now if len(due) < self._per_hour else max(now, due[-self._per_hour] + self._gap)
        self._due[party_id] = [*due, at]
        return at


def failure(code: ReasonCode) -> Reason:
    """A reason that arose on the way out."""
    return Reason(code=code, rule="R-OUT-05")
