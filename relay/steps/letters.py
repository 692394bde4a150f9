"""The letters that the relay itself writes.

Each letter has a record, and is delivered through the queue like all mail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from relay.core.model.event import Event, EventType, LetterData, MarkData
from relay.core.model.item import ItemKind
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import MessageState
from relay.core.model.party import Party
from relay.core.model.policy import Policy
from relay.core.notice import letters
from relay.core.notice.letters import Letterhead
from relay.core.policy.changes import changes
from relay.ports import Acceptance, LetterType, MessageRecord, NoticeLog, NoticeSent, RecordAction, RecordDetail
from relay.steps import queueing
from relay.steps.notice_log import is_turn_taken, take_turn
from relay.steps.plan import locale_of
from relay.steps.services import Services


async def announcement(services: Services, party: Party, policy: Policy, told: NoticeSent) -> bool:
    """Queues a letter to a seller about a policy version that will take effect, with its changes (R-POL-20).

    The entry for the notice log is written in the same transaction. Returns False if the seller has no mailbox. Raises
    UnavailableError.
    """
    marketplace = services.marketplaces.by_id[party.marketplace_id]
    locale = locale_of(marketplace, party)
    changed = changes(marketplace.policy_at(told.at), policy)
    url = f"{services.links.base_url}/policy/{marketplace.id}"

    def write(head: Letterhead) -> bytes:
        return letters.announcement(
            head, policy, policy.summary.get(locale, ""), changed, url, services.catalogue(locale)
        )

    return await to_party(services, marketplace, party, (told,), write, LetterType.ANNOUNCEMENT, told.at)


async def to_party(
    services: Services,
    marketplace: Marketplace,
    party: Party,
    told: Sequence[NoticeSent],
    write: Callable[[Letterhead], bytes],
    letter_type: LetterType,
    now: datetime,
    asked: tuple[str, ...] = (),
) -> bool:
    """Records and queues a letter to the party's mailbox, in one transaction, and returns True.

    `write` returns the letter for a given head. The same transaction writes the entries for the notice log, and marks
    the questions in the letter as put; `asked` has the subject ids of these questions. Returns False if the party has
    no mailbox. Raises UnavailableError, and OvertakenError if one of the questions was put already.
    """
    mailbox = await services.store.parties.mailbox(party.id)
    if mailbox is None:
        return False
    await services.store.acceptances.add(
        _acceptance(
            services,
            marketplace,
            write,
            letter_type,
            now,
            recipient_id=party.id,
            mailbox=mailbox,
            told=tuple(told),
            asked=asked,
        )
    )
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseReport:
    """A party's report about a message (R-REW-09).

    `order` is the marketplace's order id, or "". `words` is the reporter's text. `event` is the data of the event for
    the message's history, and does not contain the text.
    """

    message_id: str
    pair_id: str
    order: str
    reporter: Party
    words: str
    event: MarkData


async def report(services: Services, said: AbuseReport, now: datetime) -> bool:
    """Queues a letter to the operator and marks the message, in one transaction, and returns True.

    Returns False if the same report is being written already. Raises UnavailableError.
    """
    marketplace = services.marketplaces.by_id[said.reporter.marketplace_id]
    if not await take_turn(services.store.notice_log, said.reporter.id, _report_topic(said.message_id), now):
        return False
    language = services.catalogue(marketplace.locales[0])
    role = said.reporter.role

    def write(head: Letterhead) -> bytes:
        return letters.report_to_operator(
            head, said.message_id, said.pair_id, said.order, role, language, words=said.words
        )

    letter = _acceptance(services, marketplace, write, LetterType.REPORT, now, address=marketplace.operator)
    marked = Event(id=services.ids.new(), message_id=said.message_id, at=now, type=EventType.MARKED, data=said.event)
    await services.store.acceptances.add(replace(letter, events=(*letter.events, marked)))
    return True


async def is_being_reported(notice_log: NoticeLog, party_id: str, message_id: str, now: datetime) -> bool:
    """Returns whether the party reported the same message within the last minute. Raises UnavailableError."""
    return await is_turn_taken(notice_log, party_id, _report_topic(message_id), now)


def _report_topic(message_id: str) -> str:
    return f"report {message_id}"


def _acceptance(
    services: Services,
    marketplace: Marketplace,
    write: Callable[[Letterhead], bytes],
    letter_type: LetterType,
    now: datetime,
    *,
    recipient_id: str | None = None,
    mailbox: str | None = None,
    address: str | None = None,
    told: tuple[NoticeSent, ...] = (),
    asked: tuple[str, ...] = (),
) -> Acceptance:
    ids = services.ids
    record_id = ids.new()
    content = write(Letterhead(marketplace=marketplace, letter_id=f"{record_id}@{marketplace.domain}", at=now))
    record = MessageRecord(
        id=record_id,
        marketplace_id=marketplace.id,
        key_holder_id=recipient_id or marketplace.id,
        state=MessageState.QUEUED,
        received_at=now,
        mail_from="",
        recipient_id=recipient_id,
        original=content,
        policy_version=marketplace.policy_at(now).version,
        detail=RecordDetail(action=RecordAction.LETTER, letter=letter_type, size_bytes=len(content)),
    )
    item = queueing.of_relay(
        services,
        ItemKind.LETTER,
        marketplace,
        record_id,
        now,
        recipient_id=recipient_id,
        mailbox=mailbox,
        address=address,
    )
    queued = Event(
        id=ids.new(), message_id=record_id, at=now, type=EventType.QUEUED, data=LetterData(letter=letter_type)
    )
    return Acceptance(
        owner=services.settings.owner,
        lease_until=now,
        records=(record,),
        events=(queued,),
        items=(item,),
        told=told,
        asked=asked,
    )
