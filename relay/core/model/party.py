"""A party: one account of a marketplace, a buyer or a seller, known by the marketplace's own reference."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The role of a party."""

    BUYER = "buyer"
    SELLER = "seller"

    @property
    def other(self) -> "Role":
        return Role.SELLER if self is Role.BUYER else Role.BUYER


class PartyState(StrEnum):
    """The state of a party's account."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySettings:
    """The settings that a party changes itself.

    `time_zone` and `quiet_hours` are for buyers: an IANA time zone, and a text such as "22:00-07:00", or "off". For
    either, "" means that the policy's value applies. `product_support` is for sellers: it is True if the seller answers
    product questions about orders that the operator fulfils.
    """

    time_zone: str = ""
    quiet_hours: str = ""
    product_support: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsUpdate:
    """New values for a party's settings; None means that the setting keeps its value."""

    time_zone: str | None = None
    quiet_hours: str | None = None
    product_support: bool | None = None

    def applied_to(self, settings: PartySettings) -> PartySettings:
        return PartySettings(
            time_zone=settings.time_zone if self.time_zone is None else self.time_zone,
            quiet_hours=settings.quiet_hours if self.quiet_hours is None else self.quiet_hours,
            product_support=settings.product_support if self.product_support is None else self.product_support,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A party of a marketplace.

    `external_ref` is the marketplace's own reference for the account. `locale` is the party's language. `display_name`
    is the name that the marketplace gave, never a name from a mail.
    """

    id: str
    marketplace_id: str
    role: Role
    external_ref: str
    state: PartyState
    locale: str
    display_name: str
    settings: PartySettings = PartySettings()
