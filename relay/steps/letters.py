"""The relay's own letters on their way: each is a record of its own, and rides the queue like all mail."""

from collections.abc import Callable
from datetime import datetime

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


async def to_operator(
    house: House, marketplace: Marketplace, write: Callable[[Letterhead], bytes], word: str, now: datetime
) -> None:
    """Records and queues a letter to the marketplace's operator."""
    operator = marketplace.operator
    await house.store.accept(_acceptance(house, marketplace, write, word, now, destination=operator, address=operator))


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
