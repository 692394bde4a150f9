"""`relay keys`: DKIM keys, their rotation, and the records that make them known."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import click

from relay.cli import show
from relay.cli.context import CliContext, in_marketplace, with_store
from relay.cli.dns_records import DnsRecord, is_published, of_key, wanted, zone_line
from relay.core import dkim
from relay.core.dkim import KeyState
from relay.core.model.marketplace import Marketplace
from relay.edge.dns import DnsResolver
from relay.ports import DkimKey, ResolveError, Resolver, Store


@click.group()
def keys() -> None:
    """Keys that the relay signs with. The private halves never leave the store.

    A key is prepared, published, then active; when another takes its place it is replaced, stays published until what
    it signed has expired, and is retired.
    """


@keys.command("list")
@show.as_json
@with_store
async def list_keys(session: CliContext, store: Store, *, as_json: bool) -> None:
    """List the DKIM keys of all alias domains, with their states and since when."""
    found = [_described(key) async for key in _all(store, session.marketplaces)]
    show.rows(found, as_json=as_json, empty="no keys; `relay keys generate dkim` makes them")


@keys.command("generate")
@click.argument("what", type=click.Choice(["dkim"]))
@in_marketplace
@show.as_json
@with_store
async def generate(session: CliContext, store: Store, *, what: str, marketplace: str | None, as_json: bool) -> None:
    """Make the DKIM keys that `dkim.algorithms` asks for and a domain lacks; existing keys stay.

    Publish what `relay keys records` prints; the running relay signs with them within half a minute.
    """
    assert what == "dkim"
    made = await make_dkim_keys(store, [session.marketplace(marketplace)], session.config.dkim.algorithms)
    lines = [{"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in made]
    show.rows(lines, as_json=as_json, empty="every domain has its keys already")


@keys.command("records")
@show.as_json
@with_store
async def show_records(session: CliContext, store: Store, *, as_json: bool) -> None:
    """Print the DNS records to publish: MX, SPF, DKIM and DMARC of every alias domain."""
    _show_records(await wanted(store, session.marketplaces, session.config.hostname), as_json=as_json)


@keys.command("rotate")
@click.option("--prepare", is_flag=True, help="Make the next keys and print the records to publish.")
@click.option("--now", is_flag=True, help="Change over without looking whether the records are published.")
@in_marketplace
@show.as_json
@with_store
async def rotate(
    session: CliContext, store: Store, *, prepare: bool, now: bool, marketplace: str | None, as_json: bool
) -> None:
    """Change over to new DKIM keys: first with --prepare, then, once the records are published, without.

    A prepared key becomes active when its record is seen in DNS; the running relay signs with it within half a minute,
    or at once after SIGHUP. The key before it stays published until what it signed has expired (`dkim.expire_s`).
    """
    if prepare and now:
        raise click.UsageError("--prepare makes keys that nobody can know yet; --now is for the change over")
    shops = [session.marketplace(marketplace)] if marketplace else session.marketplaces
    if prepare:
        await make_dkim_keys(store, shops, session.config.dkim.algorithms, state=KeyState.PREPARED)
        _show_records([of_key(key) for key in await _prepared(store, shops)], as_json=as_json)
        return
    prepared = await _prepared(store, shops)
    if not prepared:
        raise click.ClickException("no key is prepared; begin with `relay keys rotate --prepare`")
    resolver = None if now else DnsResolver(dns=session.config.dns)
    found = [await _changed_over(store, key, resolver) for key in prepared]
    show.rows(found, as_json=as_json)
    if any(line["state"] != KeyState.ACTIVE for line in found):
        raise click.ClickException("not all are published; once they are, run this again")


@keys.command("retire")
@click.option("--selector", metavar="SELECTOR", help="This key; without it, all whose time is over.")
@click.option("--now", is_flag=True, help="With --selector: although something that it signed may still be verified.")
@in_marketplace
@show.as_json
@with_store
async def retire(
    session: CliContext, store: Store, *, selector: str | None, now: bool, marketplace: str | None, as_json: bool
) -> None:
    """Destroy replaced DKIM keys whose signatures have all expired. Their records can then be taken down."""
    shops = [session.marketplace(marketplace)] if marketplace else session.marketplaces
    here = [key async for key in _all(store, shops)]
    if selector is None:
        wanted_keys = [key for key in here if is_over(key, session.config.dkim.expire_s)]
    else:
        wanted_keys = [key for key in here if key.selector == selector and key.state.published]
        _refuse_early(wanted_keys, selector, session.config.dkim.expire_s, now=now)
    for key in wanted_keys:
        await store.dkim_keys.retire(key.domain, key.selector)
    lines = [{"domain": key.domain, "take_down": f"{key.selector}._domainkey.{key.domain}"} for key in wanted_keys]
    show.rows(lines, as_json=as_json, empty="no key's time is over")


def _refuse_early(found: Sequence[DkimKey], selector: str, expire_s: float, *, now: bool) -> None:
    if not found:
        raise click.ClickException(f'there is no key "{selector}" to retire; see `relay keys list`')
    for key in found:
        if key.state is KeyState.ACTIVE:
            raise click.ClickException(f"{selector} of {key.domain} is active; replace it with `relay keys rotate`")
        if key.state is KeyState.REPLACED and not now and not is_over(key, expire_s):
            raise click.ClickException(
                f"what {selector} of {key.domain} signed is good until it expires; --now retires it all the same"
            )


def is_over(key: DkimKey, expire_s: float) -> bool:
    """Whether a key was replaced so long ago that all its signatures have expired."""
    since = key.since if key.state is KeyState.REPLACED else None
    return since is not None and since + timedelta(seconds=expire_s) <= datetime.now(UTC)


async def _changed_over(store: Store, key: DkimKey, resolver: Resolver | None) -> dict[str, object]:
    """Makes it active where its record is seen; what has become of it."""
    record, problem = of_key(key), ""
    if resolver is not None:
        try:
            problem = "" if await is_published(resolver, record) else f"publish {zone_line(record)}"
        except ResolveError as error:
            problem = f"{record.name}: {error}"
    active = not problem and await store.dkim_keys.activate(key.domain, key.selector)
    state = KeyState.ACTIVE if active else key.state
    return {"domain": key.domain, "selector": key.selector, "state": str(state), "to_do": problem}


async def _prepared(store: Store, shops: Sequence[Marketplace]) -> list[DkimKey]:
    return [key async for key in _all(store, shops) if key.state is KeyState.PREPARED]


async def _all(store: Store, shops: Sequence[Marketplace]) -> AsyncIterator[DkimKey]:
    for domain in (domain for one in shops for domain in sorted(one.domains)):
        for key in await store.dkim_keys.of_domain(domain):
            yield key


def _described(key: DkimKey) -> dict[str, object]:
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": str(key.state),
        "since": key.since,
    }


def _show_records(records: Sequence[DnsRecord], *, as_json: bool) -> None:
    if as_json:
        show.rows([{"name": one.name, "type": one.type, "value": one.value} for one in records], as_json=True)
    else:
        click.echo("\n".join(map(zone_line, records)))


async def make_dkim_keys(
    store: Store,
    marketplaces: Sequence[Marketplace],
    algorithms: Sequence[dkim.Algorithm],
    *,
    state: KeyState = KeyState.ACTIVE,
) -> list[DkimKey]:
    """A key of each algorithm for each domain that has none of it in that state."""
    made = []
    for domain in (domain for one in marketplaces for domain in sorted(one.domains)):
        there = await store.dkim_keys.of_domain(domain)
        for algorithm in algorithms:
            if any((key.algorithm, key.state) == (algorithm, state) for key in there):
                continue
            selector = _free_selector(algorithm, {key.selector for key in there})
            der = dkim.generate(algorithm)
            key = DkimKey(domain=domain, selector=selector, algorithm=algorithm, private_der=der, state=state)
            await store.dkim_keys.put(key)
            made.append(key)
    return made


def _free_selector(algorithm: str, taken: set[str]) -> str:
    """Named by the month; a second one of that month gets a number."""
    name = f"{algorithm.partition('-')[0]}-{datetime.now(UTC):%Y%m}"
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
