"""Limits the mail by which a writer learns verdicts although no mail is delivered (R-POL-11).

Returned, checked and refused mail is counted for each writer and day; checks are also counted for each hour. Above the
limit, `decide` replaces the verdict until the limit is reset: a client with a login gets the SMTP reply 450, and other
mail is held.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from relay.core.model import days
from relay.core.model.facts import Facts, Proof, Usage
from relay.core.model.policy import Policy, Quotas
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if case.writer.proof is Proof.NONE:
        return
    if reason := exceeded(case.facts, case.policy, case.now):
        reset_at = datetime.fromisoformat(dict(reason.values)["reset"])
        yield Finding(Action.HOLD, (reason,), not_before=reset_at, disclosed_until=reset_at)


def exceeded(facts: Facts, policy: Policy, now: datetime) -> Reason | None:
    """Returns a reason with the limit that the writer has reached and the time of its reset, or None."""
    most, usage = policy.quotas, facts.usage
    if is_reached(most, usage):
        return _full(ReasonCode.QUOTA_RETURNED, most.returned_per_day, days.reset_at(now, policy))
    if facts.is_check and most.checks_per_hour and usage.checks >= most.checks_per_hour:
        return _full(ReasonCode.QUOTA_CHECKS, most.checks_per_hour, next_hour(now))
    return None


def is_reached(quotas: Quotas, usage: Usage) -> bool:
    """Returns whether the writer has reached the limit of verdicts per day."""
    return 0 < quotas.returned_per_day <= usage.returned


def next_hour(now: datetime) -> datetime:
    """Returns the start of the next hour, when the count of checks starts again."""
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _full(code: ReasonCode, limit: int, reset_at: datetime) -> Reason:
    return Reason(code=code, values=(("limit", str(limit)), ("reset", reset_at.isoformat())))


RULE = MessageRule(
    stage=Stage.PROBING,
    rank=10,
    reasons=(ReasonCode.QUOTA_RETURNED, ReasonCode.QUOTA_CHECKS),
    settings=("quotas.returned_per_day", "quotas.checks_per_hour"),
    judge=judge,
)
