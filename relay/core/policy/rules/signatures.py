"""Returns mail with a key or signature that names its owner if the setting `signatures` is "return" (R-REW-06)."""

from collections.abc import Iterator

from relay.core.mail.key_material import names_owner
from relay.core.model.marketplace import Naming
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    returns = case.facts.marketplace.signatures is Naming.RETURN
    if returns and names_owner(case.incoming.content, case.root):
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.SIGNATURE_NAMES_OWNER),))


RULE = MessageRule(stage=Stage.FORM, rank=20, reasons=(ReasonCode.SIGNATURE_NAMES_OWNER,), judge=judge)
