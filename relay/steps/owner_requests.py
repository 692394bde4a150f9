"""Questions to the owner of an account: whether an address may write for it, and whether a mail is the owner's own.

The questions are asked by housekeeping, not by the flow of a message. Therefore neither the answer to a mail nor the
time of the answer shows whether the owner is asked. The questions contain no text of the mail, because anybody may have
written it (R-SND-02, R-IN-09).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from relay.core.mail.address import domain_of
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, Role
from relay.core.model.sender import SenderState
from relay.core.notice import letters as texts
from relay.core.notice.letters import Letterhead, OwnerQuestion
from relay.core.public_suffixes import organizational_domain
from relay.core.signed_link import Purpose
from relay.ports import LetterType, NoticeLog, NoticeSent, OpenRequest, OvertakenError
from relay.steps import letters
from relay.steps.plan import locale_of
from relay.steps.services import Services

_HOUR: Final = timedelta(hours=1)
_SINGLES: Final = ("request 1", "request 2", "request 3")
"""The topics under which the notice log has the last three letters with a single question."""
_DIGEST: Final = "request digest"
_FRESH: Final = timedelta(minutes=10)
"""The time after which one letter puts all waiting questions, if more of them wait than may be put one by one.

The time is counted from the oldest question.
"""
_LONGEST_DIGEST: Final = 50


async def ask(services: Services, party: Party, now: datetime) -> None:
    """Puts the waiting questions to the party: three letters an hour with one question each, then one with all others.

    After a letter with several questions no letter is written for an hour. Questions that must not be put are closed.
    Raises UnavailableError.
    """
    marketplace = services.marketplaces.by_id[party.marketplace_id]
    mailbox = await services.store.parties.mailbox(party.id)
    if mailbox is None:
        return
    waiting = await services.store.requests.waiting(party.id)
    asked = [one for one in waiting if await _is_asked(services, marketplace, party, mailbox, one)]
    ids = {one.request.subject_id for one in asked}
    await services.store.requests.leave_out(
        [one.request.subject_id for one in waiting if one.request.subject_id not in ids]
    )
    try:
        for topics, questions in await _letters(services.store.notice_log, party, asked, now):
            await _write(services, marketplace, party, topics, questions, now)
    except OvertakenError:  # another node has put the question
        return


async def _letters(
    notice_log: NoticeLog, party: Party, asked: Sequence[OpenRequest], now: datetime
) -> Sequence[tuple[Sequence[str], Sequence[OpenRequest]]]:
    """Returns the letters that may be written now, each with its topics for the notice log and its questions."""

    async def is_free(topic: str) -> bool:
        told_at = await notice_log.last_at(party.id, topic)
        return told_at is None or abs(now - told_at) >= _HOUR

    free = [topic for topic in _SINGLES if await is_free(topic)]
    if not asked or not free or not await is_free(_DIGEST):
        return []
    if len(asked) <= len(free) or now - asked[0].request.since < _FRESH:
        return [((topic,), (question,)) for topic, question in zip(free, asked, strict=False)]
    return [((_DIGEST,), asked[:_LONGEST_DIGEST])]


async def _write(
    services: Services,
    marketplace: Marketplace,
    party: Party,
    topics: Sequence[str],
    asked: Sequence[OpenRequest],
    now: datetime,
) -> None:
    language = services.catalogue(locale_of(marketplace, party))
    questions = [
        OwnerQuestion(
            one.request.purpose,
            one.sender.address,
            one.held,
            one.request.since,
            services.links.url(one.request.purpose, party.id, one.request.subject_id, now),
        )
        for one in asked
    ]

    def write(head: Letterhead) -> bytes:
        return texts.owner_request(head, questions, language)

    told = [NoticeSent(party_id=party.id, topic=topic, at=now) for topic in topics]
    subjects = tuple(one.request.subject_id for one in asked)
    if await letters.to_party(services, marketplace, party, told, write, LetterType.DIGEST, now, subjects):
        services.dispatcher.notify()


async def _is_asked(services: Services, marketplace: Marketplace, party: Party, mailbox: str, one: OpenRequest) -> bool:
    """Returns whether the question is still open and may be put to the owner.

    The owner is never asked about an address of the other side or of the relay. A buyer with an opt-out is asked only
    about addresses at the domain of the buyer's own mailbox, and about addresses that the buyer has decided on before.
    """
    sender, request = one.sender, one.request
    is_open = sender.state is SenderState.UNKNOWN if request.purpose is Purpose.SENDER else True
    if not one.held or not is_open or services.marketplaces.is_own(sender.address):
        return False
    # After a login the account itself has put the address into From, and a missing question would show whose address it
    # is. An approved address belongs to the account.
    is_own_doing = sender.added_by == "login" or sender.state is SenderState.APPROVED
    if not is_own_doing and await services.store.senders.listed_by_counterpart(
        marketplace.id, party.id, sender.address
    ):
        return False
    if party.role is Role.SELLER or sender.is_decided:
        return True
    pair = await services.store.pairs.get(request.pair_id)
    opt_outs = await services.store.opt_outs.in_force(party.id, pair.seller.party.id) if pair else ()
    if not any(opt_out.kind is None for opt_out in opt_outs):
        return True
    providers = marketplace.policy_at(services.clock.now()).senders.mailbox_providers
    own, its = (_organization(domain) for domain in (domain_of(mailbox), sender.address.rpartition("@")[2]))
    return own == its and own not in {_organization(provider) for provider in providers}


def _organization(domain: str) -> str:
    return organizational_domain(domain) or domain
