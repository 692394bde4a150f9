"""A marketplace: one tenant of the daemon. It is configuration, not data; the store has only its id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final

from relay.core.mail.address import fold_domain
from relay.core.model.policy import Policy
from relay.core.setting import (
    Language,
    MailAddress,
    MailDomain,
    OneOf,
    OptionalMailDomain,
    Slug,
    Text,
    WebUrl,
)


class Fallback(StrEnum):
    """The treatment of mail whose writer neither SPF nor DKIM proves and whose domain has no DMARC record (R-IN-09)."""

    REFUSE = "refuse"
    HOLD = "hold"
    KNOWN_DOMAIN = "known_domain"


class Naming(StrEnum):
    """The treatment of data in a message that name its maker or owner (R-REW-06)."""

    PASS = "pass"  # noqa: S105 - a setting
    STRIP = "strip"
    RETURN = "return"


_PassOrStrip = Annotated[Naming, OneOf(("strip", "pass"))]
_CARRIERS: Final = (
    "docomo.ne.jp",
    "ezweb.ne.jp",
    "au.com",
    "softbank.ne.jp",
    "i.softbank.jp",
    "ymobile.ne.jp",
)


@dataclass(frozen=True, kw_only=True)
class MarketplaceSettings:
    """The settings of a marketplace, with the names, constraints and defaults of a [[marketplace]] table.

    `id` is its slug in commands and records; domains are folded (lower-case A-labels), "" for no mobile domain;
    `locales[0]` is the default; `operator` gets the mail to postmaster@ and abuse@; `authentication` is used for mail
    whose writer nothing proves (R-IN-09). `hide_names_in_text`: whether running text loses the writer's real name too
    (R-REW-01). `footer`: whether relayed mail gets its links (R-REW-09). `images`, `documents`: what happens to data
    about their maker in attached files; `signatures`: the same for keys and signatures, which alone may be RETURN
    (R-REW-06)."""

    id: Slug
    name: Text
    domain: MailDomain
    operator: MailAddress
    mobile_domain: OptionalMailDomain = ""
    mobile_carriers: frozenset[MailDomain] = frozenset(_CARRIERS)
    locales: tuple[Language, ...] = ("en", "ja")
    help_url: WebUrl
    authentication: Fallback = Fallback.HOLD
    reject_at_data: bool = False
    show_seller_name: bool = True
    show_buyer_name: bool = False
    hide_names_in_text: bool = False
    footer: bool = True
    images: _PassOrStrip = Naming.STRIP
    documents: _PassOrStrip = Naming.STRIP
    signatures: Annotated[Naming, OneOf(("strip", "pass", "return"))] = Naming.STRIP


@dataclass(frozen=True, kw_only=True)
class Marketplace(MarketplaceSettings):
    """A marketplace as core sees it.

    `policies` are all known versions, the earliest to take effect first; there is at least one (R-POL-15).
    """

    policies: tuple[Policy, ...]

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


@dataclass(frozen=True, slots=True)
class Marketplaces:
    """The configured marketplaces, by id and by each of their folded domains."""

    by_id: Mapping[str, Marketplace]
    by_domain: Mapping[str, Marketplace]

    @classmethod
    def of(cls, marketplaces: Sequence[Marketplace], hostname: str) -> "Marketplaces":
        """`postmaster@hostname` goes to the first marketplace's operator (RFC 5321 §4.5.1)."""
        own_name = {fold_domain(hostname): m for m in marketplaces[:1]}
        return cls(
            by_id={m.id: m for m in marketplaces},
            by_domain=own_name | {domain: m for m in marketplaces for domain in m.domains},
        )

    def is_own(self, address: str) -> bool:
        """Whether `local@domain`, or a whole domain as `@domain`, is at a domain of the relay (not at a subdomain).

        Such an address is never a party's mailbox or sender, whatever its local part (R-OUT-08): mail to it would
        return to the relay, and with an alias on a list the rewrite would put one alias in the place of another.
        Raises AddressError for an invalid domain.
        """
        return fold_domain(address.rpartition("@")[2]) in self.by_domain
