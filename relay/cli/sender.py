"""`relay sender`: who may write for a party (R-SND-01, R-SND-03)."""

import click

from relay.cli import show
from relay.cli.session import (
    SenderAddress,
    Session,
    in_marketplace,
    known_party,
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
@click.option(
    "--by",
    "added_by",
    envvar=["SUDO_USER", "USER", "LOGNAME"],
    default="command line",
    show_default="your login",
    help="Who puts it on the list.",
)
@click.option("--shared", is_flag=True, help="Several people write from it.")
@show.as_json
@with_store
async def add(
    session: Session,
    store: Store,
    *,
    marketplace: str | None,
    role: str,
    ref: str,
    address: str,
    label: str,
    added_by: str,
    shared: bool,
    as_json: bool,
) -> None:
    """Put ADDRESS (or @DOMAIN, for everyone there) on a party's list, approved."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    put = await store.put_sender(party.id, address, SenderState.APPROVED, label=label, added_by=added_by, shared=shared)
    show.one(_described(put, reveal=False), as_json=as_json)


@sender.command("list")
@in_marketplace
@role_option
@ref_option
@reveal
@show.as_json
@with_store
async def list_senders(
    session: Session, store: Store, *, marketplace: str | None, role: str, ref: str, reveal: bool, as_json: bool
) -> None:
    """List who may write for a party."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    found = await store.senders(party.id)
    show.rows([_described(one, reveal=reveal) for one in found], as_json=as_json, empty="nobody is listed")


def _flip_verb(name: str, state: SenderState, summary: str) -> None:
    @sender.command(name, help=f"{summary} They must be on the party's list.")
    @in_marketplace
    @role_option
    @ref_option
    @click.argument("addresses", metavar="ADDRESS...", type=SenderAddress(), nargs=-1, required=True)
    @show.as_json
    @with_store
    async def flip(
        session: Session,
        store: Store,
        *,
        marketplace: str | None,
        role: str,
        ref: str,
        addresses: tuple[str, ...],
        as_json: bool,
    ) -> None:
        party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
        listed = {one.address: one for one in await store.senders(party.id)}
        for address in addresses:
            if address not in listed:
                raise click.ClickException(f'{role} "{ref}" does not list that address; `relay sender add` does')
        flipped = []
        for address in addresses:
            known = listed[address]
            flipped.append(
                await store.put_sender(
                    party.id, address, state, label=known.label, added_by=known.added_by, shared=known.shared
                )
            )
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
