"""Limits the automatic replies per pair, author and day (R-POL-14), because two programs could reply for ever.

`core.policy.automation` says which mail is an automatic reply. Bulk mail is not limited here, because it is no reply;
the buyer's opt-out governs bulk mail. Neither counts as an answer (`kinds.answers`), and mail that is marked as
automatic never gets a notice (`decide`).
"""

from collections.abc import Iterator

from relay.core.mail.head import Automatic
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if case.automatic is Automatic.REPLY and case.facts.auto_replies_today >= case.policy.limits.auto_replies_per_day:
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.AUTO_REPLY_REPEATED),))


RULE = MessageRule(
    stage=Stage.FORM,
    rank=10,
    reasons=(ReasonCode.AUTO_REPLY_REPEATED,),
    settings=("limits.auto_replies_per_day", "limits.instant_reply_s", "limits.repeated_text_bytes"),
    judge=judge,
)
