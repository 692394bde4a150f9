"""The relay's own letters on their way: each is a record of its own, and rides the queue like all mail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from relay.core.link import Purpose
from relay.core.model.event import Event, EventType
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import MessageState
from relay.core.model.party import Party
from relay.core.notice import letters
from relay.core.notice.letters import Letterhead, WaitingSender
from relay.core.policy.changes import changes
from relay.core.policy.policy import Policy
from relay.ports import Acceptance, Record, Told
from relay.steps.footer import locale_of
from relay.steps.house import House
from relay.steps.queueing import domain_of

_TURN_S: Final = 60
"""How long a report has for its letter before the same one may try again."""


async def pending_digest(house: House, party: Party, told: Told) -> bool:
    """To the owner of senders that wait for his word (R-SND-02); False when none does (any more)."""
    marketplace = house.book.by_id[party.marketplace_id]
    waiting = [
        WaitingSender(
            pending.sender.address,
            pending.held,
            pending.since,
            house.links.url(Purpose.SENDER, party.id, pending.sender.id, told.at),
        )
        for pending in await house.store.pending(party.id)
    ]
    if not waiting:
        return False
    language = house.catalogue(locale_of(marketplace, party))
    return await to_party(
        house, marketplace, party, told, lambda head: letters.pending_digest(head, waiting, language), "digest"
    )


async def announcement(house: House, party: Party, policy: Policy, told: Told) -> bool:
    """To a seller: a policy that will take effect, and what it changes (R-POL-20)."""
    marketplace = house.book.by_id[party.marketplace_id]
    locale = locale_of(marketplace, party)
    changed = changes(marketplace.policy_at(told.at), policy)
    url = f"{house.links.base_url}/policy/{marketplace.id}"

    def write(head: Letterhead) -> bytes:
        return letters.announcement(head, policy, policy.summary.get(locale, ""), changed, url, house.catalogue(locale))

    return await to_party(house, marketplace, party, told, write, "announcement")


async def to_party(
    house: House,
    marketplace: Marketplace,
    party: Party,
    told: Told,
    write: Callable[[Letterhead], bytes],
    word: str,
) -> bool:
    """Records and queues a letter to the party's mailbox, with the note that it was told; False without a mailbox."""
    mailbox = await house.store.mailbox(party.id)
    if mailbox is None:
        return False
    await house.store.accept(
        _acceptance(house, marketplace, write, word, told.at, destination=mailbox, recipient_id=party.id, told=(told,))
    )
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What somebody says of a message (R-REW-09). `order` is the marketplace's id, "" for none; `words` are the
    reporter's; `event` is what the message's history keeps of it, without them."""

    message_id: str
    pair_id: str
    order: str
    reporter: Party
    words: str
    event: dict[str, str | int]


async def report(house: House, said: Report, now: datetime) -> bool:
    """To the operator: letter and mark in one transaction. False when the same report is just being written: of two
    clicks at once one writes."""
    marketplace = house.book.by_id[said.reporter.marketplace_id]
    turn = Told(party_id=said.reporter.id, topic=_report_topic(said.message_id), at=now)
    if not await house.store.told(turn, unless_since=now - timedelta(seconds=_TURN_S)):
        return False
    language = house.catalogue(marketplace.locales[0])
    role = said.reporter.role

    def write(head: Letterhead) -> bytes:
        return letters.report_to_operator(
            head, said.message_id, said.pair_id, said.order, role, language, words=said.words
        )

    operator = marketplace.operator
    letter = _acceptance(house, marketplace, write, "report", now, destination=operator, address=operator)
    marked = Event(id=house.ids.new(), message_id=said.message_id, at=now, type=EventType.MARKED, data=said.event)
    await house.store.accept(replace(letter, events=(*letter.events, marked)))
    return True


async def is_being_reported(house: House, party_id: str, message_id: str, now: datetime) -> bool:
    told_at = await house.store.told_at(party_id, _report_topic(message_id))
    return told_at is not None and now - told_at < timedelta(seconds=_TURN_S)


def _report_topic(message_id: str) -> str:
    return f"report {message_id}"


def _acceptance(
    house: House,
    marketplace: Marketplace,
    write: Callable[[Letterhead], bytes],
    word: str,
    now: datetime,
    *,
    destination: str,
    recipient_id: str | None = None,
    address: str | None = None,
    told: tuple[Told, ...] = (),
) -> Acceptance:
    record_id = house.ids.new()
    content = write(Letterhead(marketplace=marketplace, letter_id=f"{record_id}@{marketplace.domain}", at=now))
    record = Record(
        id=record_id,
        marketplace_id=marketplace.id,
        key_holder_id=recipient_id or marketplace.id,
        state=MessageState.QUEUED,
        received_at=now,
        mail_from="",
        recipient_id=recipient_id,
        original=content,
        policy_version=marketplace.policy_at(now).version,
        detail={"action": "letter", "letter": word, "size_bytes": len(content)},
    )
    item = Item(
        id=house.ids.new(),
        message_id=record_id,
        marketplace_id=marketplace.id,
        kind=ItemKind.LETTER,
        state=ItemState.QUEUED,
        recipient_id=recipient_id,
        address=address,
        destination=domain_of(destination),
        queued_at=now,
        due_at=now,
    )
    queued = Event(id=house.ids.new(), message_id=record_id, at=now, type=EventType.QUEUED, data={"letter": word})
    return Acceptance(
        records=(record,),
        events=(queued,),
        items=(item,),
        notices=(),
        new_senders=(),
        owner=house.settings.owner,
        lease_until=now,
        told=told,
    )
