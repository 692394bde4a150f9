"""The second half of the flow: composing the outgoing message, and settling its item after the attempt."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from relay.core import redact, verp
from relay.core.bounce import origin
from relay.core.bounce.reasons import classify
from relay.core.destination import shown
from relay.core.mail.head import LOOP_MARK, OPERATOR
from relay.core.mail.mime import body_start
from relay.core.model.event import AttemptData, Event, EventType, NoticeData
from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.reason import Reason, ReasonCode
from relay.core.notice.compose import NoticeType
from relay.core.providers import host_class
from relay.core.retry import delayed_notice_due, next_attempt
from relay.core.rewrite.assemble import section
from relay.core.rewrite.compose import header as compose_header
from relay.core.rewrite.compose import received
from relay.core.rewrite.downgrade import downgraded as downgrade
from relay.ports import Delivery, Ids, Outgoing, OutgoingNotice, ServerAnswer, Settlement, StoredContent
from relay.steps import notices
from relay.steps.services import Services, Settings

_UNREACHED: Final = Delivery(
    accepted=False,
    permanent=False,
    code=0,
    enhanced="",
    text="the server did not answer when it was last tried",
    phase="connect",
    host="",
    tls="",
)
_TOO_COMPLEX: Final = Reason(code=ReasonCode.TOO_COMPLEX)
_FITTED_AT_ONCE_BYTES: Final = 100_000
"""The size up to which mail is converted for a server without 8BITMIME on the event loop. It takes 7 ms at most."""
_OUTGOING: Final = "outgoing"
"""The party name under which worker processes convert outgoing mail.

