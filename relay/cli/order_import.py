"""Taking the rows of an order report into the store, each by itself and safe to repeat."""

from relay.cli.context import OWN_ADDRESS, introduce
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import Order, OrderUpdate
from relay.core.model.party import Party, Role
from relay.core.order_report import OrderRow, RowError
from relay.ports import Store
from relay.steps.services import Marketplaces


class Importer:
    """Counts what it took; what it could not take is in `errors`. A dry run looks up everything and writes nothing."""

    def __init__(self, store: Store, marketplace: Marketplace, marketplaces: Marketplaces, *, dry_run: bool) -> None:
        self._store = store
        self._marketplaces = marketplaces
        self._marketplace = marketplace
        self._dry_run = dry_run
        self._parties: dict[tuple[Role, str, str | None, str | None], Party] = {}
        self._coming: set[tuple[Role, str]] = set()
        """Parties that an earlier row of a dry run would have made."""
        self.new = 0
        self.updated = 0
        self.errors: list[RowError] = []

    async def take(self, row: OrderRow) -> None:
        known = await self._store.order(self._marketplace.id, row.order_id)
        objection = await self._objection(row, known)
        if objection:
            self.errors.append(objection)
            return
        if not self._dry_run:
            await self._put(row)
        if known:
            self.updated += 1
        else:
            self.new += 1

    async def _objection(self, row: OrderRow, known: Order | None) -> RowError | None:
        if row.buyer_locale and row.buyer_locale not in self._marketplace.locales:
            return RowError(row.line, "buyer_locale", f"is not one of {', '.join(self._marketplace.locales)}")
        for column, mailbox in (("buyer_mailbox", row.buyer_mailbox), ("seller_mailbox", row.seller_mailbox)):
            if mailbox is not None and self._marketplaces.is_own(mailbox):
                return RowError(row.line, column, OWN_ADDRESS)
        buyer = await self._store.party(self._marketplace.id, Role.BUYER, row.buyer_ref)
        seller = await self._store.party(self._marketplace.id, Role.SELLER, row.seller_ref)
        if buyer is None and row.buyer_mailbox is None and (Role.BUYER, row.buyer_ref) not in self._coming:
            return RowError(row.line, "buyer_mailbox", "is needed for a new buyer")
        if seller is None and row.seller_mailbox is None and (Role.SELLER, row.seller_ref) not in self._coming:
            return RowError(row.line, "seller_mailbox", "is needed for a new seller")
        if known:
            pair = await self._store.pair(known.pair_id)
            if pair is None or buyer is None or seller is None:
                return RowError(row.line, "order_id", "is another buyer's or seller's order already")
            if (pair.buyer.party.id, pair.seller.party.id) != (buyer.id, seller.id):
                return RowError(row.line, "order_id", "is another buyer's or seller's order already")
        self._coming |= {(Role.BUYER, row.buyer_ref), (Role.SELLER, row.seller_ref)}
        return None

    async def _put(self, row: OrderRow) -> None:
        buyer = await self._party(Role.BUYER, row.buyer_ref, row.buyer_mailbox, row.buyer_locale)
        seller = await self._party(Role.SELLER, row.seller_ref, row.seller_mailbox, None)
        pair = await introduce(self._store, self._marketplace, buyer, seller)
        await self._store.put_order(
            OrderUpdate(
                marketplace_id=self._marketplace.id,
                pair_id=pair.id,
                external_id=row.order_id,
                items=row.items,
                state=row.state,
                fulfilled_by=row.fulfilled_by,
                known=row.known,
            )
        )

    async def _party(self, role: Role, ref: str, mailbox: str | None, locale: str | None) -> Party:
        """Written once for all rows that say the same of it."""
        key = (role, ref, mailbox, locale)
        if key not in self._parties:
            if locale is None and await self._store.party(self._marketplace.id, role, ref) is None:
                locale = self._marketplace.locales[0]
            self._parties[key] = await self._store.put_party(
                self._marketplace.id, role, ref, mailbox=mailbox, locale=locale
            )
        return self._parties[key]
