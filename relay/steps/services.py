"""The ports and settings that all steps of the flow share. `relay.app` connects them once.

A reload of the configuration replaces `Services.marketplaces`. Therefore a step reads that field once and works with
the value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from relay.core import destination
from relay.core.bounce.keeping import ReportLimits
from relay.core.mail.address import AddressError, domain_of
from relay.core.mail.mime import MimeLimits
from relay.core.model.item import Item
from relay.core.model.marketplace import Marketplaces
from relay.core.model.operator_limits import OperatorLimits
from relay.core.notice.texts import Catalogue
from relay.core.retry import Schedule
from relay.core.signed_link import Link, Purpose, mint
from relay.ports import (
    Authenticator,
    Clock,
    Courier,
    Ids,
    Lanes,
    Observer,
    Scanner,
    Signer,
    Store,
    StoredContent,
    Workers,
)
from relay.steps.event_log import StructuredEventLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that the steps need.

    - `owner` is the name of this process in leases.
    - `hostname` is the server's name in trace fields and reports.
    - `digest_s` is the shortest time between two warnings of one kind to one party about one pair.
    - `report_limits` limit the mail to one return path.
    - `stranger_body_s` is the time for which the content of strangers' mail is kept.
    """

    owner: str
    hostname: str
    mime_limits: MimeLimits
    schedule: Schedule
    lease_s: float
    poll_s: float
    return_path_s: float
    digest_s: float
    report_limits: ReportLimits
    operator_mail: OperatorLimits
    stranger_body_s: float


@dataclass(frozen=True, slots=True)
class SignedLinkUrls:
    """Makes the URLs of signed links (`relay.core.signed_link`).

    `base_url` is the public URL of the web edge, without a slash at the end. `key` is the secret with the name "link".
    A link works for `life_s` seconds.
    """

    base_url: str
    key: bytes
    life_s: float

    @property
    def prefix(self) -> str:
        """Returns the text with which every signed link begins.

        By this text the rewrite finds the links in a mail and removes them, because no link of one side may reach the
        other side (R-REW-09).
        """
        return f"{self.base_url}/l/"

    def url(self, purpose: Purpose, party_id: str, subject_id: str, now: datetime) -> str:
        link = Link(
            purpose=purpose, party_id=party_id, subject_id=subject_id, expires_at=now + timedelta(seconds=self.life_s)
        )
        return self.prefix + mint(link, self.key)


class NoticeSlots(Protocol):
    async def next_free(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        """Reserves a slot for a new notice to this party, and returns the earliest time at which it may be sent.

        Returns None if too many notices wait already: then the notice must not be written. Raises UnavailableError.
        """
        ...


class NoticeQuota(NoticeSlots, Protocol):
    """The limit on the number of notices to a party in an hour (R-OUT-07)."""

    def release(self, party_id: str, item_id: str) -> None:
        """Frees the slot of a notice that was not committed. Does nothing if the notice has no slot."""
        ...

    async def admit(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        """Counts a notice that is about to be sent, and returns None; or returns the time until which it must wait.

        A notice that was admitted and could not be delivered is always admitted again. Raises UnavailableError.
        """
        ...


class DailyBudget(Protocol):
    """A number of bytes for each day in UTC, of which each client has a share."""

    def take(self, client: str, size_bytes: int, now: datetime) -> bool:
        """Takes `size_bytes` for `client` from the budget of the day, and returns True.

        Returns False, with nothing taken, if the client's share has fewer bytes left.
        """
        ...

    def release(self, client: str, size_bytes: int, taken_at: datetime) -> None:
        """Gives back `size_bytes` that a transaction without a commit has taken at `now`.

        Bytes of an earlier day are not given back, because the present day has a budget of its own.
        """
        ...


class Dispatcher(Protocol):
    """The worker, as the steps use it."""

    def has_capacity(self, destination: str) -> bool:
        """Returns whether this process may lease a new item for this destination at once."""
        ...

    def submit(self, submitted: Sequence[tuple[Item, StoredContent | None]]) -> None:
        """Hands over committed items that this process has leased, each with its content.

        The content is None if it is big: the worker reads it from the store when the item's turn has come, so that it
        does not use memory while the item waits for a connection.
        """
        ...

    def notify(self) -> None:
        """Tells the worker that the queue has new due items."""
        ...


@dataclass(slots=True, kw_only=True)
class Services:
    """The ports and settings of the flow. `jitter()` returns a random number in [0, 1), which spreads retries."""

    marketplaces: Marketplaces
    settings: Settings
    store: Store
    clock: Clock
    ids: Ids
    observer: Observer
    event_log: StructuredEventLog
    authenticator: Authenticator
    scanners: Sequence[Scanner]
    courier: Courier
    lanes: Lanes
    signer: Signer
    catalogue: Catalogue
    dispatcher: Dispatcher
    notice_quota: NoticeQuota
    stranger_budget: DailyBudget
    links: SignedLinkUrls
    workers: Workers
    jitter: Callable[[], float]

    def destination_of(self, mailbox: str | None) -> str:
        """Returns the name of the destination of mail to this mailbox, "" without one; dispatch finds it out again."""
        try:
            return destination.name_of(self.store.secrets.get("destination"), domain_of(mailbox or ""))
        except AddressError:
            return ""
