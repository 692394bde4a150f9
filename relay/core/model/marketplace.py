"""A marketplace: one tenant of the daemon. It is configuration and not data; the store knows its id only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from relay.core.model.policy import Policy


class Fallback(StrEnum):
    """The substitute for proof when nothing is aligned and there is no DMARC record (R-IN-09)."""

    REFUSE = "refuse"
    HOLD = "hold"
    KNOWN_DOMAIN = "known_domain"


class Naming(StrEnum):
    """The treatment of file contents that name their maker or owner (R-REW-06)."""

    PASS = "pass"  # noqa: S105 - a setting
    STRIP = "strip"
    RETURN = "return"


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """One tenant: its domains, languages, texts and policies.

    Domains are folded (lower-case A-labels). `locales[0]` is the default. `operator` and `help_url` are as configured.
    `policies` are all known versions in order of `effective_at`, never empty (R-POL-15). `footer`: relayed mail gets
    links (R-REW-09). `hide_names_in_text`: the writer's real name is removed from running text too (R-REW-01). `images`
    and `documents` are the treatment of attached files, `signatures` that of keys and signatures; only `signatures` may
    be RETURN (R-REW-06).
    """

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
        """The folded domains under which this marketplace has aliases."""
        return frozenset(d for d in (self.domain, self.mobile_domain) if d)

    def policy_at(self, now: datetime) -> Policy:
        """Returns the version in force: the last one whose time has come, or the first when there is none."""
        return next((policy for policy in reversed(self.policies) if policy.effective_at <= now), self.policies[0])

    def alias_domain(self, mailbox_domain: str) -> str:
        """Returns the domain for a new alias of a party with a mailbox at `mailbox_domain` (folded) (R-ADR-03)."""
        return self.mobile_domain if self.mobile_domain and self.at_carrier(mailbox_domain) else self.domain

    def at_carrier(self, mailbox_domain: str) -> bool:
        """Whether a mailbox at this folded domain belongs to a mobile carrier."""
        return any(
            mailbox_domain == carrier or mailbox_domain.endswith("." + carrier) for carrier in self.mobile_carriers
        )
