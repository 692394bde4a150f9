"""What every step of the flow shares: the ports and the settings, joined once by `app`.

`Marketplaces` is the part that a reload replaces; a step reads `services.book` once and works with that value to its
end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from relay.core.mail.address import fold_domain
from relay.core.mail.mime import MimeLimits
from relay.core.model.item import Item
from relay.core.model.marketplace import Marketplace
from relay.core.notice.texts import Catalogue
from relay.core.retry import Schedule
from relay.ports import Authenticator, Clock, Courier, Ids, Observer, Scanner, Signer, Store, StoredContent
from relay.steps.event_log import EventLog
from relay.steps.signed_links import SignedLinkUrls


@dataclass(frozen=True, slots=True)
class Marketplaces:
    """The marketplaces, by id and by each of their folded domains."""

    by_id: Mapping[str, Marketplace]
    by_domain: Mapping[str, Marketplace]

    @classmethod
    def of(cls, marketplaces: Sequence[Marketplace], hostname: str) -> "Marketplaces":
        """The server's own name counts as the first marketplace's: its postmaster is somebody (RFC 5321 §4.5.1)."""
        own_name = {fold_domain(hostname): m for m in marketplaces[:1]}
        return cls(
            by_id={m.id: m for m in marketplaces},
            by_domain=own_name | {domain: m for m in marketplaces for domain in m.domains},
        )

    def is_own(self, address: str) -> bool:
        """Whether `local@domain`, or a whole domain as `@domain`, is at a domain of the relay (not at a subdomain).

        Such an address is never a party's mailbox or sender, whatever its local part (R-OUT-08): mail to it would
        return to the relay, and with an alias on a list the rewrite would put one alias in the place of another.
        Raises AddressError for a domain that is none.
        """
        return fold_domain(address.rpartition("@")[2]) in self.by_domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`owner` names this process in leases; `hostname` is our name in trace fields and reports."""

    owner: str
    hostname: str
    mime_limits: MimeLimits
    schedule: Schedule
    lease_s: float
    poll_s: float
    concurrency: int
    concurrency_per_destination: int
    return_path_s: float
    digest_s: float
    """How long a party that was told of something is not told of its like."""


class NoticeQuota(Protocol):
    async def next_free(self, party_id: str, now: datetime) -> datetime:
        """When the next notice to this party may leave; taking it counts. Raises UnavailableError."""
        ...


class Dispatcher(Protocol):
    """The worker as the flow sees it."""

    def has_capacity(self, destination: str) -> bool:
        """Whether an item for this domain may be born leased now."""
        ...

    def submit(self, submitted: Sequence[tuple[Item, StoredContent]]) -> None:
        """Takes items that were committed as leased by us."""
        ...

    def notify(self) -> None:
        """Something new is due in the queue."""
        ...


@dataclass(slots=True, kw_only=True)
class Services:
    """`jitter()` is in [0, 1), for the spread of retries."""

    marketplaces: Marketplaces
    settings: Settings
    store: Store
    clock: Clock
    ids: Ids
    observer: Observer
    event_log: EventLog
    authenticator: Authenticator
    scanners: Sequence[Scanner]
    courier: Courier
    signer: Signer
    catalogue: Catalogue
    dispatcher: Dispatcher
    notice_quota: NoticeQuota
    links: SignedLinkUrls
    jitter: Callable[[], float]
