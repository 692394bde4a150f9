"""`relay order import` and `export` on a real store (R-UI-07)."""

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import REVEAL, Installation

HEADER = "order_id,buyer_ref,buyer_mailbox,buyer_locale,seller_ref,seller_mailbox,items,state,fulfilled_by"
ROWS = (
    "O-1,B1,hanako@private.example,ja,S1,owner@private.example,JAN1;JAN2,発送済み,operator",
    "O-2,B1,,,S1,,JAN3,,",
    "O-3,B2,taro@private.example,en,S1,,,,",
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("\n".join((HEADER, *ROWS)), encoding="cp932")
    return path


def test_a_report_goes_in_and_again_without_a_difference(installation: Installation, report: Path) -> None:
    assert installation.json("order", "import", str(report)) == {
        "new": 3,
        "updated": 0,
        "failed": 0,
        "dry_run": False,
        "errors": [],
    }
    first = [installation.json(noun, "list") for noun in ("party", "pair", "order")]
    assert installation.json("order", "import", str(report))["updated"] == 3
    assert [installation.json(noun, "list") for noun in ("party", "pair", "order")] == first
    assert [len(found) for found in first] == [3, 2, 3]
    order = installation.json("order", "show", "O-1")
    assert (order["items"], order["state"], order["fulfilled_by"]) == (["JAN1", "JAN2"], "発送済み", "operator")


FULL = {"items": ["JAN1", "JAN2"], "state": "shipped", "fulfilled_by": "operator", "known": ["1234-5678", "980円"]}
CLEARED: dict[str, object] = {"items": [], "state": "", "fulfilled_by": "seller", "known": []}


@pytest.fixture
def full_order(installation: Installation) -> Installation:
    columns = "order_id,buyer_ref,buyer_mailbox,seller_ref,seller_mailbox,items,state,fulfilled_by,known"
    row = "O-1,B1,hanako@private.example,S1,owner@private.example,JAN1;JAN2,shipped,operator,1234-5678;980円"
    installation.json("order", "import", "-", stdin=f"{columns}\n{row}\n".encode())
    assert _values(installation) == FULL
    return installation


def _values(installation: Installation) -> dict[str, object]:
    shown = installation.json("order", "show", "O-1")
    return {name: shown[name] for name in FULL}


def test_a_column_that_a_report_does_not_have_leaves_the_values(full_order: Installation) -> None:
    assert full_order.json("order", "import", "-", stdin=b"order_id,buyer_ref,seller_ref\nO-1,B1,S1\n")["updated"] == 1
    assert _values(full_order) == FULL


@pytest.mark.parametrize("column", FULL)
def test_an_empty_cell_clears_the_value_of_its_column_alone(full_order: Installation, column: str) -> None:
    full_order.json("order", "import", "-", stdin=f"order_id,buyer_ref,seller_ref,{column}\nO-1,B1,S1,\n".encode())
    assert _values(full_order) == FULL | {column: CLEARED[column]}


ADD = ("order", "add", "O-1", "--buyer", "B1", "--seller", "S1")


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ((), {}),
        (("--state", "returned"), {"state": "returned"}),
        (("--state", ""), {"state": ""}),
        (("--item", "JAN9"), {"items": ["JAN9"]}),
        (("--item", ""), {"items": []}),
        (("--known", "1", "--known", "2"), {"known": ["1", "2"]}),
        (("--known", ""), {"known": []}),
        (("--fulfilled-by", "seller"), {"fulfilled_by": "seller"}),
    ],
)
def test_adding_an_order_again_changes_the_options_that_are_given(
    full_order: Installation, options: tuple[str, ...], changed: dict[str, object]
) -> None:
    shown = full_order.json(*ADD, *options)
    assert {name: shown[name] for name in FULL} == _values(full_order) == FULL | changed


def test_a_new_order_without_options_has_the_defaults(full_order: Installation) -> None:
    shown = full_order.json("order", "add", "O-2", "--buyer", "B1", "--seller", "S1")
    assert {name: shown[name] for name in FULL} == CLEARED


def test_adding_a_party_or_a_sender_again_leaves_what_is_not_given(full_order: Installation) -> None:
    # R-POL-12, R-SND-01
    buyer = ("--role", "buyer", "--ref", "B1")
    hours = ("--time-zone", "Asia/Tokyo", "--quiet-hours", "22:00-07:00")
    full_order.json("party", "set", *buyer, *hours, "--name", "Hanako", "--locale", "ja", "--state", "suspended")
    before = full_order.json("party", "show", *buyer, *REVEAL)
    for verb in ("add", "set"):
        full_order.json("party", verb, *buyer)
        assert full_order.json("party", "show", *buyer, *REVEAL) == before
    full_order.json("party", "set", *buyer, "--quiet-hours", "off")
    assert full_order.json("party", "show", *buyer, *REVEAL) == before | {"quiet_hours": "off"}
    sender = ("sender", "add", *buyer, "office@private.example")
    made = full_order.json(*sender, "--label", "Office", "--shared", "--by", "ann")
    assert full_order.json(*sender, "--by", "ann") == made


def test_a_dry_run_says_the_same_and_changes_nothing(installation: Installation, report: Path) -> None:
    report.write_text("\n".join((HEADER, *ROWS, "O-4,B9,,,S1,,,,")), encoding="utf-8")
    dry = installation.json("order", "import", "--dry-run", str(report), exit_code=1)
    assert [installation.json(noun, "list") for noun in ("party", "pair", "order")] == [[], [], []]
    real = installation.json("order", "import", str(report), exit_code=1)
    assert dry == real | {"dry_run": True}
    assert real["errors"] == [{"line": 5, "column": "buyer_mailbox", "what": "is needed for a new buyer"}]


