"""The ports and settings that all steps of the flow share; `relay.app` joins them once.

A reload of the configuration replaces `Services.marketplaces`, so a step reads it once and works with that value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from relay.core.bounce.keeping import ReportLimits
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
from relay.steps.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that the steps need.

    `owner` names this process in leases; `hostname` is the server's name in trace fields and reports; `digest_s` is the
    shortest time between two similar notices to one party; `report_limits` bound the mail to a return path;
    `stranger_body_s` is how long the content of strangers' mail is kept.
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
    """Makes signed links (`relay.core.signed_link`).

    `base_url` is the public address of the web edge, without a slash at its end; `key` is the "link" secret; a link
    works for `life_s`.
    """

    base_url: str
    key: bytes
    life_s: float

    @property
    def prefix(self) -> str:
        """The text with which every signed link begins.

        The rewrite finds the links in a mail by it, and removes them: no link of one side may reach the other
        (R-REW-09).
        """
        return f"{self.base_url}/l/"

    def url(self, purpose: Purpose, party_id: str, subject_id: str, now: datetime) -> str:
        link = Link(
            purpose=purpose, party_id=party_id, subject_id=subject_id, expires_at=now + timedelta(seconds=self.life_s)
        )
        return self.prefix + mint(link, self.key)


class NoticeSlots(Protocol):
    async def next_free(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        """Reserves a slot for a new notice to this party, and returns the earliest time at which it may leave.

        Returns None if so many notices wait that this one must not be written. Raises UnavailableError.
        """
        ...


class NoticeQuota(NoticeSlots, Protocol):
    """The hourly limit of notices per party (R-OUT-07)."""

    def release(self, party_id: str, item_id: str) -> None:
        """Gives back the slot of a notice that was not committed."""
        ...

    async def admit(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        """Counts a notice that is about to leave, and returns None; or returns the time until which it must wait.

        A notice that was admitted and could not be delivered is admitted again. Raises UnavailableError.
        """
        ...


class DailyBudget(Protocol):
    """A number of bytes for each day in UTC."""

    def take(self, size_bytes: int, now: datetime) -> bool:
        """Takes this many bytes of the day's. Returns False, with nothing taken, if fewer are left."""
        ...


class Dispatcher(Protocol):
    """The worker as the flow uses it."""

    def has_capacity(self, destination: str) -> bool:
        """Whether a new item for this domain may be leased by this process at once."""
        ...

    def submit(self, submitted: Sequence[tuple[Item, StoredContent | None]]) -> None:
        """Takes items that were committed as leased by this process.

        A big content is None: it is read again when the item's turn has come, and is not in memory while the item
        waits for a connection.
        """
        ...

    def notify(self) -> None:
        """Tells the worker that the queue has new due items."""
        ...


@dataclass(slots=True, kw_only=True)
class Services:
    """`jitter()` returns a number in [0, 1) that spreads retries. `delivery_room` bounds big contents in delivery."""

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
    delivery_room: Room
    stranger_budget: DailyBudget
    links: SignedLinkUrls
    workers: Workers
    jitter: Callable[[], float]
