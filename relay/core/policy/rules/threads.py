"""Returns mail in a thread that had no mail for too long (R-POL-18). A thread without any mail yet is open."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Finding, HeaderCase
from relay.core.policy.rule import HeaderRule, Stage
from relay.core.policy.rules import fulfilment


def judge(case: HeaderCase) -> Iterator[Finding]:
    if is_closed(case.facts.thread_last_at, case.policy, case.now) and not fulfilment.goes_to_operator(case):
        days = (("days", str(case.policy.threads.close_s // 86_400)),)
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.THREAD_CLOSED, values=days),))


def is_closed(last_at: datetime | None, policy: Policy, now: datetime) -> bool:
    """Returns whether a thread is closed; `last_at` is the time of its last mail, None for a thread without mail."""
    close_s = policy.threads.close_s
    return bool(close_s) and last_at is not None and now - last_at > timedelta(seconds=close_s)


RULE = HeaderRule(
    stage=Stage.PARTIES, rank=30, reasons=(ReasonCode.THREAD_CLOSED,), settings=("threads.close_s",), judge=judge
)
