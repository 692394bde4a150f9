"""A marketplace: one tenant of the daemon. Configuration, not data; the store knows it by its id alone."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from relay.core.model.policy import Policy


class Fallback(StrEnum):
    """What stands in for proof when nothing is aligned and there is no DMARC record (R-IN-09)."""

    REFUSE = "refuse"
    HOLD = "hold"
    KNOWN_DOMAIN = "known_domain"


class Naming(StrEnum):
    """What is done with what names its maker or owner beside what is said (R-REW-06)."""

    PASS = "pass"  # noqa: S105 - a setting
    STRIP = "strip"
    RETURN = "return"


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """Domains are folded (lower-case A-labels); `locales[0]` is the default; addresses as configured. `policies` are
    all versions known, the earliest to take effect first, never empty (R-POL-15). `footer`: whether relayed mail gets
    its links (R-REW-09). `hide_names_in_text`: whether running text loses the writer's real name too (R-REW-01).
    `images`, `documents`: what attached files say of their maker; `signatures`: keys and signatures, which alone may be
    RETURN (R-REW-06)."""

    id: str
    name: str
    domain: str
    mobile_domain: str | None
    mobile_carriers: frozenset[str]
    locales: tuple[str, ...]
    help_url: str
    operator: str
    fallback: Fallback
    reject_at_data: bool
    show_seller_name: bool
    show_buyer_name: bool
    policies: tuple[Policy, ...]
    footer: bool = True
    images: Naming = Naming.STRIP
    documents: Naming = Naming.STRIP
    signatures: Naming = Naming.STRIP
    hide_names_in_text: bool = False

    @cached_property
    def domains(self) -> frozenset[str]:
        return frozenset(d for d in (self.domain, self.mobile_domain) if d)

    def policy_at(self, now: datetime) -> Policy:
        """The version in force: the last one to have taken effect, the first when none has yet."""
        return next((policy for policy in reversed(self.policies) if policy.effective_at <= now), self.policies[0])

    def alias_domain(self, mailbox_domain: str) -> str:
        """The domain for a new alias of a party whose mailbox is at `mailbox_domain` (folded) (R-ADR-03)."""
        return self.mobile_domain if self.mobile_domain and self.at_carrier(mailbox_domain) else self.domain

    def at_carrier(self, mailbox_domain: str) -> bool:
        """Whether a mailbox at that domain (folded) is a mobile carrier's."""
        return any(
            mailbox_domain == carrier or mailbox_domain.endswith("." + carrier) for carrier in self.mobile_carriers
        )
