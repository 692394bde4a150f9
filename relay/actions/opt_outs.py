"""Opt-outs: the wish of a buyer to get no unsolicited mail of sellers (R-POL-02)."""

from relay.actions import audit
from relay.actions.actor import Actor, InvalidValueError, Right
from relay.actions.context import ActionContext
from relay.core.model.kind import NEVER_STOPPED, Kind
from relay.core.model.optout import OptOut
from relay.core.model.party import Party, Role
from relay.ports.audit import AuditAction


async def put(
    actor: Actor, context: ActionContext, buyer: Party, seller_id: str | None, kind: Kind | None, *, out: bool
) -> None:
    """Sets the buyer's opt-out of exactly this scope if `out` is True, and lifts it otherwise.

    The scope is the mail of one seller (all sellers if `seller_id` is None) and of one kind (any kind if `kind` is
    None). The opt-out also applies to mail that is queued already. The staff and the buyer may do this. Raises
    InvalidValueError if the party is not a buyer, or if nobody can opt out of the kind.
    """
    actor.require(Right.SET_OPT_OUTS, buyer.id)
    if buyer.role is not Role.BUYER:
        raise InvalidValueError("buyer", "{field}: only a buyer can opt out")
    if out and kind in NEVER_STOPPED:
        raise InvalidValueError("kind", f"{{field}}: nobody can opt out of mail of the kind {kind}")
    opt_out = OptOut(
        buyer_id=buyer.id, seller_id=seller_id, kind=kind, source=actor.way.value, changed_at=context.clock.now()
    )
    await context.store.opt_outs.put(opt_out, out=out)
    entry = audit.entry(
        actor,
        context,
        AuditAction.OPT_OUT_SET if out else AuditAction.OPT_OUT_CLEARED,
        marketplace_id=buyer.marketplace_id,
        party_id=buyer.id,
        seller=seller_id or "all",
        kind=kind.value if kind else "all",
    )
    await audit.record(context, entry)
