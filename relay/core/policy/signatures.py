"""Keys and signatures that name their owner, where the marketplace returns what holds one (R-REW-06)."""

from relay.core.mail.key_material import names_owner
from relay.core.model.marketplace import Naming
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def judge(case: Case) -> Finding | None:
    if case.facts.marketplace.signatures is not Naming.RETURN or not names_owner(case.incoming.content, case.root):
        return None
    return Finding(Action.RETURN, (Reason(code=ReasonCode.SIGNATURE_NAMES_OWNER, rule="R-REW-06"),))
