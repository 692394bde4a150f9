"""Defines `relay marketplace`, which shows the marketplaces of the configuration."""

from datetime import UTC, datetime

import click

from relay.cli import show
from relay.cli.context import CliContext
from relay.core.model.marketplace import Marketplace


@click.group()
def marketplace() -> None:
    """Show the marketplaces. They are made and changed in the configuration file."""


@marketplace.command("list")
@show.as_json
@click.pass_obj
def list_marketplaces(session: CliContext, *, as_json: bool) -> None:
    """List all marketplaces."""
    found = [{"id": one.id, "name": one.name, "domain": one.domain} for one in session.marketplaces]
    show.rows(found, as_json=as_json)


@marketplace.command("show")
@click.argument("marketplace_id", metavar="[ID]", required=False)
@show.as_json
@click.pass_obj
def show_marketplace(session: CliContext, marketplace_id: str | None, *, as_json: bool) -> None:
    """Show all values of one marketplace. ID may be left out if there is only one."""
    show.one(_described(session.marketplace(marketplace_id)), as_json=as_json)


def _described(one: Marketplace) -> show.Row:
    return {
        "id": one.id,
        "name": one.name,
        "domain": one.domain,
        "mobile_domain": one.mobile_domain or None,
        "mobile_carriers": sorted(one.mobile_carriers),
        "locales": one.locales,
        "help_url": one.help_url,
        "operator": one.operator,
        "authentication": str(one.authentication),
        "reject_at_data": one.reject_at_data,
        "show_seller_name": one.show_seller_name,
        "show_buyer_name": one.show_buyer_name,
        "policy_version": one.policy_at(datetime.now(UTC)).version,
    }
