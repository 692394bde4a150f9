"""Loops end here (R-OUT-08): mail that the relay sent itself, and mail that has passed too many servers."""

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def judge(case: Case) -> Finding | None:
    own = case.facts.marketplace.domains
    if case.facts.is_own_from or any(mark.rpartition("@")[2].lower() in own for mark in case.head.own_marks):
        return _loop(())
    if case.head.hops > case.policy.limits.hop_limit:  # RFC 5321 §6.3
        return _loop((("hops", str(case.head.hops)),))
    return None


def _loop(values: tuple[tuple[str, str], ...]) -> Finding:
    return Finding(Action.RETURN, (Reason(code=ReasonCode.LOOP, rule="R-OUT-08", values=values),))
