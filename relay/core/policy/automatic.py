"""Automatic replies (R-POL-14): one per pair, author and day says all there is to say; more is two machines talking.

Bulk mail is not limited here: it answers nothing, so it cannot ping-pong, and the buyer's opt-out governs it. That
automatic mail never counts as an answer stands in `optout`, that it never gets a notice in `decide`.
"""

from relay.core.mail.head import Automatic
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding


def judge(case: Case) -> Finding | None:
    if case.automatic is not Automatic.REPLY or case.facts.auto_replies_today < case.policy.limits.auto_replies_per_day:
        return None
    return Finding(Action.RETURN, (Reason(code=ReasonCode.AUTO_REPLY_REPEATED, rule="R-POL-14"),))
