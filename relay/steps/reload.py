"""Reloading a recorded message, so that it can be judged again.

The parties are in their present state. The writer and the proof are taken from the record.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.core import coverage
from relay.core.identify import Writer
from relay.core.mail.head import Head, HeadError, read_head, without
from relay.core.mail.mime import MimeError, MimeLimits, Part, split
from relay.core.model.facts import Authentication, Facts, Usage, Waiting
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.policy.automation import class_of
from relay.core.policy.case import automatic
from relay.ports import MessageSummary, Store, StoredMessage
from relay.steps.offload import offload


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadedMessage:
    """A recorded message in the form of the arguments of `decide`.

    The facts have no quotas, automatic replies, age of the thread or open question, because these belong to the day on
    which the message was received. So an automatic reply is recognised by its marks and its time alone.
    """

    incoming: Incoming
    head: Head
    root: Part
    facts: Facts
    writer: Writer


async def reload_message(
    store: Store, marketplace: Marketplace, policy: Policy, stored: StoredMessage, now: datetime
) -> ReloadedMessage | None:
    """Returns the recorded message with its present facts under `policy`. Raises UnavailableError.

    Returns None if the message cannot be judged, because its text was deleted or it was refused.
    """
    summary = stored.summary
    pair = await store.pairs.get(summary.pair_id) if summary.pair_id else None
    writer = _writer(summary)
    if pair is None or writer is None or not stored.original:
        return None
    try:
        root = await offload(len(stored.original), split, stored.original, MimeLimits())
        # The message is read as it was at its reception: a field that no signature covers has no effect now either.
        root = without(root, coverage.IGNORED_UNSIGNED.intersection(summary.detail.uncovered))
        head = read_head(stored.original, root)
    except (HeadError, MimeError):
        return None
    incoming = _incoming(stored, pair, writer)
    return ReloadedMessage(
        incoming=incoming,
        head=head,
        root=root,
        facts=await _facts(store, marketplace, policy, incoming, summary, pair, head, writer, now),
        writer=writer,
    )


def _writer(summary: MessageSummary) -> Writer | None:
    detail = summary.detail
    if summary.author_role is None or detail.proof is None:
        return None
    return Writer(
        role=summary.author_role,
        sender=None,
        proof=detail.proof,
        registered=detail.registered,
    )


def _incoming(stored: StoredMessage, pair: Pair, writer: Writer) -> Incoming:
    return Incoming(
        peer=Peer(port=stored.summary.detail.port or Port.MX, client_ip="", helo="", tls=True),
        mail_from=stored.mail_from,
        rcpt_to=(pair.side(writer.role.other).alias.address,),
        smtputf8=False,
        content=stored.original,
        received_at=stored.summary.received_at,
    )


async def _facts(
    store: Store,
    marketplace: Marketplace,
    policy: Policy,
    incoming: Incoming,
    summary: MessageSummary,
    pair: Pair,
    head: Head,
    writer: Writer,
    now: datetime,
) -> Facts:
    to = Role(summary.detail.to) if summary.detail.to else writer.role.other
    orders = tuple(await store.orders.of_pair(pair.id))
    order = next((one for one in orders if one.external_id == summary.order_external_id), None)
    seller_id = pair.seller.party.id
    refs = tuple(await store.threads.refs(pair, writer.role, head.references)) if head.references else ()
    marked = automatic(incoming, head)
    return Facts(
        marketplace=marketplace,
        pair=pair,
        to=to,
        # An inferred kind was not named by the writer, and so must not pass an opt-out as a critical kind would.
        tag=summary.kind if summary.detail.tagged and not summary.detail.evidence else "",
        order=order,
        authentication=Authentication(proof=writer.proof),
        from_address=head.from_address,
        sender=None,
        listed_elsewhere=False,
        waiting=Waiting(),
        opt_outs=tuple(await store.opt_outs.in_force(pair.buyer.party.id, seller_id)) if to is Role.BUYER else (),
        thread_refs=refs,
        open_question=False,
        auto_replies_today=0,
        automatic=class_of(marked, refs, writer.role, Usage(), policy.limits, incoming.received_at),
        orders=orders,
        misuse=await store.limits.misuse_score(seller_id, now - timedelta(seconds=policy.bypass.score_s)),
        is_own_from=head.from_address.rpartition("@")[2] in marketplace.domains,
    )
