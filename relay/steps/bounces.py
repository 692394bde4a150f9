"""Mail to the relay's signed return paths, such as bounces. Each mail makes a claim about the item that its path names.

If the origin of a report confirms a failure, the item is settled as bounced, and the writer gets a notice. Without a
confirmation the state of the item does not change, and the writer gets one notice that calls the failure uncertain.
Every other mail only adds an event to the record (R-OUT-04).
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, cast

from relay.core import bounce
from relay.core.bounce import Bounce, BounceAction, keeping
from relay.core.bounce import origin as origins
from relay.core.bounce.origin import Confirmation, ReportOrigin, Sent
from relay.core.mail.head import Automatic, Head, HeadError, read_head
from relay.core.mail.mime import MimeError, MimeLimits, split
from relay.core.model.event import AttemptData, Event, EventType, ReportData, ReportOutcome
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.message import Incoming
from relay.core.model.reason import ReasonCode
from relay.core.notice.compose import NoticeType
from relay.core.policy.case import automatic
from relay.core.providers import host_class
from relay.ports import Ids, NoticeSent, OutgoingNotice, Report, ReportSource, Store, TooHeavyError
from relay.steps import notices
from relay.steps.offload import MailWork, is_heavy_to_read, is_heavy_to_read_report, is_heavy_to_split, offload
from relay.steps.reservations import Reservations
from relay.steps.services import Services

_UNCERTAIN_A_DAY: Final = 3
"""The largest number of notices about unconfirmed failures for one pair within 24 hours."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A mail to a return path, after it was read.

    - `item` is the item that the return path names.
    - `report` is the delivery report in the mail, None if the mail is not a delivery report.
    - `from_address` is the folded From address, "" if it cannot be read.
    - `answers` is the alias to which an automatic reply must be sent to reach the writer of the message; it is "" if
      the mail is not an automatic reply.
    - `is_marked` is True if the header marks the mail as an automatic reply.
    """

    item: Item
    report: Bounce | None
    from_address: str
    answers: str
    is_marked: bool


async def read(services: Services, incoming: Incoming, item_id: str) -> Opened | None:
    """Returns the mail to the return path of an item, after reading it; None if the item does not exist.

    Raises UnavailableError.
    """
    content = incoming.content
    item = await services.store.queue.item(item_id)
    if item is None:
        services.event_log.report_ignored("unknown", None)
        return None
    work = MailWork(services.workers, incoming)
    report, head = None, None
    with contextlib.suppress(TooHeavyError):
        report = await work.do(bounce.read, content, is_heavy=is_heavy_to_read_report(content))
        head = await _head(services.settings.mime_limits, content, work)
    answers, from_address = "", head.from_address if head else ""
    if report is None and head is not None and item.kind is ItemKind.RELAY:
        answers = await _alias(services.store, item) if automatic(incoming, head) is Automatic.REPLY else ""
    is_marked = head is not None and head.automatic is Automatic.REPLY
    return Opened(item=item, report=report, from_address=from_address, answers=answers, is_marked=is_marked)


async def _head(limits: MimeLimits, content: bytes, work: MailWork) -> Head | None:
    try:
        root = await work.do(split, content, limits, is_heavy=is_heavy_to_split(content))
        return await work.do(read_head, content, root, is_heavy=is_heavy_to_read(root))
    except (HeadError, MimeError):
        return None


async def _alias(store: Store, item: Item) -> str:
    """Returns the alias under which the recipient of the item knows the writer; "" if there is no pair or no writer."""
    summary = await store.records.summary(item.message_id)
    pair = await store.pairs.get(summary.pair_id) if summary and summary.pair_id else None
    if summary is None or pair is None or summary.author_role is None:
        return ""
    return pair.side(summary.author_role).alias.address


async def keep(services: Services, incoming: Incoming, opened: Opened, *, alone: bool) -> None:
    """Stores a mail to a return path, and settles its item if the mail confirms a failure. Raises UnavailableError.

    `alone` is True if the transaction has no other return path among its recipients. A mail server never reports about
    several messages in one transaction; therefore nothing confirms a report with `alone=False`. The sender of the
    report gets no mail in answer (RFC 5321 §4.5.5).
    """
    item, content = opened.item, incoming.content
    history = await services.store.records.history(item.message_id)
    event = Event(
        id=services.ids.new(),
        message_id=item.message_id,
        at=incoming.received_at,
        type=EventType.REPORT_RECEIVED,
        data=await offload(len(content), _measured, content),
    )
    has_room = keeping.has_room(history, event)
    domain = await services.store.queue.domain(item)
    origin = await services.authenticator.origin(incoming, domain, by_dns=alone and has_room)
    event = _judged(services.store, incoming, opened, domain, origin, history, event, alone=alone)
    if event.type is not EventType.BOUNCED and not has_room:
        services.event_log.report_ignored("too_many", item)
        return
    with Reservations.of(services) as reserved:
        notice, place = await _notice(services, reserved, item, event, history)
        kept = await services.store.reports.add(
            Report(
                item_id=item.id,
                event=event,
                content=content,
                source=_source(incoming, origin),
                limits=services.settings.report_limits,
                notice=notice,
                notice_event=_noticed(services.ids, event, notice),
                place=place,
                place_since=event.at - _DAY,
            )
        )
        if kept is None or not kept.notice or notice is None:
            reserved.release()
    if kept is None:
        services.event_log.report_ignored("too_many", item)
    elif kept.notice and notice is not None:
        services.dispatcher.notify()


def _measured(content: bytes) -> ReportData:
    return ReportData(by="report", size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _judged(
    store: Store,
    incoming: Incoming,
    opened: Opened,
    domain: str,
    origin: ReportOrigin,
    history: Sequence[Event],
    event: Event,
    *,
    alone: bool,
) -> Event:
    """Returns the event of a report with its final type and data.

    The data has the claim of the report, and its origin without names and addresses. `domain` is the domain of the
    recipient of the item.
    """
    item, report = opened.item, opened.report
    data = ReportData(**cast("ReportData", event.data))
    if host := next(iter((*origin.names, *filter(None, (origin.helo,)), *origin.signers)), ""):
        data["host"] = host_class(host)
    if origin.results:
        data["auth"] = ",".join(origin.results)
    if report is None or report.action is not BounceAction.FAILED:
        data["outcome"] = _outcome(opened, incoming.content)
        return replace(event, data=data)
    data["reason"], data["status"] = report.reason, report.status
    confirmed: Confirmation | None = origins.confirmation(
        report,
        origin if alone else ReportOrigin(),
        Sent(item_id=item.id, record_id=item.message_id, domain=domain, took=_took(item, history)),
        mail_from=incoming.mail_from,
        from_address=opened.from_address,
        key=store.secrets.get("report"),
    )
    if confirmed is None:
        return replace(event, type=EventType.REPORTED_UNDELIVERABLE, data=data)
    data["confirmed"] = confirmed
    return replace(event, type=EventType.BOUNCED, data=data)


def _took(item: Item, history: Sequence[Event]) -> str:
    """Returns the mark of the host that accepted the item, as the record has it; "" if no host accepted the item."""
    marks = [
        cast("AttemptData", event.data).get("took", "")
        for event in history
        if event.type is EventType.ACCEPTED and cast("AttemptData", event.data).get("item", ItemKind.RELAY) == item.kind
    ]
    return marks[-1] if marks else ""


def _outcome(opened: Opened, content: bytes) -> ReportOutcome:
    if opened.report is not None:
        return ReportOutcome.IGNORED
    if bounce.is_feedback(content):
        return ReportOutcome.FEEDBACK
    return ReportOutcome.AUTO_REPLY if opened.is_marked else ReportOutcome.UNREAD


def _source(incoming: Incoming, origin: ReportOrigin) -> ReportSource:
    return ReportSource(
        client_ip=incoming.peer.client_ip,
        helo=incoming.peer.helo,
        mail_from=incoming.mail_from,
        names=origin.names,
        signers=origin.signers,
    )


async def _notice(
    services: Services, reserved: Reservations, item: Item, event: Event, history: Sequence[Event]
) -> tuple[OutgoingNotice | None, NoticeSent | None]:
    """Returns the notice about a reported failure, and the place that it takes (`_free_place`).

    The notice is None if the writer gets no notice. Only a notice about an unconfirmed failure takes a place. Raises
    UnavailableError.
    """
    if event.type is EventType.REPORT_RECEIVED or item.state is not ItemState.ACCEPTED:
        return None, None
    if event.type is EventType.BOUNCED:
        reason = notices.failure(cast("ReportData", event.data)["reason"])
        return await notices.about_item(services, reserved, item, NoticeType.UNDELIVERABLE, reason, event.at), None
    place = None if keeping.was_noticed(history) else await _free_place(services.store, item, event)
    if place is None:
        return None, None
    reason = notices.failure(ReasonCode.REPORTED_UNDELIVERABLE)
    notice = await notices.about_item(services, reserved, item, NoticeType.REPORTED, reason, event.at)
    return notice, place if notice is not None else None


async def _free_place(store: Store, item: Item, event: Event) -> NoticeSent | None:
    """Returns a free place for a notice to the pair about an unconfirmed failure, None if there is none.

    A place is free again after 24 hours. Raises UnavailableError.
    """
    summary = await store.records.summary(item.message_id)
    pair = await store.pairs.get(summary.pair_id) if summary and summary.pair_id else None
    if pair is None:
        return None
    for number in range(_UNCERTAIN_A_DAY):
        place = NoticeSent(party_id=pair.buyer.party.id, topic=f"reported {pair.id} {number}", at=event.at)
        used_at = await store.notice_log.last_at(place.party_id, place.topic)
        if used_at is None or used_at < event.at - _DAY:
            return place
    return None


def _noticed(ids: Ids, event: Event, notice: OutgoingNotice | None) -> Event | None:
    if notice is None:
        return None
    if event.type is EventType.BOUNCED:
        data = notices.queued_data(notice, NoticeType.UNDELIVERABLE, cast("ReportData", event.data)["reason"])
    else:
        data = notices.queued_data(notice, NoticeType.REPORTED, ReasonCode.REPORTED_UNDELIVERABLE)
    return Event(id=ids.new(), message_id=event.message_id, at=event.at, type=EventType.NOTICE_QUEUED, data=data)
