"""Bounces: a delivery report to one of the relay's signed return paths settles the item that it is about."""

from relay.core import bounce
from relay.core.bounce import BounceAction
from relay.core.model.event import Event, EventType, NoticeData, ReportData
from relay.core.model.message import Incoming
from relay.core.model.reply import Reply
from relay.core.notice.compose import NoticeType
from relay.steps import notices
from relay.steps.notice_log import ReservedSlots
from relay.steps.offload import offload
from relay.steps.services import Services


async def take(services: Services, incoming: Incoming, item_id: str) -> Reply:
    """Reads a report about `item_id`, and sends the writer of the failed message a notice. Raises UnavailableError.

    The sender of the report gets no mail in answer (RFC 5321 §4.5.5).
    """
    report = await offload(len(incoming.content), bounce.read, incoming.content)
    item = await services.store.queue.item(item_id)
    if report is None or report.action is not BounceAction.FAILED or item is None:
        services.event_log.report_ignored("unread" if report is None else "ignored", item)
        return Reply(250, "2.0.0", "taken note of")

    def event(event_type: EventType, data: ReportData | NoticeData) -> Event:
        at = incoming.received_at
        return Event(id=services.ids.new(), message_id=item.message_id, at=at, type=event_type, data=data)

    events = [event(EventType.BOUNCED, ReportData(reason=report.reason, status=report.status, by="report"))]
    with ReservedSlots(services.notice_quota) as slots:
        notice, notice_type = None, NoticeType.UNDELIVERABLE
        if not item.is_ours:
            reason = notices.failure(report.reason)
            notice = await notices.about_item(services, slots, item, notice_type, reason, incoming.received_at)
        if notice is not None:
            queued = notices.queued_data(notice, notice_type, report.reason)
            events.append(event(EventType.NOTICE_QUEUED, queued))
        if await services.store.queue.bounce(item_id, events, notice):
            services.dispatcher.notify()
        else:
            services.event_log.report_ignored("repeated", item)
            slots.release()
    return Reply(250, "2.0.0", "taken note of")
