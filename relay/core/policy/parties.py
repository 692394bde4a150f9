"""The two parties: is each in good standing, is the writer registered, does he write to somebody else than himself.

The order keeps secrets: who is not registered for the author hears nothing about the recipient.
"""

from relay.core.model.party import PartyState
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.facts import Proof


def judge(case: Case) -> Finding | None:
    if case.writer.role is case.facts.to:
        return _found(Action.RETURN, ReasonCode.OWN_ALIAS, "R-REW-05")
    if case.author.party.state is not PartyState.ACTIVE:
        return _found(Action.RETURN, ReasonCode.SENDER_SUSPENDED, "R-SND-07")
    if not case.writer.registered:
        if case.writer.proof is Proof.NONE:
            return _found(Action.HOLD, ReasonCode.SENDER_UNPROVEN, "R-IN-09")
        return _found(Action.HOLD, ReasonCode.SENDER_PENDING, "R-SND-02")
    if case.recipient.party.state is not PartyState.ACTIVE or case.recipient.mailbox is None:
        # One neutral reason for all of it: why somebody cannot be reached is his own affair.
        return _found(Action.RETURN, ReasonCode.RECIPIENT_UNAVAILABLE, "R-SND-07")
    return None


def _found(action: Action, code: ReasonCode, rule: str) -> Finding:
    return Finding(action, (Reason(code=code, rule=rule),))
