"""Orders, one by one. `order_import` stores many orders from a report."""

from dataclasses import dataclass

from relay.actions import audit, pairs
from relay.actions.actor import ActionError, Actor, InvalidValueError, NotFoundError, Right
from relay.actions.context import ActionContext
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import CANCELLED, FulfilledBy, Order, OrderUpdate
from relay.core.model.pair import Pair
from relay.core.model.party import Party
from relay.ports.audit import AuditAction, AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderValues:
    """The new values of an order. None leaves the stored value as it is, and an empty value clears it."""

    items: tuple[str, ...] | None = None
    state: str | None = None
    fulfilled_by: FulfilledBy | None = None
    known: tuple[str, ...] | None = None


async def put(
    actor: Actor,
    context: ActionContext,
    marketplace: Marketplace,
    order_id: str,
    buyer: Party,
    seller: Party,
    values: OrderValues,
) -> tuple[Order, Pair]:
    """Creates or changes the order with the marketplace's own id. Returns the order and its pair.

    The buyer and the seller become a pair if they are not one yet. Raises ActionError if the order belongs to other
    parties, and InvalidValueError if one of its items or known texts has a semicolon.
    """
    actor.require(Right.PUT_ORDERS)
    for field in ("items", "known"):
        if any(";" in text for text in getattr(values, field) or ()):
            raise InvalidValueError(
                field, "items and known texts are separated by a semicolon in order reports, so neither holds a ;"
            )
    await refuse_of_others(context, marketplace, order_id, buyer, seller)
    order, pair, entries = await put_unrecorded(actor, context, marketplace, order_id, buyer, seller, values)
    await audit.record(context, *entries)
    return order, pair


async def cancel(actor: Actor, context: ActionContext, marketplace: Marketplace, order_id: str) -> Order:
    """Sets the state of an order to "cancelled", and returns the order. The call can be repeated safely.

    The pair stays, because the two may still have to write about a refund (R-ADR-06). Raises NotFoundError if the order
    does not exist.
    """
    actor.require(Right.PUT_ORDERS)
    order = await context.store.orders.get(marketplace.id, order_id)
    if order is None:
        raise NotFoundError(f"there is no order {order_id}")
    update = OrderUpdate(marketplace_id=marketplace.id, pair_id=order.pair_id, external_id=order_id, state=CANCELLED)
    cancelled = await context.store.orders.put(update)
    entry = audit.entry(
        actor,
        context,
        AuditAction.ORDER_CANCELLED,
        marketplace_id=marketplace.id,
        subject_id=order.id,
        pair=order.pair_id,
    )
    await audit.record(context, entry)
    return cancelled


async def put_unrecorded(
    actor: Actor,
    context: ActionContext,
    marketplace: Marketplace,
    order_id: str,
    buyer: Party,
    seller: Party,
    values: OrderValues,
) -> tuple[Order, Pair, tuple[AuditEntry, ...]]:
    """Stores an order and its pair without the checks of `put`. Returns the order, the pair and the entries to record.

    The caller must add these entries to the audit log. Raises ActionError if the order belongs to other parties.
    """
    pair, pair_entry = await pairs.put_unrecorded(actor, context, marketplace, buyer, seller)
    update = OrderUpdate(
        marketplace_id=marketplace.id,
        pair_id=pair.id,
        external_id=order_id,
        items=values.items,
        state=values.state,
        fulfilled_by=values.fulfilled_by,
        known=values.known,
    )
    try:
        order = await context.store.orders.put(update)
    except ValueError:  # another process has stored it for other parties meanwhile
        raise _of_others(order_id) from None
    entry = audit.entry(
        actor, context, AuditAction.ORDER_PUT, marketplace_id=marketplace.id, subject_id=order.id, pair=pair.id
    )
    return order, pair, (pair_entry, entry)


async def refuse_of_others(
    context: ActionContext, marketplace: Marketplace, order_id: str, buyer: Party | None, seller: Party | None
) -> None:
    """Raises ActionError if the order exists and belongs to other parties. A party that does not exist yet is None."""
    if await is_of_others(context, await context.store.orders.get(marketplace.id, order_id), buyer, seller):
        raise _of_others(order_id)


async def is_of_others(context: ActionContext, known: Order | None, buyer: Party | None, seller: Party | None) -> bool:
    """Returns whether the order exists and belongs to other parties than these.

    `known` is the stored order, None if there is none. A party that does not exist yet is None.
    """
    if known is None:
        return False
    pair = await context.store.pairs.get(known.pair_id)
    if pair is None or buyer is None or seller is None:
        return True
    return (pair.buyer.party.id, pair.seller.party.id) != (buyer.id, seller.id)


def _of_others(order_id: str) -> ActionError:
    return ActionError(f"order {order_id} is another buyer's or seller's already")
