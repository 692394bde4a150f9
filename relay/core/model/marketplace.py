"""A marketplace: one tenant of the installation. It is defined in the configuration; the store has only its id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final

from relay.core.mail.address import fold_domain
from relay.core.model.order import CANCELLED, Order
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
    """The treatment of mail whose writer is not proven by SPF or DKIM, if its domain has no DMARC record (R-IN-09)."""

    REFUSE = "refuse"
    HOLD = "hold"
    KNOWN_DOMAIN = "known_domain"


class Naming(StrEnum):
    """The treatment of data in a message that name their author or owner, such as a signature (R-REW-06)."""

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

_ENDED_ORDER_STATES: Final = (
    CANCELLED,
    "canceled",
    "closed",
    "completed",
    "refunded",
    "キャンセル",
    "キャンセル済み",
    "取消",
    "取引完了",
    "完了",
    "返金済み",
)


@dataclass(frozen=True, kw_only=True)
class MarketplaceSettings:
    """The settings of a marketplace; the names, constraints and defaults are those of the table [[marketplace]].

    `id` names the marketplace in commands and records. `domain` and `mobile_domain` are the domains of its aliases,
    folded as by `address.fold_domain`; parties with a mailbox at one of the `mobile_carriers` get an alias under
    `mobile_domain`, unless it is "". `operator` is the address that gets the mail for postmaster@ and abuse@.
    `locales` are its languages, the default first.

    `authentication` decides about mail whose writer is not proven (R-IN-09). `hide_names_in_text` also removes the
    writer's real name from the text of a message (R-REW-01). `footer` adds the signed links to relayed mail (R-REW-09).
    With `keep_former_mailbox`, a mailbox that a party has left may go on writing for the party (R-ADR-04).
    An order in one of the `ended_order_states` is not open; case does not matter (R-ADR-05).
    `images` and `documents` decide about data in attached files that name their author, and `signatures` about keys and
    signatures (R-REW-06). `config.example.toml` explains all settings.
    """

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
    keep_former_mailbox: bool = False
    ended_order_states: frozenset[Text] = frozenset(_ENDED_ORDER_STATES)
    images: _PassOrStrip = Naming.STRIP
    documents: _PassOrStrip = Naming.STRIP
    signatures: Annotated[Naming, OneOf(("strip", "pass", "return"))] = Naming.STRIP


@dataclass(frozen=True, kw_only=True)
class Marketplace(MarketplaceSettings):
    """A marketplace with its settings and its policies.

    `policies` are all known versions of its policy, sorted by `effective_at`; there is at least one (R-POL-15).
    """

    policies: tuple[Policy, ...]

    @cached_property
    def _ended(self) -> frozenset[str]:
        return frozenset(state.casefold() for state in (*self.ended_order_states, CANCELLED))

    def has_ended(self, order: Order) -> bool:
        """Returns whether the state of an order says that nothing is left to do for it."""
        return order.state.casefold() in self._ended

    @cached_property
    def domains(self) -> frozenset[str]:
        """The folded domains under which this marketplace has aliases."""
        return frozenset(d for d in (self.domain, self.mobile_domain) if d)

    def policy_at(self, now: datetime) -> Policy:
        """Returns the version of the policy that is in force at the time `now`.

        If the first version has not taken effect by then, the first version is returned.
        """
        return next((policy for policy in reversed(self.policies) if policy.effective_at <= now), self.policies[0])

    def alias_domain(self, mailbox_domain: str) -> str:
        """Returns the domain for the new alias of a party whose mailbox is at `mailbox_domain` (R-ADR-03).

        `mailbox_domain` is folded as by `address.fold_domain`.
        """
        return self.mobile_domain if self.mobile_domain and self.at_carrier(mailbox_domain) else self.domain

    def at_carrier(self, mailbox_domain: str) -> bool:
        """Returns whether `mailbox_domain` (folded) is the domain of a mobile carrier, or a subdomain of one."""
        return f".{mailbox_domain}".endswith(tuple([f".{carrier}" for carrier in self.mobile_carriers]))


@dataclass(frozen=True, slots=True)
class Marketplaces:
    """The configured marketplaces, by their ids and by each of their domains (folded)."""

    by_id: Mapping[str, Marketplace]
    by_domain: Mapping[str, Marketplace]

    @classmethod
    def of(cls, marketplaces: Sequence[Marketplace], hostname: str) -> "Marketplaces":
        """Returns the marketplaces by id and domain; `hostname` is the relay's own host name.

        `hostname` counts as a domain of the first marketplace, so that this marketplace's operator gets the mail for
        `postmaster@hostname` (RFC 5321 §4.5.1).
        """
        own_name = {fold_domain(hostname): m for m in marketplaces[:1]}
        return cls(
            by_id={m.id: m for m in marketplaces},
            by_domain=own_name | {domain: m for m in marketplaces for domain in m.domains},
        )

    def is_own(self, address: str) -> bool:
        """Returns whether the domain of `local@domain` or `@domain` is a domain of the relay itself.

        Subdomains do not count. Raises AddressError for an invalid domain.

        An address at a domain of the relay may not become a party's mailbox or sender (R-OUT-08). Mail to it would come
        to the relay again, and the rewrite, which replaces a party's addresses by its alias, would replace an alias.
        """
        return fold_domain(address.rpartition("@")[2]) in self.by_domain
