"""The mail that tells the operator of held messages that wait for the staff (R-SND-02).

One mail is written when the first message waits. Then at most one mail an hour is written about new messages, and one
mail a day as long as any message waits. No mail contains an address or a text of a message, because anybody may have
written it.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from relay.core.model.event import Event, EventType, NoticeData
from relay.core.model.item import Hold, ItemKind
from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import OWNER_DECIDES
from relay.core.notice import letters
from relay.core.notice.letters import HeldLine, Letterhead
from relay.ports import Acceptance, HeldMessage, OutgoingNotice, Store
from relay.steps import queueing
from relay.steps.notice_log import take_turn
from relay.steps.quota import QUOTAS
from relay.steps.services import Services

_TYPE: Final = "staff"
"""The type of this mail in the log and in the history of the message that the mail names first."""
_SHORTEST: Final = timedelta(hours=1)
_LONGEST_LIST: Final = 50


class Decider(StrEnum):
    """The person whose decision a held message waits for."""

    STAFF = "staff"
    """The operator, because of a finding such as spam or disguised contact data."""
    OWNER = "owner"
    """The owner of the writer's account, because the writer is unlisted or unproven (R-IN-09)."""
    NOBODY = "nobody"
    """The message is sent at a certain time without a decision (R-POL-11)."""


def waits_for(held: HeldMessage) -> Decider:
    """Returns whose decision the message waits for. Mail that waits for the owner and the staff is for the staff."""
    if held.hold is Hold.TIME:
        return Decider.NOBODY
    reasons = set(held.message.detail.reason_codes)
    return Decider.OWNER if reasons & OWNER_DECIDES and reasons <= OWNER_DECIDES | QUOTAS else Decider.STAFF


async def tell(services: Services, marketplace: Marketplace) -> None:
    """Queues the mail to the marketplace's operator if it is due now. Raises UnavailableError."""
    now = services.clock.now()
    last_at = await _last_at(services, marketplace, now)
    if last_at is not None and abs(now - last_at) < _SHORTEST:
        return
    found = await services.store.holds.held(marketplace.id, beside_senders=True)
    waiting = [one for one in found if waits_for(one) is Decider.STAFF]
    is_new = any(last_at is None or one.message.received_at >= last_at for one in waiting)
    if is_new and await _is_our_turn(services.store, waiting[0], now):
        await _write(services, marketplace, waiting, now)


async def _last_at(services: Services, marketplace: Marketplace, now: datetime) -> datetime | None:
    """Returns when the last mail of the last `digest_s` seconds was written, or None if there is none."""
    since = now - max(timedelta(seconds=services.settings.digest_s), _SHORTEST)
    ids = await services.store.notice_log.due_since(marketplace.id, since)
    # Ids are in the order of time. The time at which an item is due changes with each attempt at its delivery.
    last = await services.store.queue.item(max(ids)) if ids else None
    return last.queued_at if last else None


async def _is_our_turn(store: Store, first: HeldMessage, now: datetime) -> bool:
    """Returns whether no other node is writing the mail. The notice log needs a party, so it gets one of the pair."""
    pair = await store.pairs.get(first.message.pair_id) if first.message.pair_id else None
    if pair is None:
        return True
    return await take_turn(store.notice_log, pair.seller.party.id, f"staff {first.message.id}", now)


async def _write(services: Services, marketplace: Marketplace, waiting: list[HeldMessage], now: datetime) -> None:
    item = queueing.of_relay(
        services, ItemKind.NOTICE, marketplace, waiting[0].message.id, now, address=marketplace.operator
    )
    lines = [
        HeldLine(
            one.message.id,
            one.message.author_role,
            one.message.order_external_id or "",
            one.message.detail.reason_codes,
            one.message.received_at,
            one.until,
        )
        for one in waiting[:_LONGEST_LIST]
    ]
    head = Letterhead(marketplace=marketplace, letter_id=f"{item.id}@{marketplace.domain}", at=now)
    content = letters.held_for_staff(head, lines, len(waiting), services.catalogue(marketplace.locales[0]))
    queued = Event(
        id=services.ids.new(),
        message_id=item.message_id,
        at=now,
        type=EventType.NOTICE_QUEUED,
        data=NoticeData(notice=item.id, type=_TYPE),
    )
    await services.store.acceptances.add(
        Acceptance(
            owner=services.settings.owner,
            lease_until=now,
            events=(queued,),
            notices=(OutgoingNotice(item=item, key_holder_id=marketplace.id, content=content),),
        )
    )
    services.dispatcher.notify()
