"""Gathering the facts: every look-up that a decision may need, done first and frozen (`Facts`)."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from relay.core import alias
from relay.core.address import AddressError, fold, fold_domain, split
from relay.core.model.head import Automatic, Head
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming
from relay.core.model.order import Order
from relay.core.model.pair import Pair, Side
from relay.core.model.party import Role
from relay.core.policy.case import automatic
from relay.core.policy.facts import Authentication, Facts
from relay.core.rewrite.plan import Plan
from relay.ports import UnavailableError
from relay.steps.house import House

OPERATOR_LOCAL_PARTS = frozenset({"postmaster", "abuse"})  # RFC 5321 §4.5.1, RFC 2142 §4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One recipient address of a transaction: whose alias it is, or None when nobody's (any more)."""

    address: str
    marketplace: Marketplace
    local_part: str
    domain: str
    tag: str
    pair: Pair | None
    to: Role | None

    @property
    def is_operator(self) -> bool:
        return self.local_part in OPERATOR_LOCAL_PARTS


async def find_target(house: House, address: str) -> Target:
    """Whom a recipient address of ours means. Raises UnavailableError when its domain has ceased to be ours."""
    local_part, domain = split(address)
    domain = fold_domain(domain)
    marketplace = house.book.by_domain.get(domain)
    if marketplace is None:
        raise UnavailableError("the marketplace was taken out of the configuration meanwhile")
    name, tag = alias.untag(local_part)
    pair, to = None, None
    if alias.is_valid(name, domain, house.store.secret("alias")):
        pair = await house.store.pair_by_alias(name, domain)
    if pair is not None and pair.marketplace_id != marketplace.id:
        pair = None  # the domain was another marketplace's when the alias was issued (R-ADR-09)
    if pair is not None:
        to = Role.BUYER if pair.buyer.alias.local_part == name else Role.SELLER
    return Target(address=address, marketplace=marketplace, local_part=name, domain=domain, tag=tag, pair=pair, to=to)


async def gather(
    house: House,
    incoming: Incoming,
    head: Head,
    authentication: Authentication,
    target: Target,
) -> Facts:
    """The facts about one alias of one message."""
    pair, to = target.pair, target.to
    if pair is None or to is None:
        raise ValueError("facts are about an alias of a pair")
    store, marketplace = house.store, target.marketplace
    writing = pair.side(to.other).party
    sender = pair.side(to.other).sender_for(head.from_address)
    opt_outs = await store.opt_outs(pair.buyer.party.id, pair.seller.party.id) if to is Role.BUYER else ()
    since = incoming.received_at - timedelta(days=1)
    return Facts(
        marketplace=marketplace,
        pair=pair,
        to=to,
        tag=target.tag,
        order=await _named_order(house, pair, target.tag) if target.tag else None,
        authentication=authentication,
        from_address=head.from_address,
        sender=sender,
        listed_elsewhere=sender is None and await store.listed_elsewhere(marketplace.id, writing.id, head.from_address),
        pending_senders=0 if sender else await store.pending_senders(writing.id),
        opt_outs=tuple(opt_outs),
        thread_refs=tuple(await store.thread_refs(pair, to.other, head.references)) if head.references else (),
        open_question=to is Role.BUYER and await store.open_question(pair.id),
        auto_replies_today=(
            await store.auto_replies_since(pair.id, to.other, since)
            if automatic(incoming, head) is Automatic.REPLY
            else 0
        ),
    )


async def _named_order(house: House, pair: Pair, tag: str) -> Order | None:
    """The pair's own order of that name: another pair's says nothing here (R-ADR-05)."""
    order = await house.store.order(pair.marketplace_id, tag)
    return order if order and order.pair_id == pair.id else None


def plan(house: House, incoming: Incoming, facts: Facts, message_id: str) -> Plan:
    """What the rewrite of this message for the alias's party is given."""
    author = facts.pair.side(facts.to.other)
    domain = author.alias.domain
    # The writer's own addresses of this transaction too: behind an approved domain they are on no list.
    written_from = {facts.from_address: author.alias.address}
    with suppress(AddressError):
        written_from[fold(incoming.mail_from)] = author.alias.address
    registered = {
        address: side.alias.address for side in (facts.pair.buyer, facts.pair.seller) for address in side.addresses
    }
    return Plan(
        domain=domain,
        from_address=author.alias.address,
        from_name=_shown_name(house, facts.marketplace, facts.pair, author),
        disguise=written_from | registered,
        message_id=f"{message_id}@{domain}",
        thread_ids={ref.incoming_id: ref.outgoing_id for ref in facts.thread_refs},
        thread_key=house.store.secret("thread") + facts.pair.id.encode(),
        hidden_hosts=frozenset(word for word in (incoming.peer.helo, incoming.peer.client_ip) if word),
    )


def _shown_name(house: House, marketplace: Marketplace, pair: Pair, side: Side) -> str:
    """What the other side reads as the writer's name: given by the marketplace, or a pseudonym (R-ADR-06)."""
    if side.party.role is Role.SELLER:
        name = side.party.display_name if marketplace.show_seller_name else ""
        return f"{name or 'Seller'} ({marketplace.name})"
    name = side.party.display_name if marketplace.show_buyer_name else ""
    if not name:
        name = alias.pseudonym(pair.seller.party.id, pair.buyer.party.id, house.store.secret("alias"))
    return f"{name} ({marketplace.name})"
