"""A party: one account, a buyer or a seller, which the marketplace knows by an external reference."""

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
    """The state of an account."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySettings:
    """Settings that a party makes itself.

    A buyer has `time_zone` (IANA) and `quiet_hours` ("22:00-07:00" or "off"); "" means the policy's value. With
    `product_support` a seller answers product questions about orders that the operator fulfils.
    """

    time_zone: str = ""
    quiet_hours: str = ""
    product_support: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsUpdate:
    """New values for a party's settings; None keeps a value."""

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
    """An account of a marketplace. `display_name` comes from the marketplace, never from mail."""

    id: str
    marketplace_id: str
    role: Role
    external_ref: str
    state: PartyState
    locale: str
    display_name: str
    settings: PartySettings = PartySettings()