def test_bad_rows_are_named_and_the_others_go_in(installation: Installation) -> None:
    lines = (HEADER, ROWS[0], "O-5,,,,S1,,,,", "O-6,B1,,,S9,,,,", "O-7,B1,,,S1,,,,", '"O-8,B1')
    result = installation.relay("order", "import", "-", stdin="\n".join(lines).encode(), exit_code=1)
    assert [line.removeprefix("<stdin>: ") for line in result.stderr.splitlines()] == [
        "line 3, buyer_ref: is empty",
        "line 4, seller_mailbox: is needed for a new seller",
        "line 6: the quotes or cells are broken (unexpected end of data)",
    ]
    assert [one["order"] for one in installation.json("order", "list")] == ["O-1", "O-7"]


def test_an_order_does_not_change_hands(installation: Installation, report: Path) -> None:
    installation.relay("order", "import", str(report))
    stdin = f"{HEADER}\nO-1,B2,,,S1,,,,\nO-2,B9,b9@private.example,,S1,,,,\n".encode()
    before = installation.json("order", "list")
    result = installation.json("order", "import", "-", stdin=stdin, exit_code=1)
    assert [error["what"] for error in result["errors"]] == ["is another buyer's or seller's order already"] * 2
    assert installation.json("order", "list") == before
    assert len(installation.json("party", "list")) == 3


def test_a_language_that_the_marketplace_does_not_speak_is_a_bad_row(installation: Installation) -> None:
    installation.configure(lambda text: text.replace('locales = ["en", "ja"]', 'locales = ["ja"]'))
    stdin = f"{HEADER}\n{ROWS[2]}\n{ROWS[0]}\n".encode()
    (error,) = installation.json("order", "import", "-", stdin=stdin, exit_code=1)["errors"]
    assert error["column"] == "buyer_locale"


def test_a_new_mailbox_in_a_report_becomes_the_current_one(installation: Installation, report: Path) -> None:
    # R-ADR-04
    installation.relay("order", "import", str(report))
    stdin = f"{HEADER}\nO-1,B1,moved@private.example,,S1,,,,\n".encode()
    installation.relay("order", "import", "-", stdin=stdin)
    assert installation.json("party", "show", "--role", "buyer", "--ref", "B1", *REVEAL)["mailbox"] == (
        "moved@private.example"
    )


@pytest.mark.parametrize("content", [b"", b"\x81 \x81", b"a,b,c\n1,2,3\n"])
def test_a_file_that_is_no_report_is_one_clear_message(installation: Installation, content: bytes) -> None:
    result = installation.relay("order", "import", "-", stdin=content, exit_code=1)
    assert result.stderr.startswith("Error: <stdin>: ")


def test_a_file_that_is_not_there_is_told(installation: Installation) -> None:
    assert "No such file" in installation.relay("order", "import", "/nonexistent/file", exit_code=2).stderr


@pytest.mark.parametrize(("options", "encoding", "delimiter"), [([], "utf-8", ","), (["--tsv"], "utf-8", "\t")])
def test_the_way_out_has_aliases_and_no_mailbox(
    installation: Installation, report: Path, options: list[str], encoding: str, delimiter: str
) -> None:
    installation.relay("order", "import", str(report))
    exported = installation.relay("order", "export", *options).stdout_bytes.decode(encoding)
    rows = list(csv.DictReader(io.StringIO(exported, newline=""), delimiter=delimiter))
    pairs = {one["buyer_alias"] for one in installation.json("pair", "list")}
    assert {row["buyer_alias"] for row in rows} == pairs
    assert "private" not in exported
    # What went out comes in again.
    assert installation.json("order", "import", "-", stdin=exported.encode())["updated"] == 3


def test_cp932_comes_out_where_it_can(installation: Installation, report: Path, tmp_path: Path) -> None:
    installation.relay("order", "import", str(report))
    out = tmp_path / "out.csv"
    installation.relay("order", "export", str(out), "--encoding", "cp932")
    assert "発送済み" in out.read_text(encoding="cp932")
    installation.relay("order", "add", "O-1", "--buyer", "B1", "--seller", "S1", "--state", "😀")
    before = out.read_bytes()
    result = installation.relay("order", "export", str(out), "--encoding", "cp932", exit_code=1)
    assert "use --encoding utf-8-sig" in result.stderr
    assert out.read_bytes() == before


def test_a_formula_leaves_as_text(installation: Installation) -> None:
    stdin = f"{HEADER}\nO-1,B1,b@private.example,,S1,s@private.example,,=HYPERLINK(1),\n".encode()
    installation.relay("order", "import", "-", stdin=stdin)
    assert "'=HYPERLINK(1)" in installation.relay("order", "export").output
    assert installation.json("order", "show", "O-1")["state"] == "=HYPERLINK(1)"


def test_the_name_of_a_column_cannot_control_a_terminal(installation: Installation, report: Path) -> None:
    header = HEADER + ",note\x1b]0;title\x07"
    report.write_text("\n".join((header, *(f"{row},x" for row in ROWS))), encoding="cp932")
    printed = installation.relay("order", "import", str(report)).output
    assert "note" in printed
    assert not {"\x1b", "\x07"} & set(printed)
