"""Returns read receipts and delivery receipts of both sides (R-REW-07): they tell when and where a mail was read.

The writer gets no notice, because a program wrote the receipt. The event of the message has the reason.
"""

from collections.abc import Iterator

from relay.core.mail.head import is_receipt
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if is_receipt(case.root):
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.RECEIPT),))


RULE = MessageRule(stage=Stage.FORM, rank=5, reasons=(ReasonCode.RECEIPT,), judge=judge)
