"""A seller's use of marks of importance, and the points that misused marks cost (R-POL-06)."""

from dataclasses import dataclass
from datetime import timedelta

from relay.actions import audit
from relay.actions.actor import Actor, InvalidValueError, Right
from relay.actions.context import ActionContext
from relay.core.model import days
from relay.core.model.facts import QuotaScope
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, Role
from relay.core.policy import bypass
from relay.ports import Use
from relay.ports.audit import AuditAction


@dataclass(frozen=True, slots=True, kw_only=True)
class BypassStanding:
    """The present effect of a seller's points of misuse.

    - `score` is the sum of the points. `level` is its effect: "free", "warned", "smaller quota" or "off".
    - `used_today` is the number of marks that the seller has used today.
    - `per_day` is the number of marks that the seller may use in a day, None for any number.
    """

    score: int
    level: str
    used_today: int
    per_day: int | None


async def standing(context: ActionContext, marketplace: Marketplace, seller: Party) -> BypassStanding:
    """Returns the present effect of the seller's points, by the policy in force. Raises UnavailableError."""
    now = context.clock.now()
    policy = marketplace.policy_at(now)
    rules = policy.bypass
    score = await context.store.limits.misuse_score(seller.id, now - timedelta(seconds=rules.score_s))
    day = days.day_of(now, policy).isoformat()
    (used,) = await context.store.limits.used([Use(scope=QuotaScope.BYPASS, subject_id=seller.id, day=day)])
    levels = ((rules.off_at, "off"), (rules.smaller_at, "smaller quota"), (rules.warn_at, "warned"), (0, "free"))
    return BypassStanding(
        score=score,
        level=next(level for at, level in levels if score >= at),
        used_today=used,
        per_day=0 if score >= rules.off_at else bypass.per_day(rules, score) or None,
    )


async def restore(actor: Actor, context: ActionContext, seller: Party) -> None:
    """Resets the seller's points to 0. The history of the points is kept.

    Raises InvalidValueError if the party is not a seller.
    """
    actor.require(Right.RESTORE_BYPASS)
    if seller.role is not Role.SELLER:
        raise InvalidValueError("seller", "{field}: only a seller has marks of importance")
    await context.store.limits.restore_bypass(seller.id, actor.by)
    entry = audit.entry(
        actor,
        context,
        AuditAction.BYPASS_RESTORED,
        marketplace_id=seller.marketplace_id,
        party_id=seller.id,
    )
    await audit.record(context, entry)
