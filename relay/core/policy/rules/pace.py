"""Holds the mail of a pair above a limit per hour, answers included (R-POL-14).

Two programs that answer each other may do so in forms that no other rule recognises. The operator decides on the held
mail, and gets one mail about it (`steps.staff_mail`).
"""

from collections.abc import Iterator

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    limit = case.policy.limits.pair_per_hour
    if case.writer.registered and limit and case.facts.usage.pair_hour >= limit:
        yield Finding(Action.HOLD, (Reason(code=ReasonCode.PAIR_HOUR, values=(("limit", str(limit)),)),))


RULE = MessageRule(
    stage=Stage.QUOTA,
    rank=20,
    reasons=(ReasonCode.PAIR_HOUR,),
    settings=("limits.pair_per_hour",),
    judge=judge,
)
