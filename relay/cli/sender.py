"""`relay sender`: who may write for a party (R-SND-01, R-SND-03)."""

import click

from relay.cli import show
from relay.cli.context import (
    CliContext,
    SenderAddress,
    in_marketplace,
    known_party,
    login_option,
    ref_option,
    reveal,
    role_option,
    with_store,
)
from relay.core.model.party import Role
from relay.core.model.sender import Sender, SenderState
from relay.ports import Store

_FLIPS = {
    "approve": (SenderState.APPROVED, "Let addresses write; mail that was held for them is released."),
    "block": (SenderState.BLOCKED, "Refuse addresses; mail that was held for them is returned."),
    "retire": (SenderState.RETIRED, "Take addresses off the list and keep their history."),
}


@click.group()
def sender() -> None:
    """The list of addresses and whole domains that may write for a party."""


@sender.command("add")
@in_marketplace
@role_option
@ref_option
@click.argument("address", type=SenderAddress())
@click.option("--label", default="", help="Who or what this is: a name, a department, a system.")
@login_option
@click.option("--shared", is_flag=True, help="Several people write from it.")
@show.as_json
@with_store
async def add(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    role: str,
    ref: str,
    address: str,
    label: str,
    by: str,
    shared: bool,
    as_json: bool,
) -> None:
    """Put ADDRESS (or @DOMAIN, for everyone there) on a party's list, approved."""
    session.check_foreign("ADDRESS", address)
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    put = await store.put_sender(party.id, address, SenderState.APPROVED, label=label, added_by=by, shared=shared)
    show.one(_described(put, reveal=False), as_json=as_json)


@sender.command("list")
@in_marketplace
@role_option
@ref_option
@reveal
@show.as_json
@with_store
async def list_senders(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, reveal: bool, as_json: bool
) -> None:
    """List who may write for a party."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    found = await store.senders(party.id)
    show.rows([_described(one, reveal=reveal) for one in found], as_json=as_json, empty="nobody is listed")


@sender.command("pending")
@in_marketplace
@role_option
@ref_option
@reveal
@show.as_json
@with_store
async def list_pending(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, reveal: bool, as_json: bool
) -> None:
    """List the unlisted senders that wait for the account's word, and how much mail waits with each."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    lines = [
        {"since": one.since, "held": one.held, **_described(one.sender, reveal=reveal)}
        for one in await store.pending(party.id)
    ]
    show.rows(lines, as_json=as_json, empty="nobody waits")


def _flip_verb(name: str, state: SenderState, summary: str) -> None:
    @sender.command(name, help=f"{summary} They must be on the party's list.")
    @in_marketplace
    @role_option
    @ref_option
    @click.argument("addresses", metavar="ADDRESS...", type=SenderAddress(), nargs=-1, required=True)
    @login_option
    @show.as_json
    @with_store
    async def flip(
        session: CliContext,
        store: Store,
        *,
        marketplace: str | None,
        role: str,
        ref: str,
        addresses: tuple[str, ...],
        by: str,
        as_json: bool,
    ) -> None:
        if state is SenderState.APPROVED:
            session.check_foreign("ADDRESS", *addresses)
        party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
        try:
            flipped = await store.flip_senders(party.id, addresses, state, by=by)
        except ValueError:
            said = f'{role} "{ref}" does not list each of these addresses, so none was changed; `relay sender add` does'
            raise click.ClickException(said) from None
        show.rows([_described(one, reveal=False) for one in flipped], as_json=as_json)


for _name, (_state, _summary) in _FLIPS.items():
    _flip_verb(_name, _state, _summary)


def _described(found: Sender, *, reveal: bool) -> show.Row:
    described: dict[str, object] = {
        "id": found.id,
        "state": str(found.state),
        "scope": "domain" if found.is_domain else "address",
        "shared": found.shared,
        "label": found.label,
        "added_by": found.added_by,
    }
    if reveal:
        described["address"] = found.address
    return described
