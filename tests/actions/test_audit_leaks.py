"""The audit log holds no address, no text of a message and no reference: it stays when a person is erased."""

import sqlite3
from contextlib import closing
from pathlib import Path

from relay.actions.actor import Actor
from tests.actions.action_env import CASES, HELPER, MOVED, STAFF, TYPED, action_env
from tests.support.market_env import BUYER, SELLER


async def test_no_address_or_text_stands_in_the_audit_log(tmp_path: Path) -> None:
    async with action_env(tmp_path) as env:
        actor = Actor.admin("dana@company.example")
        for case in CASES:
            await case.run(actor, env)
    with closing(sqlite3.connect(tmp_path / "relay.db")) as database:
        rows = database.execute("SELECT * FROM audit").fetchall()
    assert len(rows) >= len(CASES)
    for row in rows:
        text = " ".join(str(value) for value in row)
        assert "@" not in text, row
        for secret in (BUYER, SELLER, HELPER, MOVED, "company.example", STAFF, TYPED, "hanako", "Hana", "090-1"):
            assert secret.lower() not in text.lower(), row
        for ref in ("B1", "S1", "B2", "A-1", "A-2"):
            assert ref not in text.split(), row
