"""Reads the token of a signed link, looks up its party and its subject, and checks whether it may still be used."""

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
"""The role of the parties that may use a link of a purpose. A purpose that is not listed is for both roles."""
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
"""The right that a link of each purpose gives. It is limited to the data of the link's party."""
_OWN_MESSAGE: Final = frozenset({Purpose.CONFIRM})
_EITHER_MESSAGE: Final = frozenset({Purpose.REOPEN})
_FOR_EVER: Final = frozenset({Purpose.OPT_OUT})
"""The purposes of links that do not expire and that also work for closed accounts.

They are the links to opt out, because a buyer must be able to stop further mail by the link in a mail of any age.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedMessage:
    """The message that a link is about, and its pair."""

    message: MessageSummary
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkContext:
    """A link that may be used now, with its party, its subject and the services that its actions need.

    `subject` is None if the purpose has no subject.
    """

    services: Services
    purpose: Purpose
    party: Party
    marketplace: Marketplace
    now: datetime
    subject: LinkedMessage | Sender | None

    def actor(self, way: Way = Way.LINK) -> Actor:
        """Returns the party as an actor that has only the right of the link's purpose.

        `way` is the way in which the party acts: by the page of the link, or by one click in a mail program.
        """
        return Actor.party(self.party.id, _RIGHTS[self.purpose], way)

    @property
    def locale(self) -> str:
        """The language of the link's pages."""
        return locale_of(self.marketplace, self.party)

    @property
    def about(self) -> LinkedMessage:
        """The subject of the link as a message. It may be used only if the purpose is about a message."""
        assert isinstance(self.subject, LinkedMessage), "a purpose that is about a message"
        return self.subject

    @property
    def sender(self) -> Sender:
        """The subject of the link as a sender. It may be used only if the purpose is about a sender."""
        assert isinstance(self.subject, Sender), "a purpose that is about a sender"
        return self.subject

    def gone(self) -> LinkError:
        """Returns the error that the subject of the link no longer exists."""
        return LinkError(LinkFault.GONE, locale=self.locale, help_url=self.marketplace.help_url)

    def no_such_choice(self) -> LinkError:
        """Returns the error that the link does not offer the choice."""
        return LinkError(LinkFault.CHOICE, locale=self.locale, help_url=self.marketplace.help_url)

    async def marks(self) -> Sequence[Mark]:
        """Returns the marks of the link's message, the oldest first. Raises UnavailableError."""
        history = await self.services.store.records.history(self.about.message.id)
        return [mark for event in history if (mark := mark_of(event)) is not None]


def open_link(key: bytes, token: str) -> Link:
    """Returns the link of a token. Raises LinkError if the token was not made with `key`."""
    try:
        return read(token, key)
    except ForgedError:
        raise LinkError(LinkFault.FORGED) from None


async def resolve(services: Services, link: Link) -> LinkContext:
    """Returns the context of a link: looks up its party and its subject, and checks that it may be used now.

    Raises LinkError if the link has expired, or if its party or its subject does not exist or does not allow its use.
    Raises UnavailableError.
    """
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
    """Returns the subject of a link.

    Returns None if the purpose has no subject, if the subject does not exist, or if it does not belong to the party.
    """
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
