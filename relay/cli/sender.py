"""Defines `relay sender`, for the addresses and domains that may write for a party (R-SND-01, R-SND-03)."""

import click

from relay.actions import senders
from relay.actions.actor import NotFoundError
from relay.cli import show
from relay.cli.context import (
    CliContext,
    SenderAddress,
    by_option,
    in_marketplace,
    known_party,
    ref_option,
    reveal,
    role_option,
    with_store,
)
from relay.core import redact
from relay.core.model.party import Role
from relay.core.model.sender import Sender, SenderState
from relay.ports import Store

_DECISIONS = {
    "approve": (SenderState.APPROVED, "Approve addresses: they may write, and mail that is held for them is released."),
    "block": (
        SenderState.BLOCKED,
        "Block addresses: their mail is refused, and mail that is held for them is returned.",
    ),
    "retire": (SenderState.RETIRED, "Retire addresses: they may not write any more. Their history is kept."),
}


@click.group()
def sender() -> None:
    """Addresses that may write for a party. An entry can be a whole domain, written as @DOMAIN."""


@sender.command("add")
@in_marketplace
@role_option
@ref_option
@click.argument("address", type=SenderAddress())
@click.option("--label", default="", help="A name for it: a person, a department, a system.")
@by_option
@click.option("--shared", is_flag=True, help="Say that several people write from it.")
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
    shared: bool,
    as_json: bool,
) -> None:
    """Put ADDRESS (or @DOMAIN, for all its addresses) on a party's list as approved."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    put = await senders.add(session.actor, session.actions(store), party, address, label=label, shared=shared)
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
    """List the addresses and domains that may write for a party.

    Without --reveal most of each local part is hidden: s…o@pottery.example.
    """
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    if reveal:
        found = await senders.read(session.actor, session.actions(store), party, session.grounds)
    else:
        found = await store.senders.of_party(party.id)
    show.rows([_described(one, reveal=reveal) for one in found], as_json=as_json, empty="nothing is listed")


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
    """List the new senders that wait for the party's decision, each with the number of its held mails.

    Without --reveal most of each local part is hidden: s…o@pottery.example.
    """
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    if reveal:
        found = await senders.read_pending(session.actor, session.actions(store), party, session.grounds)
    else:
        found = await store.senders.pending(party.id)
    lines = [{"since": one.since, "held": one.held, **_described(one.sender, reveal=reveal)} for one in found]
    show.rows(lines, as_json=as_json, empty="no sender waits")


@sender.command("confirm-domain")
@in_marketplace
@role_option
@ref_option
@click.argument("domain")
@click.option("--undo", is_flag=True, help="Take a confirmation back.")
@by_option
@show.as_json
@with_store
async def confirm_domain(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    role: str,
    ref: str,
    domain: str,
    undo: bool,
    as_json: bool,
) -> None:
    """Confirm DOMAIN (d= of DKIM) as a signer of a party's mail.

    A signature of a confirmed domain also proves mail whose signed header does not name the recipient. This is needed
    if nothing but the signature proves the writer, and the signer does not sign To and Cc. Mail that waits only for
    this confirmation is released.
    """
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    changed = await senders.confirm_domain(session.actor, session.actions(store), party, domain, confirmed=not undo)
    show.one({"confirmed": not undo, "changed": changed}, as_json=as_json)


@sender.command("domains")
@in_marketplace
@role_option
@ref_option
@reveal
@show.as_json
@with_store
async def list_domains(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, reveal: bool, as_json: bool
) -> None:
    """List the signing domains that a party has confirmed, or count them."""
    party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    if not reveal:
        show.one({"confirmed": len(await store.senders.confirmed_domains(party.id))}, as_json=as_json)
        return
    found = await senders.read_confirmed_domains(session.actor, session.actions(store), party, session.grounds)
    show.rows([{"domain": one} for one in found], as_json=as_json, empty="no signing domain is confirmed")


def _decision_verb(name: str, state: SenderState, summary: str) -> None:
    @sender.command(name, help=f"{summary} They must be on the party's list.")
    @in_marketplace
    @role_option
    @ref_option
    @click.argument("addresses", metavar="ADDRESS...", type=SenderAddress(), nargs=-1, required=True)
    @by_option
    @show.as_json
    @with_store
    async def decide(
        session: CliContext,
        store: Store,
        *,
        marketplace: str | None,
        role: str,
        ref: str,
        addresses: tuple[str, ...],
        as_json: bool,
    ) -> None:
        party = await known_party(store, session.marketplace(marketplace), Role(role), ref)
        try:
            decided = await senders.decide(session.actor, session.actions(store), party, addresses, state)
        except NotFoundError as error:
            raise click.ClickException(f"{error}; `relay sender add` puts one on the list") from error
        show.rows([_described(one, reveal=False) for one in decided], as_json=as_json)


for _name, (_state, _summary) in _DECISIONS.items():
    _decision_verb(_name, _state, _summary)


def _described(found: Sender, *, reveal: bool) -> show.Row:
    return {
        "id": found.id,
        "address": found.address if reveal else redact.masked(found.address),
        "state": str(found.state),
        "scope": "domain" if found.is_domain else "address",
        "shared": found.shared,
        "label": found.label,
        "added_by": found.added_by,
    }
