"""Threads close after a time without mail (R-POL-18). A thread that has had no mail yet is open."""

from datetime import timedelta

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def judge(case: Case) -> Finding | None:
    close_s, last_at = case.policy.threads.close_s, case.facts.thread_last_at
    if not close_s or last_at is None or case.now - last_at <= timedelta(seconds=close_s):
        return None
    days = (("days", str(close_s // 86_400)),)
    return Finding(Action.RETURN, (Reason(code=ReasonCode.THREAD_CLOSED, rule="R-POL-18", values=days),))
