"""Gathering the facts: every look-up that a decision may need, done first and frozen (`Facts`)."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from relay.core import alias
from relay.core.mail.address import AddressError, fold, fold_domain, split
from relay.core.mail.head import Automatic, Head
from relay.core.model import days
from relay.core.model.facts import Authentication, Facts, ThreadRef, Usage
from relay.core.model.marketplace import Marketplace, Naming
from relay.core.model.message import Incoming
from relay.core.model.order import Order
from relay.core.model.pair import Pair, Side
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.sender import SenderState
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.case import automatic
from relay.core.policy.rules import quotas
from relay.core.rewrite.plan import Plan
from relay.ports import Store, UnavailableError, Use
from relay.steps import footer
from relay.steps.services import Services

_NOTHING_SPENT: Final[Counter[Use]] = Counter()
_DAYS_AHEAD: Final = range(1, 15)
OPERATOR_LOCAL_PARTS: Final = frozenset({"postmaster", "abuse"})  # RFC 5321 §4.5.1, RFC 2142 §4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One recipient address of a transaction: whose alias it is, or None when nobody's (any more). `check`: it is only
    asked what would become of the message (R-POL-19)."""

    address: str
    marketplace: Marketplace
    local_part: str
    domain: str
    tag: str
    pair: Pair | None
    to: Role | None
    check: bool = False

    @property
    def is_operator(self) -> bool:
        return self.local_part in OPERATOR_LOCAL_PARTS


async def find_target(services: Services, address: str) -> Target:
    """Whom a recipient address of ours means. Raises UnavailableError when its domain has ceased to be ours."""
    local_part, domain = split(address)
    domain = fold_domain(domain)
    marketplace = services.marketplaces.by_domain.get(domain)
    if marketplace is None:
        raise UnavailableError("the marketplace was taken out of the configuration meanwhile")
    name, tag, check = alias.untag(local_part)
    pair, to = None, None
    if alias.is_valid(name, domain, services.store.secret("alias")):
        pair = await services.store.pair_by_alias(name, domain)
    if pair is not None and pair.marketplace_id != marketplace.id:
        pair = None  # the domain was another marketplace's when the alias was issued (R-ADR-09)
    if pair is not None:
        to = Role.BUYER if pair.buyer.alias.local_part == name else Role.SELLER
    return Target(
        address=address,
        marketplace=marketplace,
        local_part=name,
        domain=domain,
        tag=tag,
        pair=pair,
        to=to,
        check=check and pair is not None,
    )


async def gather(
    services: Services,
    incoming: Incoming,
    head: Head,
    authentication: Authentication,
    target: Target,
    spent: Counter[Use],
) -> Facts:
    """The facts about one alias of one message, without scans; `spent`: what its other recipients use up. Raises
    UnavailableError."""
    pair, to = target.pair, target.to
    if pair is None or to is None:
        raise ValueError("facts are about an alias of a pair")
    store, marketplace = services.store, target.marketplace
    writing = pair.side(to.other).party
    sender = pair.side(to.other).sender_for(head.from_address)
    unlisted = sender is None or sender.state is SenderState.RETIRED
    opt_outs = await store.opt_outs(pair.buyer.party.id, pair.seller.party.id) if to is Role.BUYER else ()
    now = incoming.received_at
    policy = marketplace.policy_at(now)
    thread_refs = tuple(await store.thread_refs(pair, to.other, head.references)) if head.references else ()
    orders = tuple(await store.orders_of(pair.id))
    order = _order(orders, target.tag, thread_refs)
    used = await usage(store, pair, policy, now, spent) if to is Role.BUYER else Usage()
    is_full = quotas.are_full(policy.quotas, used)
    return Facts(
        marketplace=marketplace,
        pair=pair,
        to=to,
        tag=target.tag,
        order=order,
        authentication=authentication,
        from_address=head.from_address,
        sender=sender,
        listed_elsewhere=unlisted and await store.listed_elsewhere(marketplace.id, writing.id, head.from_address),
        pending_senders=await store.pending_senders(writing.id) if unlisted else 0,
        opt_outs=tuple(opt_outs),
        thread_refs=thread_refs,
        open_question=to is Role.BUYER and await store.open_question(pair.id),
        auto_replies_today=(
            await store.auto_replies_since(pair.id, to.other, now - timedelta(days=1))
            if automatic(incoming, head) is Automatic.REPLY
            else 0
        ),
        orders=orders,
        usage=used,
        coming=await _coming(store, pair, policy, now, spent) if is_full else (),
        misuse=(
            await store.misuse_score(pair.seller.party.id, now - timedelta(seconds=policy.bypass.score_s))
            if to is Role.BUYER
            else 0
        ),
        link_prefix=services.links.prefix,
        thread_last_at=await store.thread_last_at(pair.id, order.id if order else None),
    )


def _order(orders: Sequence[Order], tag: str, thread_refs: Sequence[ThreadRef]) -> Order | None:
    """The order that the tag names, else the one that the thread is about; always one of the pair's own (R-ADR-05).
    Some mail programs write addresses in lower case, so case counts only between orders that differ by nothing else."""
    named = [order for order in orders if tag and order.external_id.casefold() == tag.casefold()]
    if exact := next((order for order in named if order.external_id == tag or len(named) == 1), None):
        return exact
    threads = {ref.order_id for ref in thread_refs}
    return next((order for order in orders if order.id in threads), None)


