"""The relay's daemon for a bench: its start, and the rows that every installation of a bench has."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from relay.core import dkim
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.ports import DkimKey, Store

DOMAIN = "relay.test"
_POLICY: Final = """
version = "bench-1"
effective_at = 2026-01-01T00:00:00Z

# One pair writes the same text as fast as it can.
[limits]
instant_reply_s = 0
repeated_text_bytes = 0
pair_per_hour = 0
"""


def put_policy(directory: Path) -> None:
    """Writes the policy of a bench, which has no limit on a pair's pace, to `policies` in `directory`."""
    (directory / "policies").mkdir()
    (directory / "policies/bench.toml").write_text(_POLICY, encoding="ascii")


def start(directory: Path, *, prefix: Sequence[str] = ()) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Starts the daemon of the installation in `directory`, with its log there. Returns it and its ports.

    `prefix` is a command that runs the daemon, such as `taskset`.
    """
    command = [*prefix, sys.executable, "-m", "relay", "--config", str(directory / "config.toml"), "serve"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["ports"]


async def put_signing_key(store: Store) -> None:
    """Adds an RSA-2048 key for the domain of the aliases."""
    der = dkim.generate("rsa-sha256")
    await store.dkim_keys.put(DkimKey(domain=DOMAIN, selector="s1", algorithm="rsa-sha256", private_der=der))


async def put_pair(store: Store, marketplace_id: str, *, buyer: str, seller: str, seller_ref: str = "S") -> Pair:
    """Adds a pair of the buyer `B` and a seller, with these mailboxes."""
    one = await store.parties.put(marketplace_id, Role.BUYER, "B", mailbox=buyer)
    other = await store.parties.put(marketplace_id, Role.SELLER, seller_ref, mailbox=seller)
    return await store.pairs.put(marketplace_id, one.id, other.id, dict.fromkeys(Role, DOMAIN))
