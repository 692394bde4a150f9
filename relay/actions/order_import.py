"""The import of an order report. The rows are stored one by one, and the import can be repeated safely."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from relay.actions import audit, orders, parties
from relay.actions.actor import ActionError, Actor, Right
from relay.actions.addresses import OWN_ADDRESS
from relay.actions.context import ActionContext
from relay.actions.orders import OrderValues
from relay.actions.parties import PartyUpdate
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import Order
from relay.core.model.party import Party, Role
from relay.core.order_report import OrderRow, RowError
from relay.ports.audit import AuditEntry


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """A row that was stored, or that would be stored without a dry run. `line` is its line number in the file."""

    line: int
    is_new: bool


async def import_orders(
    actor: Actor, context: ActionContext, marketplace: Marketplace, rows: Sequence[OrderRow], *, dry_run: bool = False
) -> AsyncIterator[ImportedOrder | RowError]:
    """Stores the order of each row with its parties and their pair, and yields the outcome of each row in turn.

    A wrong row yields a RowError, and the other rows are stored nevertheless. A dry run checks every row and changes
    nothing.
    """
    actor.require(Right.PUT_ORDERS)
    actor.require(Right.PUT_PARTIES)
    running = _Import(actor, context, marketplace, dry_run=dry_run)
    for row in rows:
        yield await running.take(row)


class _Import:
    def __init__(self, actor: Actor, context: ActionContext, marketplace: Marketplace, *, dry_run: bool) -> None:
        self._actor = actor
        self._context = context
        self._marketplace = marketplace
        self._dry_run = dry_run
        self._parties: dict[tuple[Role, str, str | None, str | None], Party] = {}
        self._coming: set[tuple[Role, str]] = set()
        """The parties that the earlier rows of a dry run would have created."""

    async def take(self, row: OrderRow) -> ImportedOrder | RowError:
        known = await self._context.store.orders.get(self._marketplace.id, row.order_id)
        if error := await self._error(row, known):
            return error
        if not self._dry_run:
            try:
                await self._put(row)
            except ActionError as error:
                return RowError(row.line, "order_id", str(error))
        return ImportedOrder(row.line, known is None)

    async def _error(self, row: OrderRow, known: Order | None) -> RowError | None:
        context, marketplace = self._context, self._marketplace
        if row.buyer_locale and row.buyer_locale not in marketplace.locales:
            return RowError(row.line, "buyer_locale", f"is not one of {', '.join(marketplace.locales)}")
        for column, mailbox in (("buyer_mailbox", row.buyer_mailbox), ("seller_mailbox", row.seller_mailbox)):
            if mailbox is not None and context.marketplaces.is_own(mailbox):
                return RowError(row.line, column, OWN_ADDRESS)
        buyer = await context.store.parties.by_ref(marketplace.id, Role.BUYER, row.buyer_ref)
        seller = await context.store.parties.by_ref(marketplace.id, Role.SELLER, row.seller_ref)
        if buyer is None and row.buyer_mailbox is None and (Role.BUYER, row.buyer_ref) not in self._coming:
            return RowError(row.line, "buyer_mailbox", "is needed for a new buyer")
        if seller is None and row.seller_mailbox is None and (Role.SELLER, row.seller_ref) not in self._coming:
            return RowError(row.line, "seller_mailbox", "is needed for a new seller")
        if await orders.is_of_others(context, known, buyer, seller):
            return RowError(row.line, "order_id", "is another buyer's or seller's order already")
        self._coming |= {(Role.BUYER, row.buyer_ref), (Role.SELLER, row.seller_ref)}
        return None

    async def _put(self, row: OrderRow) -> None:
        """Stores the order of a row, and adds the entries for the order and its parties to the audit log.

        If the order fails, the entries for its parties are added nevertheless.
        """
        entries: list[AuditEntry] = []
        values = OrderValues(items=row.items, state=row.state, fulfilled_by=row.fulfilled_by, known=row.known)
        try:
            buyer = await self._party(Role.BUYER, row.buyer_ref, row.buyer_mailbox, row.buyer_locale, entries)
            seller = await self._party(Role.SELLER, row.seller_ref, row.seller_mailbox, None, entries)
            _, _, of_order = await orders.put_unrecorded(
                self._actor, self._context, self._marketplace, row.order_id, buyer, seller, values
            )
            entries += of_order
        finally:
            await audit.record(self._context, *entries)

    async def _party(
        self, role: Role, ref: str, mailbox: str | None, locale: str | None, entries: list[AuditEntry]
    ) -> Party:
        """Returns the party of a row, and stores it if no earlier row had the same party with the same values."""
        key = (role, ref, mailbox, locale)
        if key not in self._parties:
            self._parties[key], entry = await parties.put_unrecorded(
                self._actor, self._context, self._marketplace, role, ref, PartyUpdate(mailbox=mailbox, locale=locale)
            )
            entries.append(entry)
        return self._parties[key]
