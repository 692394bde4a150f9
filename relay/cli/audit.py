"""Defines `relay audit`, which shows the log of all actions on the installation."""

import click

from relay.cli import show
from relay.cli.context import CliContext, in_marketplace, with_store
from relay.ports import Store


@click.group()
def audit() -> None:
    """The log of changes and who made them.

    Readings of texts and addresses are in the log too. No entry can be removed.
    """


@audit.command("list")
@in_marketplace
@click.option("--all", "everywhere", is_flag=True, help="Show all entries, also those of no single marketplace.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most so many.")
@show.as_json
@with_store
async def list_entries(
    session: CliContext, store: Store, *, marketplace: str | None, everywhere: bool, limit: int, as_json: bool
) -> None:
    """List the entries of the audit log, newest first.

    `actor` is the name of a person, or the id of the party that used a link. `party` and `about` are ids, as other
    verbs show them; no address is in the log.
    """
    shop = None if everywhere else session.marketplace(marketplace).id
    lines = [
        {
            "at": one.at,
            "actor": one.actor,
            "way": str(one.way),
            "action": str(one.action),
            "marketplace": one.marketplace_id,
            "party": one.party_id,
            "about": one.subject_id,
            "data": one.data,
        }
        for one in await store.audit_log.newest(shop, limit=limit)
    ]
    show.rows(lines, as_json=as_json, empty="nothing was done yet")
