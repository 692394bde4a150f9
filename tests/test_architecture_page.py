"""ARCHITECTURE.md is true where it can be checked: states, tables and the files that it names."""

import os
import re
import sqlite3
from pathlib import Path

import pytest

from relay.core.model.item import TRANSITIONS
from relay.store.statements import migrations

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
PURPOSES = {
    "audit": "what a person or a program changed in the installation; rows are only added",
    "alias": "issued aliases, retired ones too; none is issued twice",
    "app_password": "hashed passwords of parties",
    "body": "sealed bytes: originals, notices, reports, and answers of servers",
    "dkim_key": "sealed signing keys by domain and selector",
    "event": "what happened to each message; rows are only added",
    "owner_request": "questions to the owners of accounts: about a pending sender, or about unproven mail",
    "heartbeat": "a row that each process overwrites to prove that writes are possible",
    "holder_key": "the wrapped key of each party and marketplace; destroying it erases the holder's data",
    "item": "the queue",
    "mailbox": "the history of each party's mailboxes",
    "marketplace": "the marketplaces that have data",
    "message": "one row for each message and recipient",
    "message_key": "the wrapped key of each message",
    "misuse": "points for marks of importance, and restorations",
    "opt_out": "opt-outs in force",
    "opt_out_change": "each change of an opt-out",
    "order_": "orders",
    "pair": "buyer and seller who may write to each other",
    "party": "buyers and sellers",
    "quota_mark": "keyed hashes of mail that counts once towards a limit",
    "quota_use": "messages of a day by quota",
    "secret": "the wrapped root secret",
    "sender": "addresses and domains that may write for a party",
    "thread_reopening": "when the threads of a pair were reopened",
    "signature_taken": "keyed hashes of signatures that have been taken as the only proof of a writer",
    "signing_domain": "sealed signing domains that parties have confirmed",
    "signing_domain_wait": "held messages for which only the confirmation of a signing domain is missing",
    "stranger_body": "until when the content of strangers' mail is kept",
    "unsealed": "the tables with values in clear of an older relay, until these are sealed",
    "told": "when a party last got a notice of a kind (the notice log)",
}


def section(text: str, name: str) -> str:
    """Returns the text between the two comments that enclose a generated section."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    assert found, f"ARCHITECTURE.md has no section between <!-- {name} --> and <!-- end of {name} -->"
    return found[1]


def states() -> str:
    lines = [f"    {before} --> {after}" for before, moves in TRANSITIONS.items() for after in sorted(moves)]
    return "\n".join(("", "```mermaid", "stateDiagram-v2", *lines, "```", "", ""))


def tables() -> str:
    database = sqlite3.connect(":memory:")
    for migration in migrations("sqlite"):
        database.executescript(migration)
    rows = database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    names = [str(name) for (name,) in rows]
    database.close()
    missing = [name for name in names if name not in PURPOSES]
    assert not missing, f"say what these tables are for in PURPOSES of {Path(__file__).name}: {missing}"
    return "\n".join(
        ("", "| table | holds |", "|---|---|", *(f"| `{name}` | {PURPOSES[name]} |" for name in names), "", "")
    )


@pytest.mark.parametrize(("name", "made"), [("states", states), ("tables", tables)])
def test_what_is_generated_is_up_to_date(name: str, made: object) -> None:
    assert callable(made)
    text, wanted = PAGE.read_text(encoding="utf-8"), made()
    if os.environ.get("RELAY_UPDATE"):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        PAGE.write_text(text.replace(begin + section(text, name) + end, begin + wanted + end), encoding="utf-8")
        return
    assert section(text, name) == wanted, "run RELAY_UPDATE=1 pytest tests/test_architecture_page.py"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "docs/glossary.md"])
def test_each_file_that_the_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?|[a-z_]+\.py)(?:: [\w.]+)?`", text))
    missing = [one for one in sorted(named) if not ((ROOT / "relay" / one).exists() or (ROOT / one).exists())]
    assert not missing, f"{page} names files that are not there (any more): {missing}"


def test_each_type_that_the_page_lists_exists() -> None:
    rows = section_of_types(PAGE.read_text(encoding="utf-8"))
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert len(names) > 20
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "relay").rglob("*.py"))
    missing = [name for name in names if not re.search(rf"^class {name}\b", source, re.MULTILINE)]
    assert not missing, f"ARCHITECTURE.md lists types that are not there (any more): {missing}"


def section_of_types(text: str) -> list[str]:
    part = text.partition("## Types in the order")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("| `")]