It is not the name of a writer, so that this work takes no place of a writer.
"""
_EVENTS: Final = {
    ItemState.ACCEPTED: EventType.ACCEPTED,
    ItemState.BOUNCED: EventType.BOUNCED,
    ItemState.DEFERRED: EventType.DEFERRED,
    ItemState.RETURNED: EventType.RETURNED,
}


async def compose(services: Services, item: Item, stored: StoredContent, to: str, now: datetime) -> Outgoing:
    """Returns the outgoing message, signed after all other changes, with its envelope (R-REW-10).

    Raises UnavailableError.
    """
    marketplace = services.marketplaces.by_id[item.marketplace_id]
    domain, mail_from = marketplace.domain, ""
    if item.kind is ItemKind.RELAY and stored.pair is not None:
        author = stored.pair.seller if item.recipient_id == stored.pair.buyer.party.id else stored.pair.buyer
        domain = author.alias.domain
    if not item.is_ours:
        expires_at = now + timedelta(seconds=services.settings.return_path_s)
        mail_from = f"{verp.mint(item.id, expires_at, services.store.secrets.get('verp'))}@{domain}"
    trace = _trace(services.settings.hostname, item, now)
    fields, body = _halves(marketplace.domain, item, stored, to)

    async def signed(header: bytes, body: bytes) -> bytes:
        signature = await services.signer.sign(domain, header, body) if item.kind is not ItemKind.OPERATOR else b""
        return b"".join((signature, header, b"\r\n", body))

    content = await signed(trace + fields, body)

    async def downgraded(eight_bit: bool) -> bytes:
        # The content without the Received field is equal at each attempt, so that the worker pool recognizes it.
        unsigned = b"".join((fields, b"\r\n", body))
        fit = partial(downgrade, eight_bit=eight_bit)
        if len(unsigned) <= _FITTED_AT_ONCE_BYTES:
            fitted = fit(unsigned)
        else:
            fitted = await services.workers.run(_OUTGOING, unsigned, fit, unsigned)
        if fitted == unsigned:
            return content
        start = body_start(fitted)
        return await signed(trace + fitted[: start - 2], fitted[start:])

    return Outgoing(mail_from=mail_from, rcpt_to=to, content=content, downgraded=downgraded)


def _trace(hostname: str, item: Item, now: datetime) -> bytes:
    """Returns the Received field of the outgoing message."""
    return f"Received: {received(by=hostname, protocol='ESMTP', record_id=item.message_id, at=now)}\r\n".encode()


def _halves(domain: str, item: Item, stored: StoredContent, to: str) -> tuple[bytes, bytes]:
    """Returns the header block, without the Received field, and the body of the outgoing message.

    Mail to the operator keeps its own To field.
    """
    start = body_start(stored.original)
    own_header = stored.original[:start].removesuffix(b"\r\n") if start < len(stored.original) else stored.original
    if item.kind is ItemKind.OPERATOR:
        return f"{LOOP_MARK}: {OPERATOR}@{domain}\r\n".encode() + own_header, stored.original[start:]
    if item.kind is ItemKind.RELAY and stored.header is None:
        raise ValueError(f"item {item.id} has no rewritten header; refusing to relay the original")
    body = section(stored.original, start, len(stored.original), stored.edits)
    # A mail without a readable Date gets the time at which it was queued, which is the same at each attempt.
    return compose_header(stored.header or own_header, to=to, received=None, at=item.queued_at), body


async def settle(services: Services, item: Item, mailbox: str, delivery: Delivery, now: datetime) -> Settlement:
    """Returns the settlement after an attempt: accepted, deferred or bounced, with a notice to the writer if it is due.

    Raises UnavailableError.
    """
    ids, owner = services.ids, services.settings.owner
    if delivery.accepted:
        data = _data(item, delivery, _said(mailbox, delivery), None)
        if not item.is_ours:
            key = services.store.secrets.get("report")
            data["took"] = origin.mark(key, item.id, delivery.ip, delivery.host)
        return _settlement(ids, owner, item, ItemState.ACCEPTED, now, data, delivery=delivery)
    reason = classify(
        permanent=delivery.permanent,
        phase=delivery.phase,
        code=delivery.code,
        enhanced=delivery.enhanced,
        text=delivery.text,
        host=delivery.host,
        destination=shown(item.destination),
    )
    due_at = None
    if not delivery.permanent:
        due_at = next_attempt(services.settings.schedule, item.attempts, item.queued_at, now, services.jitter())
        reason = reason if due_at else ReasonCode.EXPIRED
    said = _said(mailbox, delivery)
    settlement = await _failed(services, item, now, due_at, _data(item, delivery, said, reason), delivery)
    return replace(settlement, answer=_answer(delivery, said))


async def _failed(
    services: Services, item: Item, now: datetime, due_at: datetime | None, data: AttemptData, delivery: Delivery | None
) -> Settlement:
    """Returns the settlement that defers an item until `due_at`, or bounces it if `due_at` is None.

    The settlement has the notice about this if one is due. `delivery` is None if no server is the cause; then the
    notice has no answer of a server.
    """
    notice_type, why = None, data["reason"]
    if due_at is None:
        notice_type = NoticeType.UNDELIVERABLE
    elif not item.delay_noticed and delayed_notice_due(services.settings.schedule, item.attempts, item.queued_at, now):
        notice_type, why = NoticeType.DELAYED, ReasonCode.DELAYED
    notice = None
    if notice_type and not item.is_ours:
        reason = notices.failure(why)
        notice = await notices.about_item(services, services.notice_quota, item, notice_type, reason, now, delivery)
    return _settlement(
        services.ids,
        services.settings.owner,
        item,
        ItemState.DEFERRED if due_at else ItemState.BOUNCED,
        now,
        data,
        due_at=due_at,
        notice=notice,
        notice_type=notice_type,
        delivery=delivery,
    )


async def returned(services: Services, item: Item, reason: Reason, now: datetime) -> Settlement:
    """Returns the settlement of an item that is returned to its writer, with the notice. Raises UnavailableError."""
    notice = None
    if not item.is_ours:
        notice = await notices.about_item(services, services.notice_quota, item, NoticeType.RETURNED, reason, now)
    data = AttemptData(reason=reason.code)
    ids, owner = services.ids, services.settings.owner
    return _settlement(ids, owner, item, ItemState.RETURNED, now, data, notice=notice, notice_type=NoticeType.RETURNED)


def parked(owner: str, item: Item, now: datetime) -> Settlement:
    """Returns the settlement that parks an item whose content cannot be read. `relay queue` shows parked items."""
    return Settlement(item=item, owner=owner, state=ItemState.PARKED, due_at=now, events=())


def put_aside(owner: str, item: Item, until: datetime) -> Settlement:
    """Returns the settlement that holds an item until a time, without an attempt.

    The time is the end of quiet hours (R-POL-12), or the time when a notice may be sent (R-OUT-07).
    """
    waiting = replace(item, hold=Hold.TIME)
    return Settlement(item=waiting, owner=owner, state=ItemState.HELD, due_at=until, events=(), dialled=False)


def put_off(owner: str, item: Item, until: datetime) -> Settlement:
    """Returns the settlement that defers an item without an attempt.

    The reason is a closed or full lane, or an unavailable store.
    """
    return Settlement(item=item, owner=owner, state=ItemState.DEFERRED, due_at=until, events=(), dialled=False)


async def waited(services: Services, item: Item, until: datetime, now: datetime) -> Settlement:
    """Returns the settlement that defers an item without an attempt. Raises UnavailableError.

    The reason is a closed lane, or a server without a free place. If the item is late, this
    counts as a failed attempt, so that its writer gets the notices about delays and failures (R-OUT-02).
    """
    if _is_late(services.settings, item, now):
        return await settle(services, item, "", _UNREACHED, now)
    return put_off(services.settings.owner, item, until)


async def delayed_by_us(
    services: Services, item: Item, until: datetime, now: datetime, *, at_last: ReasonCode
) -> Settlement:
    """Returns the settlement that defers an item, because the relay has no memory or no worker for its content now.

    It differs from `waited` only in the reasons, because no server is the cause. `at_last` is the reason of the bounce
    if the item has expired. Raises UnavailableError.
    """
    if not _is_late(services.settings, item, now):
        return put_off(services.settings.owner, item, until)
    due_at = next_attempt(services.settings.schedule, item.attempts, item.queued_at, now, services.jitter())
    data = AttemptData(attempt=item.attempts, reason=ReasonCode.INTERNAL if due_at else at_last)
    return await _failed(services, item, now, due_at, data, None)


async def too_complex(services: Services, item: Item, now: datetime) -> Settlement:
    """Returns the settlement of an item whose content cannot be converted for its server. Raises UnavailableError."""
    return await returned(services, item, _TOO_COMPLEX, now)


def _is_late(settings: Settings, item: Item, now: datetime) -> bool:
    return item.hold is None and now - item.queued_at >= timedelta(seconds=settings.schedule.delayed_notice_s)


def moved(owner: str, item: Item, destination: str, now: datetime) -> Settlement:
    """Returns the settlement that queues an item again, without an attempt, for the domain of the recipient's mailbox.

    This happens if the recipient got a mailbox at another domain after the item was queued.
    """
    there = replace(item, destination=destination)
    return Settlement(item=there, owner=owner, state=ItemState.QUEUED, due_at=now, events=(), dialled=False)


def stumbled(services: Services, item: Item, now: datetime) -> Settlement:
    """Returns the settlement of an item whose attempt failed by a fault of the relay itself.

    The item is deferred; after the last attempt it is parked.
    """
    owner, schedule = services.settings.owner, services.settings.schedule
    due_at = next_attempt(schedule, item.attempts, item.queued_at, now, services.jitter())
    if due_at is None:
        return parked(owner, item, now)
    data = AttemptData(attempt=item.attempts, reason=ReasonCode.INTERNAL)
    return _settlement(services.ids, owner, item, ItemState.DEFERRED, now, data, due_at=due_at)


def _settlement(
    ids: Ids,
    owner: str,
    item: Item,
    state: ItemState,
    now: datetime,
    data: AttemptData,
    *,
    due_at: datetime | None = None,
    notice: OutgoingNotice | None = None,
    notice_type: NoticeType | None = None,
    delivery: Delivery | None = None,
) -> Settlement:
    events = [_event(ids, item, _EVENTS[state], data, now)]
    if notice is not None and notice_type is not None:
        named = ReasonCode.DELAYED if notice_type is NoticeType.DELAYED else data["reason"]
        queued = notices.queued_data(notice, notice_type, named)
        events.append(_event(ids, item, EventType.NOTICE_QUEUED, queued, now))
    return Settlement(
        item=item,
        owner=owner,
        state=state,
        due_at=due_at or now,
        events=tuple(events),
        notice=notice,
        delay_noticed=item.delay_noticed or (notice is not None and state is ItemState.DEFERRED),
        delivery=delivery,
    )


def _event(ids: Ids, item: Item, event_type: EventType, data: AttemptData | NoticeData, at: datetime) -> Event:
    if item.kind is not ItemKind.RELAY:
        data["item"] = item.kind
    return Event(id=ids.new(), message_id=item.message_id, at=at, type=event_type, data=data)


def _answer(delivery: Delivery, said: str) -> ServerAnswer | None:
    """Returns the part of a failed attempt that is stored encrypted, None if the event has everything."""
    if host_class(delivery.host) != "other" and redact.without_hosts(said) == said:
        return None
    return ServerAnswer(host=delivery.host, ip=delivery.ip, text=said)


def _said(mailbox: str, delivery: Delivery) -> str:
    """Returns the server's words without mail addresses."""
    return redact.answer(delivery.text, (mailbox,))


def _data(item: Item, delivery: Delivery, said: str, reason: ReasonCode | None) -> AttemptData:
    data = AttemptData(
        attempt=item.attempts,
        phase=delivery.phase,
        code=delivery.code,
        enhanced=delivery.enhanced,
        host=host_class(delivery.host),
        tls=delivery.tls,
        text=redact.without_hosts(said),
    )
    if reason:
        data["reason"] = reason
    if delivery.downgraded:
        data["downgraded"] = 1
    return data
