"""Reads order reports (CSV or TSV files with a marketplace's orders), and makes the cells of their output (R-UI-07).

The input is UTF-8 (with or without BOM) or CP932. It has one header line, then one line per order or per item of an
order; lines of the same order are joined. `COLUMNS` names the columns that are read; other columns are ignored, and
their names are returned. An invalid row is reported with its line, column and cause; all other rows are still read.

The output has a line for each order, with the aliases of its pair, and with the aliases that have the order's id as
their tag, so that mail to them is about the order (R-ADR-05). It never contains a mailbox.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.core import alias
from relay.core.mail import address
from relay.core.model.order import FulfilledBy, Order
from relay.core.model.pair import Pair
from relay.core.notice.texts import LANGUAGES

COLUMNS: Final = {
    "order_id": "the marketplace's order id (required)",
    "buyer_ref": "the buyer's account reference (required)",
    "buyer_mailbox": "the buyer's mail address; empty keeps the known one",
    "buyer_locale": "the buyer's language, en or ja; empty keeps the known one",
    "seller_ref": "the seller's account reference (required)",
    "seller_mailbox": "the seller's mail address; empty keeps the known one",
    "items": "item codes, separated by ;",
    "state": "the marketplace's own name for the order's state",
    "fulfilled_by": "seller or operator; empty means seller",
    "known": "texts that may stand in its mail, such as tracking numbers, separated by ;",
}
_REQUIRED: Final = ("order_id", "buyer_ref", "seller_ref")
_WRITTEN: Final = tuple(name for name in COLUMNS if not name.endswith("_mailbox"))
_ALIASES: Final = ("buyer_alias", "seller_alias", "buyer_order_address", "seller_order_address")
_LISTS: Final = frozenset({"items", "known"})
_LONGEST_VALUE: Final = 200
_LONGEST_CELL_LINES: Final = 50
"""The most lines of one cell. A quotation mark that is not closed within them is an error of the line that has it."""
# A spreadsheet runs a cell that matches this pattern as a formula; an apostrophe in front makes the cell a text. Each
# value of a list gets its own apostrophe, because spreadsheets in some countries also separate cells at `;`.
_FORMULA: Final = re.compile(r"'*\s*[=+\-@＝＋－＠]")
_GUARDED: Final = re.compile(r"'+\s*[=+\-@＝＋－＠]")


class ReportError(ValueError):
    """The file cannot be read at all; the message names the cause and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of a file; `line` is the number of its first line.

    A field is None if the stored value must stay as it is. This is so if the file does not have the column, or if the
    cell is empty in a column for which `COLUMNS` says that an empty cell keeps the known value.
    """

    line: int
    order_id: str
    buyer_ref: str
    seller_ref: str
    buyer_mailbox: str | None = None
    buyer_locale: str | None = None
    seller_mailbox: str | None = None
    items: tuple[str, ...] | None = None
    state: str | None = None
    fulfilled_by: FulfilledBy | None = None
    known: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """An invalid row: the number of its line, the name of the invalid column, and the fault.

    `column` is "" if the whole line is invalid. `what` names the fault. It never contains the text of a cell, because
    that may be an address.
    """

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}{', ' if self.column else ''}{self.column}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """The result of reading a file.

    `rows` are the valid orders and `errors` the invalid rows. `unread_columns` are the names of the columns that were
    ignored. `encoding` is "utf-8" or "cp932".
    """

    rows: tuple[OrderRow, ...]
    errors: tuple[RowError, ...]
    unread_columns: tuple[str, ...]
    encoding: str


class _BadCellError(ValueError):
    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what


def read(data: bytes) -> OrderReport:
    """Returns the orders of a file, and its invalid rows.

    Raises ReportError if the file is neither UTF-8 nor CP932 text, or if its header line lacks a required column or
    names a column twice.
    """
    text, encoding = _decoded(data)
    records = _records(text)
    header = next((cells for _, cells in records if isinstance(cells, list) and any(cells)), None)
    names = _header(header)
    orders: dict[str, OrderRow] = {}
    errors: list[RowError] = []
    for line, cells in records:
        if isinstance(cells, str):
            errors.append(RowError(line, "", cells))
        elif any(cells):
            try:
                row = _row(line, names, cells)
                orders[row.order_id] = _joined(orders.get(row.order_id), row)
            except _BadCellError as error:
                errors.append(RowError(line, error.column, error.what))
    unread = tuple(name for name in names if name and name not in COLUMNS and name not in _ALIASES)
    return OrderReport(rows=tuple(orders.values()), errors=tuple(errors), unread_columns=unread, encoding=encoding)


def header() -> tuple[str, ...]:
    """Returns the names of the columns of the output."""
    return (*_WRITTEN, *_ALIASES)


def cells(order: Order, pair: Pair) -> tuple[str, ...]:
    """Returns the cells of one order for the output, in the order of `header`.

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    values = (
        order.external_id,
        pair.buyer.party.external_ref,
        pair.buyer.party.locale,
        pair.seller.party.external_ref,
        order.items,
        order.state,
        str(order.fulfilled_by),
        order.known,
        pair.buyer.alias.address,
        pair.seller.alias.address,
        alias.tagged(pair.buyer.alias.address, order.external_id) or pair.buyer.alias.address,
        alias.tagged(pair.seller.alias.address, order.external_id) or pair.seller.alias.address,
    )
    return tuple(_guarded(value) if isinstance(value, str) else ";".join(map(_guarded, value)) for value in values)


