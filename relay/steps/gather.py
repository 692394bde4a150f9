"""Gathering the facts: every value that a decision may need is looked up first, and the result is frozen (`Facts`)."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.core import coverage
from relay.core.identify import proof_of
from relay.core.mail import address
from relay.core.mail.head import Automatic
from relay.core.mail.quotes import WrittenTexts
from relay.core.model.facts import Authentication, Facts, Proof, Scan, SignatureProof, Waiting
from relay.core.model.marketplace import Fallback, Marketplace, Marketplaces
from relay.core.model.message import Incoming
from relay.core.model.order import Order
from relay.core.model.pair import Pair, Side
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.sender import Sender, SenderState, pending_id
from relay.core.model.standing import Standing
from relay.core.order_ids import OrderIds
from relay.core.policy import kinds
from relay.core.policy import reach as core_reach
from relay.core.policy.automation import class_of
from relay.core.policy.rules import probing, quotas
from relay.ports import Places, Scanner, SecretStore, SignatureUse, Store, Use
from relay.steps import orders as order_steps
from relay.steps import pace
from relay.steps.outcomes import ParsedMail
from relay.steps.quota import counters, probe_counters, usage, usage_ahead
from relay.steps.recipients import PartyRecipient


@dataclass(slots=True)
class Scans:
    """The results of the virus and spam scanners for one message, asked once for all recipients.

    The caller asks only after `identify` has accepted the writer, so that the mail of most strangers costs no scan.
    """

    scanners: Sequence[Scanner]
    incoming: Incoming
    found: tuple[Scan, ...] | None = None

    async def get(self) -> tuple[Scan, ...]:
        """Returns the results of all scanners. The first call asks them all at the same time (R-POL-17).

        Raises UnavailableError if a scanner is unavailable and its setting is `tempfail`.
        """
        if self.found is None:
            asked = await asyncio.gather(*(each.scan(self.incoming.content) for each in self.scanners))
            self.found = tuple(one for one in asked if one is not None)
        return self.found


async def gather(
    store: Store,
    marketplaces: Marketplaces,
    link_prefix: str,
    incoming: Incoming,
    mail: ParsedMail,
    texts: WrittenTexts,
    recipient: PartyRecipient,
    spent: Counter[Use],
) -> Facts:
    """Returns the facts about one recipient of one message, without the scans.

    `link_prefix` is the beginning of every signed link. `texts` are the texts of the mail. `spent` has the counts that
    earlier recipients of the same transaction use up. Raises UnavailableError.
    """
    marketplace, policy, head = recipient.marketplace, recipient.policy, mail.head
    pair, to, now = recipient.pair, recipient.to, incoming.received_at
    writing = pair.side(to.other).party
    is_own_from = marketplaces.is_own(head.from_address)
    sender = None if is_own_from else pair.side(to.other).sender_for(head.from_address)
    opt_outs = await store.opt_outs.in_force(pair.buyer.party.id, pair.seller.party.id) if to is Role.BUYER else ()
    thread_refs = tuple(await store.threads.refs(pair, to.other, head.references)) if head.references else ()
    orders = tuple(await store.orders.of_pair(pair.id))
    ids = OrderIds(orders)
    known_tags = tuple(dict.fromkeys(_known(ids, recipient.tags)))
    tag = next(iter((*known_tags, *recipient.tags)), "")
    named = order_steps.named(orders, ids, recipient.tags, head, texts, thread_refs)
    about = await order_steps.about(store.threads, marketplace, policy, pair.id, orders, named, now)
    signed = mail.authentication.signed
    is_addressed = signed is None or _names(signed, recipient, incoming.return_path)
    domain_confirmed = (
        signed is not None and not is_addressed and await store.senders.has_confirmed(writing.id, signed.domains)
    )
    counts = is_addressed or domain_confirmed
    proof = proof_of(incoming, head, marketplace, mail.authentication, is_addressed=counts)
    may_be_forged = proof is Proof.NONE and marketplace.authentication is Fallback.HOLD
    unlisted = sender is None or sender.state is SenderState.RETIRED
    writer_key = _writer_key(store.secrets, incoming, writing.id, None if may_be_forged else sender, head.from_address)
    marks = pace.marks(store.secrets, texts, mail.automatic, pair, to.other, thread_refs, policy)
    of_pair = pace.counters(pair, marks, now)
    of_day = counters(pair, policy, now) if to is Role.BUYER else ()
    used = await usage(store, (*of_day, *probe_counters(writer_key, policy, now), *of_pair), spent)
    automatic = class_of(mail.automatic, thread_refs, to.other, used, policy.limits, now)
    is_put_off = quotas.are_full(policy.quotas, used) or probing.is_reached(policy.quotas, used)
    return Facts(
        marketplace=marketplace,
        pair=pair,
        to=to,
        tag=tag,
        other_tags=known_tags[1:],
        order=about.order,
        order_evidence=about.order_evidence,
        thread_order=about.thread_order,
        authentication=mail.authentication,
        from_address=head.from_address,
        sender=sender,
        listed_elsewhere=unlisted
        and not may_be_forged
        and await store.senders.listed_elsewhere(marketplace.id, writing.id, head.from_address),
        waiting=await _unproven(store, sender)
        if may_be_forged
        else await _waiting(store, marketplace, pair.side(to.other), mail, sender, policy, now),
        opt_outs=tuple(opt_outs),
        thread_refs=thread_refs,
        open_question=to is Role.BUYER and await store.threads.has_open_question(pair.id),
        auto_replies_today=(
            await store.threads.auto_replies_since(pair.id, to.other, now - timedelta(days=1))
            if automatic is Automatic.REPLY
            else 0
        ),
        automatic=automatic,
        text_mark=marks.text,
        typed_mark=marks.typed,
        orders=orders,
        usage=used,
        coming=await usage_ahead(store, pair, policy, now, spent) if is_put_off else (),
        misuse=(
            await store.limits.misuse_score(pair.seller.party.id, now - timedelta(seconds=policy.bypass.score_s))
            if to is Role.BUYER
            else 0
        ),
        link_prefix=link_prefix,
        thread_last_at=about.thread_last_at,
        is_own_from=is_own_from,
        is_addressed=is_addressed,
        domain_confirmed=domain_confirmed,
        duplicate_of=await store.signatures.taken_by(signature_uses(signed, pair, to)) if signed else None,
        is_check=recipient.check,
        writer_key=writer_key,
    )


async def _waiting(
    store: Store,
    marketplace: Marketplace,
    writing: Side,
    mail: ParsedMail,
    sender: Sender | None,
    policy: Policy,
    now: datetime,
) -> Waiting:
    """Returns the held mail of an unlisted writer and whether the writer can get a place (R-SND-02).

    Nothing is looked up if the party has already decided on the address.
    """
    if sender is None or sender.state in {SenderState.RETIRED, SenderState.UNKNOWN}:
        address = mail.head.from_address
        return await store.senders.waiting(marketplace.id, writing.party.id, address, places(writing, policy, now))
    return Waiting()


async def _unproven(store: Store, sender: Sender | None) -> Waiting:
    """Returns the held mail of a writer whose From address may be forged.

    The look-up is the same for a listed and an unlisted address, so that its time does not show whether the address is
    on the list (R-IN-09).
    """
    is_approved = sender is not None and sender.state is SenderState.APPROVED
    return await store.senders.unproven(sender.id if sender and is_approved else "")


def places(writing: Side, policy: Policy, now: datetime) -> Places:
    """Returns the places for the unlisted senders of a party, from the settings of the policy."""
    return Places(
        number=policy.senders.pending,
        mailbox=writing.mailbox,
        since=now - timedelta(seconds=policy.senders.pending_s),
        providers=policy.senders.mailbox_providers,
    )


def _names(signed: SignatureProof, recipient: PartyRecipient, return_path: str) -> bool:
    """Returns whether a signed To or Cc field names the recipient's alias.

    If the mail was sent to a retired alias, the alias in force is accepted too. So is the return path to which an
    automatic reply was sent, because that path belongs to one message from this alias.
    """
    alias = recipient.pair.side(recipient.to).alias
    addresses = {(recipient.local_part, recipient.domain), (alias.local_part, alias.domain)}
    if return_path:
        addresses.add(address.split(return_path))
    return signed.sealed or any(coverage.names(signed.recipients, *one) for one in addresses)


def signature_uses(signed: SignatureProof, pair: Pair, to: Role) -> tuple[SignatureUse, ...]:
    """Returns each signature of a message to the party on side `to`, in the form in which the store keeps it."""
    return tuple(SignatureUse(pair_id=pair.id, to=to, signature=one) for one in dict.fromkeys(signed.signatures))


def _writer_key(
    secrets: SecretStore, incoming: Incoming, party_id: str, sender: Sender | None, from_address: str
) -> str:
    if incoming.peer.login_party_id is not None:
        return incoming.peer.login_party_id
    if sender is not None and sender.state is SenderState.APPROVED:
        return party_id
    return pending_id(secrets.get("sender"), party_id, from_address)


def _known(ids: OrderIds, tags: Sequence[str]) -> Iterator[str]:
    """Yields the id of the order, or the kind, that each tag names. Tags that name neither are left out.

    Therefore a text that somebody typed as a tag never enters the record.
    """
    for tag in tags:
        if order := ids.tagged(tag):
            yield order.external_id
        elif kind := kinds.named(tag):
            yield kind


async def reach(store: Store, marketplace: Marketplace, pair: Pair, order: Order | None, now: datetime) -> Standing:
    """Returns whether the pair's seller may write to the buyer at `now`, before there is a message (R-POL-19).

    `order` is the order that the mail would name, None for mail that names no order. Raises UnavailableError.
    """
    policy = marketplace.policy_at(now)
    orders = tuple(await store.orders.of_pair(pair.id))
    named = order_steps.Named(order=order)
    about = await order_steps.about(store.threads, marketplace, policy, pair.id, orders, named, now)
    facts = Facts(
        marketplace=marketplace,
        pair=pair,
        to=Role.BUYER,
        tag=order.external_id if order else "",
        order=about.order,
        authentication=Authentication(proof=Proof.LOGIN),
        from_address="",
        sender=None,
        listed_elsewhere=False,
        waiting=Waiting(),
        opt_outs=tuple(await store.opt_outs.in_force(pair.buyer.party.id, pair.seller.party.id)),
        thread_refs=(),
        open_question=await store.threads.has_open_question(pair.id),
        auto_replies_today=0,
        orders=orders,
        usage=await usage(store, counters(pair, policy, now)),
        misuse=await store.limits.misuse_score(pair.seller.party.id, now - timedelta(seconds=policy.bypass.score_s)),
        thread_last_at=about.thread_last_at,
    )
    return core_reach.reach(facts, policy, now)
