"""Judges the writer and the writer's account (R-SND-02, R-SND-07, R-IN-09).

The findings reveal nothing about the recipient.
"""

from collections.abc import Iterator

from relay.core.model.facts import Proof
from relay.core.model.party import PartyState
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Finding, HeaderCase
from relay.core.policy.rule import HeaderRule, Stage


def judge(case: HeaderCase) -> Iterator[Finding]:
    if case.author.party.state is not PartyState.ACTIVE:
        yield _found(Action.RETURN, ReasonCode.SENDER_SUSPENDED)
    elif not case.writer.registered:
        is_unproven = case.writer.proof is Proof.NONE
        yield _found(Action.HOLD, ReasonCode.SENDER_UNPROVEN if is_unproven else ReasonCode.SENDER_PENDING)


def _found(action: Action, code: ReasonCode) -> Finding:
    return Finding(action, (Reason(code=code),))


RULE = HeaderRule(
    stage=Stage.AUTHOR,
    rank=10,
    reasons=(
        ReasonCode.SENDER_SUSPENDED,
        ReasonCode.SENDER_UNPROVEN,
        ReasonCode.SENDER_PENDING,
    ),
    judge=judge,
)
