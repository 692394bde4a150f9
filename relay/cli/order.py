"""`relay order`: orders one by one, and order reports in and out (R-UI-07)."""

import asyncio
import csv
import io
import sys
from typing import BinaryIO

import click

from relay import installation
from relay.cli import show
from relay.cli.context import (
    CliContext,
    buyer_option,
    in_marketplace,
    introduce,
    known_party,
    seller_option,
    with_store,
)
from relay.cli.order_import import Importer
from relay.core import order_report
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import FulfilledBy, Order, OrderUpdate
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.ports import Store

_COLUMNS = "\n".join(f"{name:<15} {meaning}" for name, meaning in order_report.COLUMNS.items())


@click.group()
def order() -> None:
    """Orders: what a buyer and a seller write to each other about."""


@order.command("add")
@in_marketplace
@click.argument("order_id", metavar="ORDER")
@buyer_option
@seller_option
@click.option("--item", "items", multiple=True, metavar="CODE", help='SKU, ASIN or JAN; may be repeated; "" for none.')
@click.option("--state", help="The marketplace's own name for the order's state; \"\" for none.")
@click.option(
    "--known",
    multiple=True,
    metavar="TEXT",
    help='Texts that may stand in its mail: tracking numbers, prices, dates, postcodes; may be repeated; "" for none.',
)
@click.option(
    "--fulfilled-by",
    type=click.Choice([str(one) for one in FulfilledBy]),
    help="The side that answers service questions. A new order: seller.",
)
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
    items: tuple[str, ...],
    state: str | None,
    known: tuple[str, ...],
    fulfilled_by: str | None,
    as_json: bool,
) -> None:
    """Add or update an order; its buyer and seller become a pair if they are none yet.

    Safe to run again: an option that is left out leaves the value of an existing order as it is.
    """
    shop = session.marketplace(marketplace)
    if any(";" in text for text in (*items, *known)):
        raise click.UsageError("--item, --known: neither holds a ;")
    buying = await known_party(store, shop, Role.BUYER, buyer)
    selling = await known_party(store, shop, Role.SELLER, seller)
    pair = await introduce(store, shop, buying, selling)
    before = await store.order(shop.id, order_id)
    if before and before.pair_id != pair.id:
        raise click.ClickException(f"order {order_id} is another buyer's or seller's already")
    put = await store.put_order(
        OrderUpdate(
            marketplace_id=shop.id,
            pair_id=pair.id,
            external_id=order_id,
            items=_values(items),
            state=state,
            fulfilled_by=FulfilledBy(fulfilled_by) if fulfilled_by else None,
            known=_values(known),
        )
    )
    show.one(_described(put, pair), as_json=as_json)


@order.command("list")
@in_marketplace
@show.as_json
@with_store
async def list_orders(session: CliContext, store: Store, *, marketplace: str | None, as_json: bool) -> None:
    """List all orders with their aliases."""
    found = [_described(one, pair) async for one, pair in await store.orders(session.marketplace(marketplace).id)]
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
    found = await store.order(session.marketplace(marketplace).id, order_id)
    pair = await store.pair(found.pair_id) if found else None
    if found is None or pair is None:
        raise click.ClickException(f"there is no order {order_id}")
    show.one(_described(found, pair), as_json=as_json)


@order.command(
    "import",
    help=f"""Take in an order report: CSV or TSV, UTF-8 or CP932, FILE or - for standard input.

    Safe to run again: a column that the file does not have leaves the values of existing orders as they are; an empty
    cell clears the order's value, where the column's line below says nothing else. Rows that are wrong are named and
    left out, the others go in; exit code 1 tells that there were some. The first line names the columns:

    \b
    {_COLUMNS.replace(chr(10), chr(10) + "    ")}
    """,
)
@in_marketplace
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@show.as_json
@click.pass_obj
def import_orders(
    session: CliContext, *, marketplace: str | None, file: BinaryIO, dry_run: bool, as_json: bool
) -> None:
    name = getattr(file, "name", "<stdin>")
    try:
        report = order_report.read(file.read())
    except order_report.ReportError as error:
        raise click.ClickException(f"{name}: {error}") from error
    if report.unread_columns:
        click.echo(f"columns that are not read: {', '.join(report.unread_columns)}", err=True)
    importer = asyncio.run(_import(session, session.marketplace(marketplace), report, dry_run=dry_run))
    bad_rows = sorted((*report.errors, *importer.errors), key=lambda bad: bad.line)
    counts = {"new": importer.new, "updated": importer.updated, "failed": len(bad_rows), "dry_run": dry_run}
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
) -> Importer:
    async with installation.opened(session.config, session.base) as store:
        importer = Importer(store, marketplace, session.marketplaces_by_domain, dry_run=dry_run)
        with click.progressbar(report.rows, label="orders", file=sys.stderr, hidden=not sys.stderr.isatty()) as rows:
            for row in rows:
                await importer.take(row)
        return importer


@order.command("export")
@in_marketplace
@click.argument("file", type=click.File("wb", lazy=True), default="-")
@click.option("--tsv", is_flag=True, help="Tabs between the cells instead of commas.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "utf-8-sig", "cp932"]),
    default="utf-8",
    show_default=True,
    help="utf-8-sig is what spreadsheets want.",
)
@with_store
async def export_orders(
    session: CliContext, store: Store, *, marketplace: str | None, file: BinaryIO, tsv: bool, encoding: str
) -> None:
    """Write an order report with both aliases of each order to FILE or standard output; never a mailbox.

    Cells that a spreadsheet would run as a formula get an apostrophe before them; `import` takes it off again.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if tsv else ",")
    writer.writerow(order_report.header())
    async for one, pair in await store.orders(session.marketplace(marketplace).id):
        writer.writerow(order_report.cells(one, pair))
    try:
        encoded = text.getvalue().encode(encoding)
    except UnicodeEncodeError as error:
        char = error.object[error.start]
        raise click.ClickException(f'CP932 has no "{char}", which an order holds; use --encoding utf-8-sig') from error
    file.write(encoded)


def _values(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Returns the values of an option that may be repeated, without empty ones; None when the option is left out."""
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
