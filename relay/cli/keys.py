"""Defines `relay keys`: DKIM keys, their rotation and their DNS records, and the rotation of the master key."""

from collections.abc import Sequence

import click

from relay.actions import keys as actions
from relay.actions import master_keys
from relay.actions.actor import NotFoundError
from relay.actions.dns_records import DnsRecord, of_key, wanted, zone_line
from relay.cli import show
from relay.cli.context import CliContext, by_option, in_marketplace, with_store
from relay.core.dkim import KeyState
from relay.edge.dns import DnsResolver
from relay.ports import DkimKey, Store

_what = click.argument("what", type=click.Choice(["dkim", "master"]), default="dkim")


@click.group()
def keys() -> None:
    """DKIM keys, with which the relay signs mail, and the master key. Private DKIM keys never leave the store.

    A DKIM key is prepared, its DNS record is published, and then it becomes active. When the next key becomes active,
    the old key is replaced: its DNS record stays published until its signatures have expired, and then the key is
    retired.

    The master key encrypts all other keys. `rotate master` replaces it while the relay runs, and `retire master`
    removes former master keys from the key file.
    """


@keys.command("list")
@_what
@show.as_json
@with_store
async def list_keys(session: CliContext, store: Store, *, what: str, as_json: bool) -> None:
    """List the DKIM keys of all alias domains, or the master keys.

    Each key is listed with its state and the time since which it has this state.
    """
    if what == "master":
        show.rows(await _master_rows(store), as_json=as_json)
        return
    found = [_described(key) async for key in actions.all_keys(session.actions(store), session.marketplaces)]
    show.rows(found, as_json=as_json, empty="no keys; `relay keys generate dkim` makes them")


@keys.command("generate")
@click.argument("what", type=click.Choice(["dkim"]))
@in_marketplace
@by_option
@show.as_json
@with_store
async def generate(session: CliContext, store: Store, *, what: str, marketplace: str | None, as_json: bool) -> None:
    """Make the DKIM keys that are missing: one for each domain and each algorithm of `dkim.algorithms`.

    Publish the records that `relay keys records` prints. The running relay signs with new keys within half a minute.
    """
    assert what == "dkim"
    made = await actions.generate(
        session.actor, session.actions(store), [session.marketplace(marketplace)], session.config.dkim.algorithms
    )
    lines = [{"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in made]
    show.rows(lines, as_json=as_json, empty="every domain has its keys already")


@keys.command("records")
@show.as_json
@with_store
async def show_records(session: CliContext, store: Store, *, as_json: bool) -> None:
    """Print the DNS records to publish: MX, SPF, DKIM and DMARC of every alias domain."""
    _show_records(await wanted(store, session.marketplaces, session.config.hostname), as_json=as_json)


@keys.command("rotate")
@_what
@click.option("--prepare", is_flag=True, help="Make the next keys and print the records to publish.")
@click.option("--now", is_flag=True, help="Activate the prepared keys without looking for their records in DNS.")
@in_marketplace
@by_option
@show.as_json
@with_store
async def rotate(
    session: CliContext, store: Store, *, what: str, prepare: bool, now: bool, marketplace: str | None, as_json: bool
) -> None:
    """Replace DKIM keys: first run this with --prepare, then publish the records, then run this without --prepare.

    Without --prepare this command looks for each record in DNS and activates the keys whose record it finds (with
    --now, it does not look). The running relay signs with the activated keys within half a minute, or at once after
    SIGHUP. Keep the record of the old key published until its signatures have expired (`dkim.expire_s`).

    `rotate master` makes a new master key, and encrypts with it all that the old master key encrypted. If the command
    is interrupted, it can be repeated. The relay can run meanwhile. On several nodes, --prepare adds the new key to the
    key file first: copy the file to all nodes, run the command without --prepare, copy the file again, and run the
    command once more.
    """
    if what == "master":
        _refuse_for_master(now=now, marketplace=marketplace)
        await _rotate_master(session, store, prepare=prepare, as_json=as_json)
        return
    if prepare and now:
        raise click.UsageError("--prepare makes keys that are not published yet; --now is for activating them")
    shops = [session.marketplace(marketplace)] if marketplace else session.marketplaces
    context = session.actions(store)
    if prepare:
        prepared = await actions.prepare(session.actor, context, shops, session.config.dkim.algorithms)
        _show_records([of_key(key) for key in prepared], as_json=as_json)
        return
    resolver = None if now else DnsResolver(dns=session.config.dns)
    try:
        found = await actions.activate(session.actor, context, shops, resolver)
    except NotFoundError as error:
        raise click.ClickException(f"{error}; begin with `relay keys rotate --prepare`") from error
    lines = [
        {"domain": one.key.domain, "selector": one.key.selector, "state": str(one.state), "to_do": one.problem}
        for one in found
    ]
    show.rows(lines, as_json=as_json)
    if any(one.state is not KeyState.ACTIVE for one in found):
        raise click.ClickException("not all records are published; run this again when they are")


@keys.command("retire")
@_what
@click.option("--selector", metavar="SELECTOR", help="Only this key. Without it: all keys whose signatures expired.")
@click.option("--now", is_flag=True, help="With --selector: even if signatures of the key may still be verified.")
@in_marketplace
@by_option
@show.as_json
@with_store
async def retire(
    session: CliContext,
    store: Store,
    *,
    what: str,
    selector: str | None,
    now: bool,
    marketplace: str | None,
    as_json: bool,
) -> None:
    """Destroy replaced DKIM keys whose signatures have all expired. Their DNS records can then be removed.

    `retire master` removes former master keys from the file. Backups from before the rotation need these keys, so keep
    a copy of the file as long as you keep such a backup.
    """
    if what == "master":
        _refuse_for_master(now=now, marketplace=marketplace, selector=selector)
        removed = await master_keys.remove(session.actor, session.actions(store))
        show.rows([{"removed": key_id} for key_id in removed], as_json=as_json, empty="the file has no former key")
        return
    shops = [session.marketplace(marketplace)] if marketplace else session.marketplaces
    expire_s = session.config.dkim.expire_s
    retired = await actions.retire(
        session.actor, session.actions(store), shops, expire_s, selector=selector, at_once=now
    )
    lines = [{"domain": key.domain, "take_down": f"{key.selector}._domainkey.{key.domain}"} for key in retired]
    show.rows(lines, as_json=as_json, empty="no key is to be retired yet")


def _refuse_for_master(**options: object) -> None:
    """Raises UsageError if one of the options, which are for DKIM keys only, is set."""
    if given := [f"--{name}" for name, value in options.items() if value]:
        raise click.UsageError(f"{', '.join(given)}: for DKIM keys only; one master key serves all marketplaces")


async def _rotate_master(session: CliContext, store: Store, *, prepare: bool, as_json: bool) -> None:
    context = session.actions(store)
    is_only_node = session.config.store.startswith("sqlite:")
    if prepare or (is_only_node and not await master_keys.count_left(context)):
        await master_keys.add(session.actor, context)
    if not prepare:
        async for left in master_keys.rotate(session.actor, context):
            click.echo(f"{left} values left", err=True)
    show.rows(await _master_rows(store), as_json=as_json)


async def _master_rows(store: Store) -> list[show.Row]:
    keys = store.master_keys
    current, waiting, used = keys.ids()[0], keys.waiting(), await keys.in_use()
    states = {current: "current"} | ({waiting: "waiting"} if waiting else {})
    return [{"id": one, "state": states.get(one, "former"), "wraps": used.get(one, 0)} for one in keys.ids()]


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
