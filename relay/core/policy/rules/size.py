"""Returns mail that is bigger than the marketplace allows (R-IN-06); the SMTP server has a limit of its own."""

from collections.abc import Iterator

from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if len(case.incoming.content) > case.policy.limits.message_bytes:
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.TOO_BIG),))


RULE = MessageRule(
    stage=Stage.TRANSPORT, rank=20, reasons=(ReasonCode.TOO_BIG,), settings=("limits.message_bytes",), judge=judge
)
