"""Defines `relay response`, which shows how long buyers' questions wait for a seller's answer (R-REC-08)."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from relay.cli import show
from relay.cli.context import CliContext, in_marketplace, known_party, with_store
from relay.core.model.party import Role
from relay.core.response import WINDOWS_DAYS, figures, questions
from relay.ports import Store

_BEFORE = timedelta(days=90)
"""The time before the longest window for which messages are read too.

A question that is answered in the window may have been asked before its beginning.
"""


@click.command()
@in_marketplace
@click.argument("seller", metavar="SELLER")
@show.as_json
@with_store
async def response(session: CliContext, store: Store, *, marketplace: str | None, seller: str, as_json: bool) -> None:
    """Show how fast a seller answers. The figures are for 7, 30 and 90 days; questions that still wait are listed.

    Messages that need no reply are left out; `relay message no-reply-needed` marks them.
    """
    shop, now = session.marketplace(marketplace), datetime.now(UTC)
    party = await known_party(store, shop, Role.SELLER, seller)
    policy = shop.policy_at(now)
    turns = await store.threads.turns(party.id, now - timedelta(days=max(WINDOWS_DAYS)) - _BEFORE)
    over: list[show.Row] = [{"days": days, **asdict(one)} for days, one in figures(turns, policy, now).items()]
    waiting: list[show.Row] = [
        {"message": one.message_id, "asked_at": one.asked_at, "waited_s": one.waited_s, "late": one.late}
        for one in sorted(questions(turns, policy, now), key=lambda one: one.asked_at)
        if one.answered_at is None
    ]
    if as_json:
        show.one({"figures": over, "waiting": waiting}, as_json=True)
        return
    show.rows(over, as_json=False)
    click.echo()
    show.rows(waiting, as_json=False, empty="no question waits")
