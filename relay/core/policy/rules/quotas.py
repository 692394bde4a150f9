"""Limits seller mail that is neither an answer nor critical (R-POL-11).

There is a limit per seller, per pair, and per buyer over all sellers. Mail above a limit waits for the next day that is
not full, and is then sent without a further decision. Bulk mail is counted; automatic replies are not counted, because
they have a limit of their own (`automatic`). `remaining` leaves out the limit per buyer, because it would reveal how
much mail other sellers write to that buyer.
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
    """Yields at most one finding about a message that no rule has returned.

    A mark of importance by which the message passes a full quota counts as used (`Finding.bypass`).
    """
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
        # The message is counted, so that a new address does not evade the limit. The state of the quotas is not shown,
        # because the writer may be a stranger.
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
    """Returns the messages per day for each scope, for a seller with a misuse score (R-POL-06); 0 means no limit."""
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
    """Returns the midnight at which the next day that is not full begins.

    Mail that is held for a later day already counts for that day. If all days in `Facts.coming` are full, the last of
    these days is taken.
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
