"""The two parties: is each in good standing, is the writer registered, does he write to somebody else than himself."""

from relay.core.model.facts import Proof
from relay.core.model.party import PartyState
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def author(case: Case) -> Finding | None:
    """About the writer and his account alone: says nothing about the recipient."""
    if case.writer.role is case.facts.to:
        return _found(Action.RETURN, ReasonCode.OWN_ALIAS, "R-REW-05")
    if case.author.party.state is not PartyState.ACTIVE:
        return _found(Action.RETURN, ReasonCode.SENDER_SUSPENDED, "R-SND-07")
    if case.writer.registered:
        return None
    if case.writer.proof is Proof.NONE:
        return _found(Action.HOLD, ReasonCode.SENDER_UNPROVEN, "R-IN-09")
    return _found(Action.HOLD, ReasonCode.SENDER_PENDING, "R-SND-02")


def recipient(case: Case) -> Finding | None:
    if case.recipient.party.state is PartyState.ACTIVE and case.recipient.mailbox is not None:
        return None
    # One neutral reason for all of it: why somebody cannot be reached is his own affair.
    return _found(Action.RETURN, ReasonCode.RECIPIENT_UNAVAILABLE, "R-SND-07")


def _found(action: Action, code: ReasonCode, rule: str) -> Finding:
    return Finding(action, (Reason(code=code, rule=rule),))
