"""Finds the order that a message is about, and how it is known (R-ADR-05).

The evidence counts in this order: the tag of the alias, the subject, the newly written text, the thread, and the only
open order of the pair. Only the orders of the pair are looked at, so nobody can find out whether another order exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from relay.core.mail.head import Head
from relay.core.mail.quotes import WrittenTexts
from relay.core.model.facts import ThreadRef
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import Order, OrderEvidence
from relay.core.model.policy import Policy
from relay.core.order_ids import OrderIds
from relay.core.policy.rules import threads as thread_rule
from relay.ports import ThreadStore


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The order that a message is about, the evidence, and the age of its thread.

    The fields are those of `Facts` with the same names.
    """

    order: Order | None = None
    order_evidence: OrderEvidence | None = None
    thread_order: Order | None = None
    thread_last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The order that a message names or answers, and the order of the messages that it answers."""

    order: Order | None = None
    evidence: OrderEvidence | None = None
    thread_order: Order | None = None


async def about(
    threads: ThreadStore,
    marketplace: Marketplace,
    policy: Policy,
    pair_id: str,
    orders: Sequence[Order],
    named: Named,
    now: datetime,
) -> About:
    """Returns the order that a message is about, from the order that it names or answers (`named`).

    Raises UnavailableError.
    """
    order, evidence = named.order, named.evidence
    if order is not None:
        last_at = await threads.last_at(pair_id, order.id)
    elif orders:
        order, last_at = unnamed(marketplace, policy, orders, await threads.times(pair_id), now)
        evidence = OrderEvidence.ONLY_OPEN if order else None
    else:
        last_at = await threads.last_at(pair_id, None)
    linked = named.thread_order if named.thread_order is not order else None
    return About(order=order, order_evidence=evidence, thread_order=linked, thread_last_at=last_at)


def named(
    orders: Sequence[Order],
    ids: OrderIds,
    tags: Sequence[str],
    head: Head,
    texts: WrittenTexts,
    thread_refs: Sequence[ThreadRef],
) -> Named:
    """Returns the order that the message names by a tag, the subject or its text, else the order of its thread.

    The subject of an answer is that of the first message of the thread. Therefore, if it names the order of the thread,
    another order in the text counts more.
    """
    if not orders:
        return Named()
    # The newest message to which the header refers is the last one.
    thread_ids = [ref.order_id for ref in thread_refs if ref.order_id is not None]
    thread = next((order for order in orders if thread_ids and order.id == thread_ids[-1]), None)
    found = next(((order, OrderEvidence.TAG) for tag in tags if tag and (order := ids.tagged(tag))), None)
    if found is None:
        found = _written(ids, head, texts, thread)
    if found is None and thread is not None:
        found = thread, OrderEvidence.THREAD
    order, evidence = found or (None, None)
    return Named(order=order, evidence=evidence, thread_order=thread)


def _written(
    ids: OrderIds, head: Head, texts: WrittenTexts, thread: Order | None
) -> tuple[Order, OrderEvidence] | None:
    """Returns the order that the subject or the newly written text names, and which of the two names it."""
    subject = ids.first_in(head.subject) if ids.may_be_in(head.subject) else None
    if subject is not None and subject is not thread:
        return subject, OrderEvidence.SUBJECT
    in_texts = (ids.first_in(one.newly_written) for one in texts.texts if ids.may_be_in(one.source))
    text = next((order for order in in_texts if order is not None), None)
    if text is not None and (subject is None or text is not thread):
        return text, OrderEvidence.TEXT
    return (subject, OrderEvidence.SUBJECT) if subject else None


def unnamed(
    marketplace: Marketplace,
    policy: Policy,
    orders: Sequence[Order],
    times: Mapping[str | None, datetime],
    now: datetime,
) -> tuple[Order | None, datetime | None]:
    """Returns the order of a message that names and answers none, and the time of its thread as in `Facts`.

    It is the only open order of the pair, None if there are several or none. An order is open if neither its state nor
    its thread has ended. `times` are the times of the pair's threads, as `ThreadStore.times` returns them.
    """
    still_open = [
        order
        for order in orders
        if not marketplace.has_ended(order) and not thread_rule.is_closed(times.get(order.id), policy, now)
    ]
    if len(still_open) == 1:
        return still_open[0], times.get(still_open[0].id)
    # The message may be about an order without mail, whose thread is open.
    has_new = any(order.id not in times for order in still_open)
    return None, None if has_new else times.get(None)
