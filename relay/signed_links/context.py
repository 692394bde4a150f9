"""Reads a token: the party that it was given to, its subject, and whether it may still be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.actions.actor import Actor, Right
from relay.core.model.event import Mark, mark_of
from relay.core.model.marketplace import Marketplace
from relay.core.model.pair import Pair
from relay.core.model.party import Party, PartyState, Role
from relay.core.model.sender import Sender
from relay.core.signed_link import ForgedError, Link, Purpose, read
from relay.ports import MessageSummary, PairStore, RecordStore, SenderStore
from relay.ports.audit import Way
from relay.ports.signed_links import LinkError, LinkFault
from relay.steps.plan import locale_of
from relay.steps.services import Services

_HOLDERS: Final = {
    Purpose.OPT_OUT: Role.BUYER,
    Purpose.NOT_IMPORTANT: Role.BUYER,
    Purpose.NO_REPLY: Role.SELLER,
    Purpose.PRODUCT_SUPPORT: Role.SELLER,
}
"""The role that a purpose is for. Purposes that are not listed are for both."""
_RIGHTS: Final = {
    Purpose.OPT_OUT: Right.SET_OPT_OUTS,
    Purpose.NOT_IMPORTANT: Right.MARK_NOT_IMPORTANT,
    Purpose.NO_REPLY: Right.MARK_NO_REPLY,
    Purpose.REPORT: Right.REPORT_ABUSE,
    Purpose.SENDER: Right.DECIDE_SENDERS,
    Purpose.CONFIRM: Right.DECIDE_HOLDS,
    Purpose.REOPEN: Right.REOPEN_THREADS,
    Purpose.PRODUCT_SUPPORT: Right.SET_PRODUCT_SUPPORT,
}
"""The one right that a link gives to its party, for the party's own things."""
_OWN_MESSAGE: Final = frozenset({Purpose.CONFIRM})
_EITHER_MESSAGE: Final = frozenset({Purpose.REOPEN})
_FOR_EVER: Final = frozenset({Purpose.OPT_OUT})
"""Links to opt out do not expire and work for closed accounts too: the mail of any age must allow to stop more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedMessage:
    """The message that a link is about, and its pair."""

    message: MessageSummary
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkContext:
    """A link that may be used now, by its party only."""

    services: Services
    purpose: Purpose
    party: Party
    marketplace: Marketplace
    now: datetime
    subject: LinkedMessage | Sender | None

    def actor(self, way: Way = Way.LINK) -> Actor:
        """Returns the party as an actor, with the right that the link gives."""
        return Actor.party(self.party.id, _RIGHTS[self.purpose], way)

    @property
    def locale(self) -> str:
        """The language of the link's pages."""
        return locale_of(self.marketplace, self.party)

    @property
    def about(self) -> LinkedMessage:
        """The message of a link that is about one."""
        assert isinstance(self.subject, LinkedMessage), "a purpose that is about a message"
        return self.subject

    @property
    def sender(self) -> Sender:
        """The sender of a link that is about one."""
        assert isinstance(self.subject, Sender), "a purpose that is about a sender"
        return self.subject

    def gone(self) -> LinkError:
        """Returns the error for a subject that does not exist any more."""
        return LinkError(LinkFault.GONE, locale=self.locale, help_url=self.marketplace.help_url)

    def no_such_choice(self) -> LinkError:
        """Returns the error for a choice that the link does not offer."""
        return LinkError(LinkFault.CHOICE, locale=self.locale, help_url=self.marketplace.help_url)

    async def marks(self) -> Sequence[Mark]:
        """Returns the marks in the message's history, oldest first."""
        history = await self.services.store.records.history(self.about.message.id)
        return [mark for event in history if (mark := mark_of(event)) is not None]


def open_link(key: bytes, token: str) -> Link:
    """Returns the link of a token that was signed with `key`. Raises LinkError for a token that is not genuine."""
    try:
        return read(token, key)
    except ForgedError:
        raise LinkError(LinkFault.FORGED) from None


async def resolve(services: Services, link: Link) -> LinkContext:
    """Looks up the party and the subject of a link. Raises LinkError if it may not be used, UnavailableError."""
    party = await services.store.parties.get(link.party_id)
    marketplace = services.marketplaces.by_id.get(party.marketplace_id) if party else None
    if party is None or marketplace is None:
        raise LinkError(LinkFault.GONE)
    now, locale = services.clock.now(), locale_of(marketplace, party)
    if link.expires_at <= now and link.purpose not in _FOR_EVER:
        raise LinkError(LinkFault.EXPIRED, locale=locale, help_url=marketplace.help_url)
    store = services.store
    subject = await _subject(store.records, store.pairs, store.senders, link, party)
    if (subject is None and link.purpose is not Purpose.PRODUCT_SUPPORT) or not _may(link, party):
        raise LinkError(LinkFault.GONE, locale=locale, help_url=marketplace.help_url)
    return LinkContext(
        services=services, purpose=link.purpose, party=party, marketplace=marketplace, now=now, subject=subject
    )


def _may(link: Link, party: Party) -> bool:
    if _HOLDERS.get(link.purpose, party.role) is not party.role or party.state is PartyState.ERASED:
        return False
    return party.state is PartyState.ACTIVE or link.purpose in _FOR_EVER


async def _subject(
    records: RecordStore, pairs: PairStore, senders: SenderStore, link: Link, party: Party
) -> LinkedMessage | Sender | None:
    """Returns None if the subject does not exist, or is not of the party."""
    if link.purpose is Purpose.PRODUCT_SUPPORT:
        return None
    if link.purpose is Purpose.SENDER:
        sender = await senders.get(link.subject_id)
        return sender if sender and sender.party_id == party.id else None
    message = await records.summary(link.subject_id)
    pair = await pairs.get(message.pair_id) if message and message.pair_id else None
    if message is None or pair is None or pair.side(party.role).party.id != party.id:
        return None
    author = party.role if link.purpose in _OWN_MESSAGE else party.role.other
    if link.purpose not in _EITHER_MESSAGE and message.author_role is not author:
        return None
    return LinkedMessage(message=message, pair=pair)
