"""Defines `relay order`, for single orders and for the import and export of order reports (R-UI-07)."""

import asyncio
import csv
import io
import sys
from typing import BinaryIO

import click

from relay import installation
from relay.actions import orders, parties
from relay.actions.order_import import ImportedOrder, import_orders
from relay.actions.orders import OrderValues
from relay.actions.parties import PartyUpdate
from relay.cli import show
from relay.cli.context import (
    CliContext,
    MailAddress,
    buyer_option,
    by_option,
    in_marketplace,
    known_party,
    seller_option,
    with_store,
)
from relay.core import order_report
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import FulfilledBy, Order
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.ports import Store

_COLUMNS = "\n".join(f"{name:<15} {meaning}" for name, meaning in order_report.COLUMNS.items())


@click.group()
def order() -> None:
    """Orders, one by one or in reports. Buyers and sellers write to each other about them."""


@order.command("add")
@in_marketplace
@click.argument("order_id", metavar="ORDER")
@buyer_option
@seller_option
@click.option("--buyer-mailbox", type=MailAddress(), help="The buyer's mail address; a new buyer needs it.")
@click.option("--seller-mailbox", type=MailAddress(), help="The seller's mail address; a new seller needs it.")
@click.option(
    "--item",
    "items",
    multiple=True,
    metavar="CODE",
    help='SKU, ASIN or JAN; may be repeated; "" for none.',
)
@click.option("--state", help="The marketplace's own name for the order's state; \"\" for none.")
@click.option(
    "--known",
    multiple=True,
    metavar="TEXT",
    help="A text that mail about the order may hold although it looks like contact data: a tracking number, a price, "
    'a date, a postcode; may be repeated; "" for none.',
)
@click.option(
    "--fulfilled-by",
    type=click.Choice([str(one) for one in FulfilledBy]),
    help="The side that answers service questions. Default of a new order: seller.",
)
@by_option
@show.as_json
@with_store
async def add(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    order_id: str,
    buyer: str,
    seller: str,
    buyer_mailbox: str | None,
    seller_mailbox: str | None,
    items: tuple[str, ...],
    state: str | None,
    known: tuple[str, ...],
    fulfilled_by: str | None,
    as_json: bool,
) -> None:
    """Add or change an order. Its buyer and seller become a pair if they are not a pair yet.

    With their mailboxes, a buyer and a seller who do not exist yet are added too. This can be repeated: an option that
    is left out leaves the value of an existing order as it is.
    """
    shop = session.marketplace(marketplace)
    actor, context = session.actor, session.actions(store)
    buying = await _known(store, shop, Role.BUYER, buyer, buyer_mailbox)
    selling = await _known(store, shop, Role.SELLER, seller, seller_mailbox)
    # A refused order must neither add a party nor change its mailbox.
    await orders.refuse_of_others(context, shop, order_id, buying, selling)
    if buying is None or buyer_mailbox is not None:
        buying = await parties.put(actor, context, shop, Role.BUYER, buyer, PartyUpdate(mailbox=buyer_mailbox))
    if selling is None or seller_mailbox is not None:
        selling = await parties.put(actor, context, shop, Role.SELLER, seller, PartyUpdate(mailbox=seller_mailbox))
    values = OrderValues(
        items=_values(items),
        state=state,
        fulfilled_by=FulfilledBy(fulfilled_by) if fulfilled_by else None,
        known=_values(known),
    )
    put, pair = await orders.put(actor, context, shop, order_id, buying, selling, values)
    show.one(_described(put, pair), as_json=as_json)


async def _known(store: Store, shop: Marketplace, role: Role, ref: str, mailbox: str | None) -> Party | None:
    """Returns the party, or None for a new party with a mailbox. Raises ClickException for one without a mailbox."""
    if mailbox is None:
        return await known_party(store, shop, role, ref)
    return await store.parties.by_ref(shop.id, role, ref)


@order.command("cancel")
@in_marketplace
@click.argument("order_id", metavar="ORDER")
@by_option
@show.as_json
@with_store
async def cancel(session: CliContext, store: Store, *, marketplace: str | None, order_id: str, as_json: bool) -> None:
    """Set the state of an order to "cancelled". Its buyer and seller may still write to each other.

    `relay pair close` ends that.
    """
    shop = session.marketplace(marketplace)
    cancelled = await orders.cancel(session.actor, session.actions(store), shop, order_id)
    show.one({"order": order_id, "state": cancelled.state}, as_json=as_json)


@order.command("list")
@in_marketplace
@show.as_json
@with_store
async def list_orders(session: CliContext, store: Store, *, marketplace: str | None, as_json: bool) -> None:
    """List all orders with their aliases."""
    found = [
        _described(one, pair) async for one, pair in store.orders.in_marketplace(session.marketplace(marketplace).id)
    ]
    show.rows(found, as_json=as_json, empty="no orders yet")


