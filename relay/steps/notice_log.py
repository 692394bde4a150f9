"""What is not said again at once: who was told of what, and when (R-SND-02, R-POL-11)."""

from datetime import datetime, timedelta
from typing import Final

from relay.core.identify import Writer
from relay.core.model import days
from relay.core.model.facts import Facts
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.ports import NoticeSent
from relay.steps.judgement import QUOTAS
from relay.steps.services import Services

PENDING: Final = "pending"
"""The topic of unlisted senders that wait."""


def topic(facts: Facts, writer: Writer, verdict: Verdict, now: datetime) -> NoticeSent | None:
    """What is not said again of the next message: an unlisted sender (a digest names those that follow, R-SND-02); to
    one of several staff, a used-up quota, of each recipient where it is that one's (R-POL-11), and the same warnings.
    None for what is said of each, misused marks among it (R-POL-06)."""
    code = verdict.main_reason.code
    if code is ReasonCode.SENDER_PENDING:
        words = [PENDING]
    elif code in QUOTAS or verdict.action is Action.RELAY:
        warned = {reason.code for reason in verdict.warnings if verdict.action is Action.RELAY}
        if ReasonCode.BYPASS_MISUSED in warned:
            return None
        words = [" ".join(sorted(warned)) or code, facts.pair.id if code in QUOTAS - {ReasonCode.QUOTA_SELLER} else ""]
        words.append(writer.sender.id if writer.sender else "")
    else:
        return None
    return NoticeSent(party_id=facts.pair.side(writer.role).party.id, topic=" ".join(filter(None, words)), at=now)


async def was_just_told(services: Services, told: NoticeSent, facts: Facts, writer: Writer, verdict: Verdict) -> bool:
    """Whether it was told a short while ago; of a quota, whether on the same day; of a sender, whether more of his mail
    waits, or the next digest will name him beside others. A clock may have jumped meanwhile."""
    told_at = await services.store.told_at(told.party_id, told.topic)
    if told_at is None:
        return False
    if verdict.main_reason.code is ReasonCode.SENDER_PENDING:
        waiting = await services.store.pending(told.party_id)
        own = writer.sender.id if writer.sender else ""
        if any(one.since > told_at or (one.held and one.sender.id == own) for one in waiting):
            return True
    if verdict.main_reason.code in QUOTAS:
        policy = facts.marketplace.policy_at(told.at)
        return days.day_of(told_at, policy) == days.day_of(told.at, policy)
    return abs(told.at - told_at) < timedelta(seconds=services.settings.digest_s)
