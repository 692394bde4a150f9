"""Resolving the recipient addresses of one transaction, before anything is judged (R-IN-05, R-REW-05).

Addresses that reach the same mailbox are one recipient, whatever their tags. The message is judged, rewritten and
recorded once for each recipient.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.core import alias
from relay.core.mail.address import fold_domain, split
from relay.core.model.marketplace import Marketplace, Marketplaces
from relay.core.model.message import Incoming
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.ports import Ids, PairStore, SecretStore, Store, UnavailableError

OPERATOR_LOCAL_PARTS: Final = frozenset({"postmaster", "abuse"})  # RFC 5321 §4.5.1, RFC 2142 §4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """The values that every kind of recipient has.

    `policy` is the policy in force when the message was received. `local_part` and `domain` come from the first address
    that reaches the recipient, and are folded and without the tag. `tags` are the different tags of all addresses that
    reach the recipient, as they were typed, in order.
    """

    message_id: str
    marketplace: Marketplace
    policy: Policy
    local_part: str
    domain: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRecipient(_Resolved):
    """The party on side `to` of a pair. `check` means that the writer only asks for the verdict (R-POL-19)."""

    pair: Pair
    to: Role
    check: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRecipient(_Resolved):
    """The operator of the marketplace (R-IN-10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRecipient(_Resolved):
    """An address under a domain of the marketplace that reaches nobody, or no longer does (R-ADR-07)."""


Recipient = PartyRecipient | OperatorRecipient | UnknownRecipient


class RecipientKey(NamedTuple):
    """The identity of a recipient: two addresses with equal keys reach the same recipient.

    `scope` is the id of a pair or a marketplace. `name` is the side of the pair, "operator", or an unknown address.
    """

    scope: str
    name: str
    check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRecipients:
    """The recipients of one transaction, each of them once.

    `keys` has one key for each address of the transaction, in order. `distinct` has each recipient, in the order of its
    first address.
    """

    keys: tuple[RecipientKey, ...]
    distinct: Mapping[RecipientKey, Recipient]


class _Address(NamedTuple):
    marketplace: Marketplace
    local_part: str
    domain: str
    tag: str
    check: bool


async def resolve(store: Store, marketplaces: Marketplaces, ids: Ids, incoming: Incoming) -> ResolvedRecipients:
    """Returns the recipients of a transaction, each of them once.

    All recipients get their policy from the same value `marketplaces`, so that a reload of the configuration cannot
    change it between two of them. Raises UnavailableError, also if a domain was removed from the configuration
    meanwhile.
    """
    pairs: dict[tuple[str, str], Pair | None] = {}
    keys: list[RecipientKey] = []
    first: dict[RecipientKey, _Address] = {}
    tags: dict[RecipientKey, dict[str, None]] = {}
    for text in incoming.rcpt_to:
        address = _read(marketplaces, text)
        name = address.local_part, address.domain
        if name not in pairs:
            pairs[name] = await _pair(store.pairs, store.secrets, address)
        key = _key(address, pairs[name])
        keys.append(key)
        first.setdefault(key, address)
        tags.setdefault(key, {})
        if address.tag:
            tags[key][address.tag] = None
    return ResolvedRecipients(
        keys=tuple(keys),
        distinct={
            key: _recipient(
                address,
                pairs[address.local_part, address.domain],
                message_id=ids.new(),
                policy=address.marketplace.policy_at(incoming.received_at),
                tags=tuple(tags[key]),
            )
            for key, address in first.items()
        },
    )


def _read(marketplaces: Marketplaces, text: str) -> _Address:
    local_part, domain = split(text)
    domain = fold_domain(domain)
    marketplace = marketplaces.by_domain.get(domain)
    if marketplace is None:
        raise UnavailableError("the marketplace was removed from the configuration during the transaction")
    name, tag, check = alias.untag(local_part)
    return _Address(marketplace, name, domain, tag, check)


async def _pair(pair_store: PairStore, secrets: SecretStore, address: _Address) -> Pair | None:
    """Returns the pair to which the alias belongs, None for an address that is no alias in force."""
    if not alias.is_valid(address.local_part, address.domain, secrets.get("alias")):
        return None
    pair = await pair_store.by_alias(address.local_part, address.domain)
    if pair is None or pair.role_of(address.local_part, address.domain) is None:
        return None
    if pair.marketplace_id != address.marketplace.id:
        return None  # the domain belonged to another marketplace when the alias was made (R-ADR-09)
    return pair


def _key(address: _Address, pair: Pair | None) -> RecipientKey:
    if address.local_part in OPERATOR_LOCAL_PARTS:
        return RecipientKey(address.marketplace.id, "operator")
    if pair is not None:
        return RecipientKey(pair.id, _side(address, pair), address.check)
    return RecipientKey(address.marketplace.id, f"{address.local_part}@{address.domain}")


def _side(address: _Address, pair: Pair) -> Role:
    return Role.BUYER if pair.buyer.alias.local_part == address.local_part else Role.SELLER


def _recipient(
    address: _Address, pair: Pair | None, *, message_id: str, policy: Policy, tags: tuple[str, ...]
) -> Recipient:
    marketplace, local_part, domain = address.marketplace, address.local_part, address.domain
    if local_part in OPERATOR_LOCAL_PARTS:
        return OperatorRecipient(
            message_id=message_id,
            marketplace=marketplace,
            policy=policy,
            local_part=local_part,
            domain=domain,
            tags=tags,
        )
    if pair is None:
        return UnknownRecipient(
            message_id=message_id,
            marketplace=marketplace,
            policy=policy,
            local_part=local_part,
            domain=domain,
            tags=tags,
        )
    return PartyRecipient(
        message_id=message_id,
        marketplace=marketplace,
        policy=policy,
        local_part=local_part,
        domain=domain,
        tags=tags,
        pair=pair,
        to=_side(address, pair),
        check=address.check,
    )
