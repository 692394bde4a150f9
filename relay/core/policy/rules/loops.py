"""Returns mail in a loop (R-OUT-08): mail that the relay itself sent, or that has passed too many servers."""

from collections.abc import Iterator

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    own = case.facts.marketplace.domains
    if case.facts.is_own_from or any(mark.rpartition("@")[2].lower() in own for mark in case.head.own_marks):
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.LOOP),))
    elif case.head.hops > case.policy.limits.hop_limit:  # RFC 5321 §6.3
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.LOOP, values=(("hops", str(case.head.hops)),)),))


RULE = MessageRule(
    stage=Stage.TRANSPORT, rank=10, reasons=(ReasonCode.LOOP,), settings=("limits.hop_limit",), judge=judge
)
