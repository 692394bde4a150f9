"""`relay keys`: DKIM keys and the records that make them known."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from relay.cli import show
from relay.cli.dns_records import wanted, zone_line
from relay.cli.session import Session, in_marketplace, with_store
from relay.core import dkim
from relay.core.model.marketplace import Marketplace
from relay.ports import DkimKey, Store


@click.group()
def keys() -> None:
    """Keys that the relay signs with. The private halves never leave the store."""


@keys.command("list")
@show.as_json
@with_store
async def list_keys(session: Session, store: Store, *, as_json: bool) -> None:
    """List the DKIM keys of all alias domains."""
    found = [
        {"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm}
        for shop in session.marketplaces
        for domain in sorted(shop.domains)
        for key in await store.dkim_keys(domain)
    ]
    show.rows(found, as_json=as_json, empty="no keys; `relay keys generate dkim` makes them")


@keys.command("generate")
@click.argument("what", type=click.Choice(["dkim"]))
@in_marketplace
@show.as_json
@with_store
async def generate(session: Session, store: Store, *, what: str, marketplace: str | None, as_json: bool) -> None:
    """Make the DKIM keys that `dkim.algorithms` asks for and a domain lacks; existing keys stay.

    Publish what `relay keys records` prints, then reload the running relay (SIGHUP).
    """
    assert what == "dkim"
    made = await make_dkim_keys(store, [session.marketplace(marketplace)], session.config.dkim.algorithms)
    lines = [{"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in made]
    show.rows(lines, as_json=as_json, empty="every domain has its keys already")


@keys.command("records")
@show.as_json
@with_store
async def show_records(session: Session, store: Store, *, as_json: bool) -> None:
    """Print the DNS records to publish: MX, SPF, DKIM and DMARC of every alias domain."""
    found = await wanted(store, session.marketplaces, session.config.hostname)
    if as_json:
        show.rows([{"name": one.name, "type": one.type, "value": one.value} for one in found], as_json=True)
    else:
        click.echo("\n".join(zone_line(one) for one in found))


async def make_dkim_keys(
    store: Store, marketplaces: Sequence[Marketplace], algorithms: Sequence[dkim.Algorithm]
) -> list[DkimKey]:
    """A key of each algorithm for each domain that has none of it."""
    made = []
    for domain in (domain for one in marketplaces for domain in sorted(one.domains)):
        there = {key.algorithm for key in await store.dkim_keys(domain)}
        for algorithm in algorithms:
            if algorithm in there:
                continue
            selector = f"{algorithm.partition('-')[0]}-{datetime.now(UTC):%Y%m}"
            key = DkimKey(domain=domain, selector=selector, algorithm=algorithm, private_der=dkim.generate(algorithm))
            await store.put_dkim_key(key)
            made.append(key)
    return made
