"""Quotas of seller mail that is neither an answer nor critical: per seller, per pair, and per buyer over all sellers
(R-POL-11). What is over waits by itself for the next day with room.

An automatic reply has a limit of its own (`automatic`), so it is not counted; bulk mail is. `remaining` says nothing of
the buyer's own limit: it would tell how much others write to him.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from relay.core.mail.head import Automatic
from relay.core.model import days
from relay.core.model.facts import Proof, Usage
from relay.core.model.policy import Policy, Quotas
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy import hours
from relay.core.policy.bypass import Exemption, per_day
from relay.core.policy.case import Case, Finding


def judge(case: Case, exemption: Exemption) -> Finding | None:
    """For a message that nothing has returned. A mark that carries it over a full quota is used up by that."""
    if (
        not case.by_seller
        or exemption.is_answer
        or case.automatic is Automatic.REPLY
        or case.writer.proof is Proof.NONE
    ):
        return None
    if not case.writer.registered:
        # Counted, so that a new address is no way round; how full the quotas are is for registered writers to hear.
        return Finding(Action.RELAY, counted=not exemption.is_marked, bypass=exemption.is_marked)
    over = tuple(_over(case))
    if exemption.is_marked:
        return Finding(Action.RELAY, exemption.reasons, remaining=_remaining(case, 0), bypass=True) if over else None
    if over:
        reset_at = _reset_at(case)
        return Finding(
            Action.HOLD,
            over,
            not_before=hours.awake(case.facts.pair.buyer.party.settings, case.policy.hours, reset_at),
            disclosed_until=reset_at,
            counted=True,
            remaining=0,
        )
    return Finding(Action.RELAY, counted=True, remaining=_remaining(case, 1))


def limits(policy: Policy, score: int) -> Mapping[str, int]:
    """The most of a day by scope, for a seller with that score (R-POL-06); 0 for any number."""
    return {
        "seller": policy.quotas.seller_per_day,
        "pair": policy.quotas.pair_per_day,
        "buyer": policy.quotas.buyer_per_day,
        "bypass": per_day(policy.bypass, score),
    }


def are_full(quotas: Quotas, usage: Usage) -> bool:
    return any(_full(quotas, usage))


def _full(quotas: Quotas, usage: Usage) -> Iterator[tuple[ReasonCode, int]]:
    counters = (
        (ReasonCode.QUOTA_SELLER, usage.seller, quotas.seller_per_day),
        (ReasonCode.QUOTA_PAIR, usage.pair, quotas.pair_per_day),
        (ReasonCode.QUOTA_BUYER, usage.buyer, quotas.buyer_per_day),
    )
    return ((code, limit) for code, used, limit in counters if limit and used >= limit)


def _over(case: Case) -> Iterator[Reason]:
    for code, limit in _full(case.policy.quotas, case.facts.usage):
        values = (("limit", str(limit)), ("reset", _reset_at(case).isoformat()))
        yield Reason(code=code, rule="R-POL-11", values=values)


def _reset_at(case: Case) -> datetime:
    """The beginning of the first day with room: what others wait for takes its place there. Beyond the days that are
    looked at there is none better than the last."""
    ahead = next(
        (day for day, usage in enumerate(case.facts.coming) if not are_full(case.policy.quotas, usage)),
        max(len(case.facts.coming) - 1, 0),
    )
    return days.reset_at(case.now + timedelta(days=ahead), case.policy)


def _remaining(case: Case, this: int) -> int | None:
    quotas, usage = case.policy.quotas, case.facts.usage
    counters = ((quotas.seller_per_day, usage.seller), (quotas.pair_per_day, usage.pair))
    return min((max(limit - used - this, 0) for limit, used in counters if limit), default=None)
