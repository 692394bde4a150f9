"""A party: one account, a buyer or a seller, known to the marketplace by an external reference."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"

    @property
    def other(self) -> "Role":
        return Role.SELLER if self is Role.BUYER else Role.BUYER


class PartyState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySettings:
    """A party's own choices. `time_zone` (IANA) and `quiet_hours` ("22:00-07:00", "off") of a buyer, "" for the
    policy's; `product_support`: a seller answers product questions about orders that the operator fulfils."""

    time_zone: str = ""
    quiet_hours: str = ""
    product_support: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsUpdate:
    """New values of a party's settings; None leaves a value as it is."""

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
    """`display_name` is what the marketplace gave for display, never a name read from mail."""

    id: str
    marketplace_id: str
    role: Role
    external_ref: str
    state: PartyState
    locale: str
    display_name: str
    settings: PartySettings = PartySettings()
