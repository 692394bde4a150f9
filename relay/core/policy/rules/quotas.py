"""Limits seller mail that is neither an answer nor critical (R-POL-11).

There is a limit per seller, per pair, and per buyer over all sellers. Mail over a limit waits for the next day with
room and then leaves without further action. Automatic replies have a limit of their own (`automatic`), so they are not
counted; bulk mail is. `remaining` leaves the buyer's own limit out: it would tell how much others write to that buyer.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from relay.core.mail.head import Automatic
from relay.core.model import days
from relay.core.model.facts import Proof, QuotaScope, Usage
from relay.core.model.policy import Policy, Quotas
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.bypass import per_day
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage
from relay.core.policy.rules import hours


def judge(case: Case) -> Iterator[Finding]:
    """For a message that nothing has returned. A mark that lifts a full quota is used up."""
    exemption = case.exemption
    if (
        not case.by_seller
        or exemption.is_answer
        or case.automatic is Automatic.REPLY
        or case.writer.proof is Proof.NONE
    ):
        return
    over = tuple(_over(case)) if case.writer.registered else ()
    if not case.writer.registered:
        # Counted, so that a new address does not evade the limit. How full the quotas are is not for a stranger.
        yield Finding(Action.RELAY, counted=not exemption.is_marked, bypass=exemption.is_marked)
    elif over and exemption.is_marked:
        yield Finding(Action.RELAY, exemption.reasons, remaining=_remaining(case, 0), bypass=True)
    elif over:
        leaves_at = reset_at(case)
        yield Finding(
            Action.HOLD,
            over,
            not_before=hours.awake(case.facts.pair.buyer.party.settings, case.policy.hours, leaves_at),
            disclosed_until=leaves_at,
            counted=True,
            remaining=0,
        )
    elif not exemption.is_marked:
        yield Finding(Action.RELAY, counted=True, remaining=_remaining(case, 1))


def limits(policy: Policy, score: int) -> Mapping[QuotaScope, int]:
    """Messages per day by scope, for a seller with that score (R-POL-06); 0 means no limit."""
    return {
        QuotaScope.SELLER: policy.quotas.seller_per_day,
        QuotaScope.PAIR: policy.quotas.pair_per_day,
        QuotaScope.BUYER: policy.quotas.buyer_per_day,
        QuotaScope.BYPASS: per_day(policy.bypass, score),
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
        values = (("limit", str(limit)), ("reset", reset_at(case).isoformat()))
        yield Reason(code=code, values=values)


def reset_at(case: Case) -> datetime:
    """Returns midnight of the first day with room.

    Mail that is held for a day already counts for it. Without room on any of the days in `Facts.coming`, the last of
    them.
    """
    ahead = next(
        (day for day, usage in enumerate(case.facts.coming) if not are_full(case.policy.quotas, usage)),
        max(len(case.facts.coming) - 1, 0),
    )
    return days.reset_at(case.now + timedelta(days=ahead), case.policy)


def _remaining(case: Case, this: int) -> int | None:
    quotas, usage = case.policy.quotas, case.facts.usage
    counters = ((quotas.seller_per_day, usage.seller), (quotas.pair_per_day, usage.pair))
    return min((max(limit - used - this, 0) for limit, used in counters if limit), default=None)


RULE = MessageRule(
    stage=Stage.QUOTA,
    rank=10,
    reasons=(ReasonCode.QUOTA_SELLER, ReasonCode.QUOTA_PAIR, ReasonCode.QUOTA_BUYER),
    settings=("quotas",),
    judge=judge,
)
