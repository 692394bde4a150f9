"""Returns mail to a recipient who cannot be reached (R-SND-07).

All causes have one neutral reason, because the writer must not learn why somebody cannot be reached.
"""

from collections.abc import Iterator

from relay.core.model.party import PartyState
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Finding, HeaderCase
from relay.core.policy.rule import HeaderRule, Stage
from relay.core.policy.rules import fulfilment


def judge(case: HeaderCase) -> Iterator[Finding]:
    is_reachable = case.recipient.party.state is PartyState.ACTIVE and case.recipient.mailbox is not None
    if not is_reachable and not fulfilment.goes_to_operator(case):
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.RECIPIENT_UNAVAILABLE),), ends_stage=True)


RULE = HeaderRule(stage=Stage.PARTIES, rank=20, reasons=(ReasonCode.RECIPIENT_UNAVAILABLE,), judge=judge)