def _guarded(value: str) -> str:
    return f"'{value}" if _FORMULA.match(value) else value


def _unguarded(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def _decoded(data: bytes) -> tuple[str, str]:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise ReportError("the file is not text in UTF-8 or CP932 (it contains NUL); save it as CSV in UTF-8")
        return text, encoding.removesuffix("-sig")
    raise ReportError("the file is neither UTF-8 nor CP932 (Shift_JIS); save it as CSV in UTF-8")


def _records(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yields the rows of a file: the number of the row's first line, and its cells or a text that names its fault.

    A quotation mark that is not closed makes only its own line invalid; reading continues with the next line.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    delimiter = _delimiter(lines)
    at = 0
    while at < len(lines):
        piece = (f"{line}\n" for line in lines[at : at + _LONGEST_CELL_LINES])
        reader = csv.reader(piece, delimiter=delimiter, strict=True)
        try:
            found = [cell.strip() for cell in next(reader, [])]
            taken = reader.line_num
        except csv.Error as error:
            yield at + 1, f"the quotes or cells are broken ({error})"
            taken = 1
        else:
            yield at + 1, found
        at += taken


def _delimiter(lines: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    return "\t" if first.count("\t") >= first.count(",") and "\t" in first else ","


def _header(found: list[str] | None) -> list[str]:
    names = [name.lower().replace(" ", "_").replace("-", "_") for name in found or ()]
    if missing := [name for name in _REQUIRED if name not in names]:
        raise ReportError(
            f"the first line must name the columns; missing: {', '.join(missing)} (known: {', '.join(COLUMNS)})"
        )
    if twice := sorted({name for name in names if name in COLUMNS and names.count(name) > 1}):
        raise ReportError(f"the first line names a column twice: {', '.join(twice)}")
    return names


def _row(line: int, names: Sequence[str], found: Sequence[str]) -> OrderRow:
    if len(found) != len(names):
        raise _BadCellError("", f"has {len(found)} cells where the header has {len(names)}")
    values = {name: _value(name, cell) for name, cell in zip(names, found, strict=True) if name in COLUMNS}
    for name in _REQUIRED:
        if not values[name]:
            raise _BadCellError(name, "is empty")
    return OrderRow(
        line=line,
        order_id=values["order_id"],
        buyer_ref=values["buyer_ref"],
        seller_ref=values["seller_ref"],
        buyer_mailbox=_mailbox(values, "buyer_mailbox"),
        buyer_locale=_locale(values.get("buyer_locale", "")),
        seller_mailbox=_mailbox(values, "seller_mailbox"),
        items=_list(values.get("items")),
        state=values.get("state"),
        fulfilled_by=_fulfilment(values.get("fulfilled_by")),
        known=_list(values.get("known")),
    )


def _list(cell: str | None) -> tuple[str, ...] | None:
    if cell is None:
        return None
    return tuple(dict.fromkeys(_unguarded(one.strip()) for one in cell.split(";") if one.strip()))


def _value(name: str, cell: str) -> str:
    value = cell if name in _LISTS else _unguarded(cell)
    if len(value) > _LONGEST_VALUE and name not in _LISTS:
        raise _BadCellError(name, f"is longer than {_LONGEST_VALUE} characters")
    if not value.isprintable():
        raise _BadCellError(name, "contains a line end or another control character")
    return value


def _mailbox(values: dict[str, str], name: str) -> str | None:
    mailbox = values.get(name, "")
    try:
        if mailbox:
            address.fold(mailbox)
    except address.AddressError as error:
        raise _BadCellError(name, str(error)) from None
    return mailbox or None


def _locale(value: str) -> str | None:
    if value and value.lower() not in LANGUAGES:
        raise _BadCellError("buyer_locale", f"is not one of {', '.join(LANGUAGES)}")
    return value.lower() or None


def _fulfilment(value: str | None) -> FulfilledBy | None:
    if value is None:
        return None
    try:
        return FulfilledBy(value.lower()) if value else FulfilledBy.SELLER
    except ValueError:
        raise _BadCellError("fulfilled_by", f"is not one of {', '.join(FulfilledBy)}") from None


def _joined(earlier: OrderRow | None, row: OrderRow) -> OrderRow:
    """Joins two lines of one order.

    The result has the items and known texts of both lines. Every other value is that of the later line; only an empty
    mailbox or language does not replace the earlier one. Raises _BadCellError if the lines name different parties.
    """
    if earlier is None:
        return row
    if (earlier.buyer_ref, earlier.seller_ref) != (row.buyer_ref, row.seller_ref):
        raise _BadCellError("order_id", f"is another buyer's or seller's order in line {earlier.line}")
    return replace(
        row,
        line=earlier.line,
        items=_union(earlier.items, row.items),
        known=_union(earlier.known, row.known),
        buyer_mailbox=row.buyer_mailbox or earlier.buyer_mailbox,
        buyer_locale=row.buyer_locale or earlier.buyer_locale,
        seller_mailbox=row.seller_mailbox or earlier.seller_mailbox,
    )


def _union(earlier: tuple[str, ...] | None, later: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if later is None else tuple(dict.fromkeys((*(earlier or ()), *later)))
