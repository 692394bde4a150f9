"""Mail that came back: a delivery report to one of our signed return paths settles the item that it is about."""

from relay.core import bounce
from relay.core.bounce import BounceAction
from relay.core.model.event import Event, EventType
from relay.core.model.message import Incoming
from relay.core.model.reply import Reply
from relay.core.notice.compose import NoticeType
from relay.steps import telling
from relay.steps.house import House
from relay.steps.offload import offload


async def take(house: House, incoming: Incoming, item_id: str) -> Reply:
    """Reads what came back for `item_id`. It is never answered by mail (RFC 5321 §4.5.5); only the writer of the
    message that failed gets a notice. Raises UnavailableError."""
    report = await offload(len(incoming.content), bounce.read, incoming.content)
    item = await house.store.item(item_id)
    if report is None or report.action is not BounceAction.FAILED or item is None:
        house.observer.count("bounces", outcome="unread" if report is None else "ignored")
        return Reply(250, "2.0.0", "taken note of")
    event = Event(
        id=house.ids.new(),
        message_id=item.message_id,
        at=incoming.received_at,
        type=EventType.BOUNCED,
        data={"reason": report.reason, "status": report.status, "by": "report"},
    )
    notice = None
    if not item.is_ours:
        reason = telling.failure(report.reason)
        notice = await telling.about_item(house, item, NoticeType.UNDELIVERABLE, reason, incoming.received_at)
    if await house.store.bounce(item_id, (event,), notice):
        house.departures.wake()
        house.observer.count("bounces", outcome=report.reason)
    return Reply(250, "2.0.0", "taken note of")
