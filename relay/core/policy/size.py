"""Size (R-IN-06): the edge refuses what is above its own limit; a marketplace may have set a smaller one."""

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def judge(case: Case) -> Finding | None:
    if len(case.incoming.content) <= case.policy.limits.message_bytes:
        return None
    return Finding(Action.RETURN, (Reason(code=ReasonCode.TOO_BIG, rule="R-IN-06"),))
