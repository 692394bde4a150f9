"""Order reports: what a marketplace's export looks like in the field is read, and nothing leaks on the way out."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.model.order import FulfilledBy, Order
from relay.core.model.pair import Alias, Pair, Side
from relay.core.model.party import Party, PartyState, Role
from relay.core.order_report import COLUMNS, OrderRow, ReportError, cells, header, read

HEADER = "order_id,buyer_ref,buyer_mailbox,buyer_locale,seller_ref,seller_mailbox,items,state,fulfilled_by"
GOOD = "O-1,B-1,hanako@mail.example,ja,S-1,shop@mail.example,JAN1;JAN2,shipped,operator"
FULL = OrderRow(
    line=2,
    order_id="O-1",
    buyer_ref="B-1",
    buyer_mailbox="hanako@mail.example",
    buyer_locale="ja",
    seller_ref="S-1",
    seller_mailbox="shop@mail.example",
    items=("JAN1", "JAN2"),
    state="shipped",
    fulfilled_by=FulfilledBy.OPERATOR,
)


def _file(*lines: str) -> bytes:
    return "\r\n".join((HEADER, *lines)).encode()


def test_a_full_row_is_read() -> None:
    # R-UI-07
    report = read(_file(GOOD))
    assert (report.rows, report.errors, report.unread_columns) == ((FULL,), (), ())


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_delimiter_and_line_ends_are_found_by_themselves(delimiter: str, encoding: str, end: str) -> None:
    text = end.join((HEADER, GOOD.replace("shipped", "発送済み①"))).replace(",", delimiter)
    report = read(text.encode(encoding))
    assert report.rows == (replace(FULL, state="発送済み①"),)
    assert report.encoding == encoding.removesuffix("-sig")


def test_optional_columns_may_be_missing_and_headers_differ_in_form() -> None:
    report = read(b"Order ID\tSELLER-REF\tbuyer_ref\nO-1\tS-1\tB-1\n")
    assert report.rows == (OrderRow(line=2, order_id="O-1", buyer_ref="B-1", seller_ref="S-1"),)


def test_an_empty_cell_of_a_column_differs_from_a_column_that_is_missing() -> None:
    # R-UI-07
    (row,) = read(f"{HEADER},known\nO-1,B-1,,,S-1,,,,,\n".encode()).rows
    assert (row.items, row.state, row.fulfilled_by, row.known) == ((), "", FulfilledBy.SELLER, ())
    assert (row.buyer_mailbox, row.buyer_locale, row.seller_mailbox) == (None, None, None)


@pytest.mark.parametrize(
    ("column", "cells", "value"),
    [
        ("items", ("A", "B;A"), ("A", "B")),
        ("known", ("", "1;2"), ("1", "2")),
        ("state", ("new", "shipped"), "shipped"),
        ("fulfilled_by", ("seller", "operator"), FulfilledBy.OPERATOR),
    ],
)
def test_one_optional_column_alone_says_nothing_of_the_others(column: str, cells: tuple[str, str], value: Any) -> None:
    lines = (f"order_id,buyer_ref,seller_ref,{column}", *(f"O-1,B-1,S-1,{cell}" for cell in cells))
    assert read("\n".join(lines).encode()).rows == (
        replace(OrderRow(line=2, order_id="O-1", buyer_ref="B-1", seller_ref="S-1"), **{column: value}),
    )


def test_other_columns_are_left_unread_and_named_but_our_own_aliases_are_not() -> None:
    report = read(
        b"order_id,buyer_ref,seller_ref,price,buyer_alias,seller_order_address\nO-1,B-1,S-1,300,x@y.example,x@y.example\n"
    )
    assert report.unread_columns == ("price",)
    assert len(report.rows) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",B-1,,,S-1,,,,", "line 3, order_id: is empty"),
        ("O-2,,,,S-1,,,,", "line 3, buyer_ref: is empty"),
        ("O-2,B-1,,,,,,,", "line 3, seller_ref: is empty"),
        ("O-2,B-1,hanako.example,,S-1,,,,", "line 3, buyer_mailbox: no @ in the address"),
        ("O-2,B-1,,,S-1,a b@c.example,,,", "line 3, seller_mailbox: the local part is not valid"),
        ("O-2,B-1,,fr,S-1,,,,", "line 3, buyer_locale: is not one of en, ja"),
        ("O-2,B-1,,,S-1,,,,amazon", "line 3, fulfilled_by: is not one of seller, operator"),
        ("O-2,B-1,,,S-1,,,", "line 3: has 8 cells where the header has 9"),
        ("O-2,B-1,,,S-1,,,,,", "line 3: has 10 cells where the header has 9"),
        ("O-2," + "B" * 201 + ",,,S-1,,,,", "line 3, buyer_ref: is longer than 200 characters"),
        ("O-2,B\x07,,,S-1,,,,", "line 3, buyer_ref: contains a line end or another control character"),
        ("O-1,B-9,,,S-1,,,,", "line 3, order_id: is another buyer's or seller's order in line 2"),
        ('"O-2,B-1,,,S-1,,,,', "line 3: the quotes or cells are broken (unexpected end of data)"),
        ('"O-2"x,B-1,,,S-1,,,,', "line 3: the quotes or cells are broken (',' expected after '\"')"),
    ],
)
def test_a_bad_row_names_line_column_and_why_and_the_other_rows_go_in(line: str, said: str) -> None:
    # R-UI-07
    report = read(_file(GOOD, line, "O-9,B-1,,,S-1,,,,"))
    assert [str(error) for error in report.errors] == [said]
    assert [row.order_id for row in report.rows] == ["O-1", "O-9"]


def test_known_texts_are_a_list_that_may_be_left_out() -> None:
    # R-POL-09
    lines = (f"{HEADER},known", f"{GOOD},1234-5678-9012; 980円", f"{GOOD},980円;〒150-0001")
    (row,) = read("\n".join(lines).encode()).rows
    assert row.known == ("1234-5678-9012", "980円", "〒150-0001")
    (row,) = read(_file(GOOD)).rows
    assert row.known is None


def test_an_error_does_not_repeat_the_cell() -> None:
    report = read(_file("O-1,B-1,hanako@@private.example,,S-1,,,,"))
    assert "private" not in str(report.errors[0])


def test_a_cell_over_several_lines_counts_lines_right() -> None:
    report = read(b'order_id,buyer_ref,seller_ref,note\nO-1,B-1,S-1,"a\nb"\n\nO-2,B-1,,x\n')
    assert [row.order_id for row in report.rows] == ["O-1"]
    assert [str(error) for error in report.errors] == ["line 5, seller_ref: is empty"]


def test_a_quote_left_open_in_a_long_file_spoils_one_line() -> None:
    lines = [f"O-{number},B-1,,,S-1,,,," for number in range(500)]
    lines[100] = '"' + lines[100]
    report = read(_file(*lines))
    assert len(report.rows) == 499
    assert [error.line for error in report.errors] == [102]


def test_lines_of_one_order_are_joined() -> None:
    report = read(_file(GOOD, "O-1,B-1,,,S-1,,JAN2;JAN3,cancelled,"))
    (row,) = report.rows
    assert (row.items, row.state, row.buyer_mailbox, row.line) == (
        ("JAN1", "JAN2", "JAN3"),
        "cancelled",
        "hanako@mail.example",
        2,
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "missing: order_id, buyer_ref, seller_ref"),
        (b"\n\n", "missing: order_id, buyer_ref, seller_ref"),
        (b"O-1,B-1,S-1\n", "the first line must name the columns"),
        (b"order_id,order_id,buyer_ref,seller_ref\n", "names a column twice: order_id"),
        (b"\x81 \x81", "neither UTF-8 nor CP932"),
        ("order_id,buyer_ref,seller_ref".encode("utf-16-le"), "contains NUL"),
        (b'"order_id,buyer_ref,seller_ref\n', "the first line must name the columns"),
    ],
)
def test_a_file_that_is_no_report_is_refused_as_a_whole(data: bytes, said: str) -> None:
    with pytest.raises(ReportError, match=said):
        read(data)


# ---------------------------------------------------------------- the way out


def _pair() -> Pair:
    def side(role: Role) -> Side:
        party = Party(
            id=role,
            marketplace_id="shop",
            role=role,
            external_ref=f"{role}-1",
            state=PartyState.ACTIVE,
            locale="ja",
            display_name="Real Name",
        )
        alias = Alias(local_part=f"{role}alias", domain="shop.example", role=role)
        mailbox = f"{role}@private.example"
        return Side(party=party, alias=alias, mailbox=mailbox, addresses=frozenset({mailbox}))

    return Pair(
        id="p",
        marketplace_id="shop",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        buyer=side(Role.BUYER),
        seller=side(Role.SELLER),
    )


def _order(external_id: str = "O-1", items: tuple[str, ...] = (), state: str = "") -> Order:
    return Order(id="o", marketplace_id="shop", pair_id="p", external_id=external_id, items=items, state=state)


def _written(*orders: Order) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([header(), *(cells(order, _pair()) for order in orders)])
    return out.getvalue().encode()


def test_the_way_out_has_both_aliases_and_never_a_mailbox() -> None:
    # R-UI-07
    written = _written(_order()).decode()
    assert "buyeralias@shop.example,selleralias@shop.example" in written
    assert "buyeralias+O-1@shop.example,selleralias+O-1@shop.example" in written
    # An id that cannot stand in an address leaves the alias as it is.
    assert "buyeralias@shop.example,selleralias@shop.example,buyeralias@shop.example,selleralias@shop.example" in (
        _written(_order("注文 1")).decode()
    )
    assert "private" not in written
    assert "mailbox" not in written
    assert "Real Name" not in written


@pytest.mark.parametrize("value", ["=1+1", "+81", "-1", "@SUM(A1)", "'=x", " =x", "＝1", "\t=x"])
def test_a_spreadsheet_finds_no_formula(value: str) -> None:
    (_, _, _, _, _, state, *_) = cells(_order(state=value), _pair())
    assert state == f"'{value}"


@pytest.mark.parametrize("formula", ["=1+1", "@SUM(A1)", "+81", " -1", "＝1"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_spreadsheet_that_separates_cells_by_semicolons_finds_no_formula_in_a_list(formula: str, place: int) -> None:
    values = ["a", "b"]
    values.insert(place, formula)
    order = replace(_order(items=tuple(values)), known=tuple(values))
    (_, _, _, _, items, _, _, known, *_) = cells(order, _pair())
    for cell in (items, known):
        assert cell.split(";")[place] == f"'{formula}"


DECISION = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters=";"), min_size=1, max_size=20)


@given(DECISION, st.lists(DECISION, max_size=3, unique=True), DECISION)
def test_what_goes_out_comes_in_again_as_it_was(external_id: str, items: list[str], state: str) -> None:
    (row,) = read(_written(_order(external_id, tuple(items), state))).rows
    assert (row.order_id, row.items, row.state) == (external_id, tuple(items), state)
    assert (row.buyer_ref, row.seller_ref, row.buyer_mailbox) == ("buyer-1", "seller-1", None)


@given(st.binary(max_size=400))
def test_no_bytes_bring_more_than_a_report_error(data: bytes) -> None:
    try:
        read(b"order_id,buyer_ref,seller_ref\n" + data)
    except ReportError:
        return


def test_every_documented_column_is_read() -> None:
    assert {*HEADER.split(","), "known"} == set(COLUMNS)