@order.command("show")
@in_marketplace
@click.argument("order_id", metavar="ORDER")
@show.as_json
@with_store
async def show_order(
    session: CliContext, store: Store, *, marketplace: str | None, order_id: str, as_json: bool
) -> None:
    """Show one order."""
    found = await store.orders.get(session.marketplace(marketplace).id, order_id)
    pair = await store.pairs.get(found.pair_id) if found else None
    if found is None or pair is None:
        raise click.ClickException(f"there is no order {order_id}")
    show.one(_described(found, pair), as_json=as_json)


@order.command(
    "import",
    help=f"""Import an order report: a CSV or TSV file in UTF-8 or CP932; - reads standard input.

    Safe to repeat: a column that the file does not have leaves the values of existing orders as they are. An empty cell
    clears the order's value, unless the column's line below says something else. Rows that are wrong are listed and
    left out, the others are imported; exit code 1 tells that there were wrong rows. The first line of the file must
    name its columns:

    \b
    {_COLUMNS.replace(chr(10), chr(10) + "    ")}
    """,
)
@in_marketplace
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Show the result and change nothing.")
@by_option
@show.as_json
@click.pass_obj
def import_report(
    session: CliContext, *, marketplace: str | None, file: BinaryIO, dry_run: bool, as_json: bool
) -> None:
    name = getattr(file, "name", "<stdin>")
    try:
        report = order_report.read(file.read())
    except order_report.ReportError as error:
        raise click.ClickException(f"{name}: {error}") from error
    if report.unread_columns:
        click.echo(f"columns that are not read: {show.printable(', '.join(report.unread_columns))}", err=True)
    outcomes = asyncio.run(_import(session, session.marketplace(marketplace), report, dry_run=dry_run))
    imported = [one for one in outcomes if isinstance(one, ImportedOrder)]
    failed = [one for one in outcomes if not isinstance(one, ImportedOrder)]
    bad_rows = sorted((*report.errors, *failed), key=lambda bad: bad.line)
    new = sum(one.is_new for one in imported)
    counts = {"new": new, "updated": len(imported) - new, "failed": len(bad_rows), "dry_run": dry_run}
    if as_json:
        failures = [{"line": bad.line, "column": bad.column, "what": bad.what} for bad in bad_rows]
        show.one({**counts, "errors": failures}, as_json=True)
    else:
        show.one(counts, as_json=False)
        for bad in bad_rows:
            click.echo(f"{name}: {bad}", err=True)
    if bad_rows:
        sys.exit(1)


async def _import(
    session: CliContext, marketplace: Marketplace, report: order_report.OrderReport, *, dry_run: bool
) -> list[ImportedOrder | order_report.RowError]:
    outcomes = []
    hidden = not sys.stderr.isatty()
    async with installation.opened(session.config, session.base) as store:
        with click.progressbar(length=len(report.rows), label="orders", file=sys.stderr, hidden=hidden) as progress:
            async for outcome in import_orders(
                session.actor, session.actions(store), marketplace, report.rows, dry_run=dry_run
            ):
                outcomes.append(outcome)
                progress.update(1)
    return outcomes


@order.command("export")
@in_marketplace
@click.argument("file", type=click.File("wb", lazy=True), default="-")
@click.option("--tsv", is_flag=True, help="Separate the cells by tabs instead of commas.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "utf-8-sig", "cp932"]),
    default="utf-8",
    show_default=True,
    help="Spreadsheet programs need utf-8-sig or cp932.",
)
@with_store
async def export_orders(
    session: CliContext, store: Store, *, marketplace: str | None, file: BinaryIO, tsv: bool, encoding: str
) -> None:
    """Write an order report to FILE or standard output, with both aliases of each order and without mailboxes.

    Mail to an address in the columns buyer_order_address and seller_order_address is always about that order.

    A cell that a spreadsheet would run as a formula gets an apostrophe in front; `import` removes it again.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if tsv else ",")
    writer.writerow(order_report.header())
    async for one, pair in store.orders.in_marketplace(session.marketplace(marketplace).id):
        writer.writerow(order_report.cells(one, pair))
    try:
        encoded = text.getvalue().encode(encoding)
    except UnicodeEncodeError as error:
        char = error.object[error.start]
        raise click.ClickException(
            f'an order holds "{char}", which is not in CP932; use --encoding utf-8-sig'
        ) from error
    file.write(encoded)


def _values(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Returns the non-empty values of an option that may be repeated, or None if the option was left out."""
    return tuple(filter(None, given)) if given else None


def _described(found: Order, pair: Pair) -> show.Row:
    return {
        "order": found.external_id,
        "buyer": pair.buyer.party.external_ref,
        "seller": pair.seller.party.external_ref,
        "buyer_alias": pair.buyer.alias.address,
        "seller_alias": pair.seller.alias.address,
        "items": found.items,
        "state": found.state,
        "fulfilled_by": str(found.fulfilled_by),
        "known": found.known,
    }