def uses(pair: Pair, policy: Policy, now: datetime) -> tuple[Use, Use, Use, Use]:
    """The day's counters that a seller's message to this buyer may use up: as in `Usage`, in its order."""
    today = days.day_of(now, policy).isoformat()
    seller_id = pair.seller.party.id
    return (
        Use(scope="seller", subject_id=seller_id, day=today),
        Use(scope="pair", subject_id=pair.id, day=today),
        Use(scope="buyer", subject_id=pair.buyer.party.id, day=today),
        Use(scope="bypass", subject_id=seller_id, day=today),
    )


def spends(facts: Facts, verdict: Verdict, at: datetime) -> Sequence[Use]:
    """What a message costs of quotas: nothing when it does not leave, and one of the day on which it leaves when a
    quota holds it."""
    if verdict.action is Action.RETURN:
        return ()
    leaves_at = (verdict.not_before or at) if verdict.action is Action.HOLD else at
    of_day = uses(facts.pair, facts.marketplace.policy_at(at), leaves_at)
    return [use for use in of_day if (verdict.bypass if use.scope == "bypass" else verdict.counted)]


async def usage(store: Store, pair: Pair, policy: Policy, now: datetime, spent: Counter[Use] = _NOTHING_SPENT) -> Usage:
    counted = uses(pair, policy, now)
    used = await store.used(counted)
    seller, of_pair, buyer, bypass = (many + spent[use] for many, use in zip(used, counted, strict=True))
    return Usage(seller=seller, pair=of_pair, buyer=buyer, bypass=bypass)


async def _coming(store: Store, pair: Pair, policy: Policy, now: datetime, spent: Counter[Use]) -> tuple[Usage, ...]:
    return tuple([await usage(store, pair, policy, now + timedelta(days=ahead), spent) for ahead in _DAYS_AHEAD])


def plan(
    services: Services, incoming: Incoming, facts: Facts, verdict: Verdict, message_id: str, from_name: str = ""
) -> Plan:
    """What the rewrite of this message for the alias's party is given. `from_name`: what its From calls the writer."""
    below = footer.lines(services, facts, verdict, message_id, incoming.received_at)
    author = facts.pair.side(facts.to.other)
    domain = author.alias.domain
    # The writer's own addresses of this transaction too: behind an approved domain they are on no list.
    written_from = {facts.from_address: author.alias.address}
    with suppress(AddressError):
        written_from[fold(incoming.mail_from)] = author.alias.address
    registered = {
        address: side.alias.address for side in (facts.pair.buyer, facts.pair.seller) for address in side.addresses
    }
    shown = shown_name(services, facts.marketplace, facts.pair, author)
    return Plan(
        domain=domain,
        from_address=author.alias.address,
        from_name=f"{shown} ({facts.marketplace.name})",
        disguise=written_from | registered,
        message_id=f"{message_id}@{domain}",
        thread_ids={ref.incoming_id: ref.outgoing_id for ref in facts.thread_refs},
        thread_key=services.store.secret("thread") + facts.pair.id.encode(),
        hidden_hosts=frozenset(word for word in (incoming.peer.helo, incoming.peer.client_ip) if word),
        disguise_domains=_whole_domains(facts.pair.side(facts.to)) | _whole_domains(author),
        hidden_names={name: shown for name in (from_name, author.party.display_name) if name and name not in shown},
        hide_names_in_text=facts.marketplace.hide_names_in_text,
        cutouts=footer.cutouts(services, facts, verdict),
        strip_images=facts.marketplace.images is Naming.STRIP,
        strip_documents=facts.marketplace.documents is Naming.STRIP,
        strip_signatures=facts.marketplace.signatures is Naming.STRIP,
        signature_placeholder=footer.signature_placeholder(services, facts),
        footer=below.lines,
        unsubscribe=below.unsubscribe,
        mobile=_is_mobile(facts.marketplace, facts.pair.side(facts.to)),
        language=footer.locale_of(facts.marketplace, facts.pair.side(facts.to).party),
        link_prefix=services.links.prefix,
    )


def _is_mobile(marketplace: Marketplace, reader: Side) -> bool:
    """By the mailbox of now, whatever domain the alias has had from the first; held mail keeps the profile of the day
    it was written."""
    return reader.mailbox is not None and marketplace.at_carrier(fold_domain(reader.mailbox.rpartition("@")[2]))


def _whole_domains(side: Side) -> dict[str, str]:
    """The domains where every address may write for the party, or once might: each stands for it (R-SND-01)."""
    may_write = {SenderState.APPROVED, SenderState.RETIRED}
    return {
        sender.address[1:]: side.alias.address
        for sender in side.senders
        if sender.is_domain and sender.state in may_write
    }


def shown_name(services: Services, marketplace: Marketplace, pair: Pair, side: Side) -> str:
    """What the other side reads as the writer's name: given by the marketplace, or a pseudonym (R-ADR-06)."""
    if side.party.role is Role.SELLER:
        name = side.party.display_name if marketplace.show_seller_name else ""
        return name or "Seller"
    name = side.party.display_name if marketplace.show_buyer_name else ""
    return name or alias.pseudonym(pair.seller.party.id, pair.buyer.party.id, services.store.secret("alias"))
