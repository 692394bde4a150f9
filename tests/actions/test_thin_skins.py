"""The command line and the signed links change the store by actions only, and read addresses by actions only."""

import ast
from pathlib import Path
from typing import get_type_hints

import pytest

from relay.ports import Store

ROOT = Path(__file__).parent.parent.parent / "relay"
_WRITES = """
parties.put pairs.put pairs.renew orders.put threads.reopen senders.put senders.flip_many senders.flip opt_outs.put
limits.add_misuse limits.restore_bypass records.mark_no_reply records.mark app_passwords.add app_passwords.revoke
acceptances.add queue.claim queue.settle queue.renew queue.release queue.flush reports.add holds.release holds.refuse
notice_log.add records.note_view dkim_keys.put dkim_keys.activate dkim_keys.retire audit_log.add
"""
WRITES = frozenset(_WRITES.split())
READS_OF_ADDRESSES = frozenset({"parties.mailbox"})
FILES = [*(ROOT / "cli").glob("*.py"), *(ROOT / "signed_links").glob("*.py")]


def uses(source: str) -> set[str]:
    """Everything that is taken of a store, as `part.verb` and each of its beginnings."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        end: ast.AST = node
        while isinstance(end, ast.Attribute):
            names.insert(0, end.attr)
            end = end.value
        if isinstance(end, ast.Name):
            names.insert(0, end.id)
        for at, name in enumerate(names):
            if name in {"store", "_store", "opened"}:
                found |= {".".join(names[at + 1 : to]) for to in range(at + 2, len(names) + 1)}
    return found


def exists(verb: str) -> bool:
    owner: type = Store
    *parts, last = verb.split(".")
    for part in parts:
        owner = get_type_hints(getattr(owner, part).fget)["return"]
    return hasattr(owner, last)


def test_the_lists_name_verbs_of_the_store() -> None:
    assert {verb for verb in WRITES | READS_OF_ADDRESSES if not exists(verb)} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_verb_or_link_writes_by_an_action(path: Path) -> None:
    used = uses(path.read_text("utf-8"))
    assert not used & WRITES, f"{path.name}: put these changes of the store into a function in relay/actions"
    assert not used & READS_OF_ADDRESSES, f"{path.name}: read addresses by an action, which logs who read them"


@pytest.mark.parametrize("verb", sorted(WRITES))
def test_a_write_would_be_found(verb: str) -> None:
    for source in (f"await store.{verb}(x)", f"await context.services.store.{verb}(None)", f"f(opened.{verb})"):
        assert uses(source) & WRITES == {verb}
