"""The limits on notices to one party.

The same notice is not repeated at once (R-SND-02, R-POL-11), and there are at most so many an hour (R-OUT-07).
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from relay.core.model import days
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action
from relay.ports import NoticeLog, NoticeSent, SenderStore, Store
from relay.steps.outcomes import Judgement
from relay.steps.quota import QUOTAS
from relay.steps.services import NoticeQuota

PENDING: Final = "pending"
"""The topic of unlisted senders that wait for a decision."""
_PARTIES: Final = 10_000


def topic(judgement: Judgement, now: datetime) -> NoticeSent | None:
    """Returns the key under which a notice is suppressed, None if it is sent every time.

    Suppressed are pending senders (a digest names those that follow, R-SND-02), exhausted quotas (per staff address;
    pair and buyer quotas per recipient, R-POL-11) and repeated warnings, except those of misused marks (R-POL-06).
    """
    facts, writer, verdict = judgement.facts, judgement.writer, judgement.verdict
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


async def was_just_told(
    notice_log: NoticeLog, senders: SenderStore, digest_s: float, told: NoticeSent, judgement: Judgement
) -> bool:
    """Whether the notice can be left out, because the party has got it a short while ago.

    A notice of a quota counts for the rest of its day. A notice of a pending sender also counts while other mail of
    this sender waits, or when the next digest will name the sender. The clock may have jumped since the last notice.
    """
    told_at = await notice_log.last_at(told.party_id, told.topic)
    if told_at is None:
        return False
    code, sender = judgement.verdict.main_reason.code, judgement.writer.sender
    if code is ReasonCode.SENDER_PENDING:
        waiting = await senders.pending(told.party_id)
        own = sender.id if sender else ""
        if any(one.since > told_at or (one.held and one.sender.id == own) for one in waiting):
            return True
    if code in QUOTAS:
        policy = judgement.recipient.policy
        return days.day_of(told_at, policy) == days.day_of(told.at, policy)
    return abs(told.at - told_at) < timedelta(seconds=digest_s)


class StoredNoticeQuota:
    """Implements `NoticeQuota`: notices above the hourly limit are due in the next hour.

    The store counts committed notices, so that the limit holds after restarts and across nodes; this object counts
    those not committed yet.
    """

    def __init__(self, store: Store, per_hour: int) -> None:
        self._store = store
        self._gap = timedelta(hours=1)
        self._per_hour = per_hour
        self._reserved: dict[str, list[datetime]] = {}

    async def next_free(self, party_id: str, now: datetime) -> datetime:
        since = now - self._gap
        stored = await self._store.notice_log.due_since(party_id, since)
        reserved = [at for at in self._reserved.get(party_id, ()) if at > since]
        due = sorted((Counter(stored) | Counter(reserved)).elements())
        at = now if len(due) < self._per_hour else max(now, due[-self._per_hour] + self._gap)
        if len(self._reserved) >= _PARTIES:
            self._reserved.clear()
        self._reserved[party_id] = [*reserved, at]
        return at

    def release(self, party_id: str, due_at: datetime) -> None:
        reserved = self._reserved.get(party_id, [])
        if due_at in reserved:
            reserved.remove(due_at)


@dataclass(slots=True)
class ReservedSlots:
    """The slots of the notices of one transaction.

    As a context manager it releases them when the transaction fails; a transaction that was overtaken runs again, and
    reserves again.
    """

    quota: NoticeQuota
    _slots: list[tuple[str, datetime]] = field(default_factory=list)

    async def next_free(self, party_id: str, now: datetime) -> datetime:
        due_at = await self.quota.next_free(party_id, now)
        self._slots.append((party_id, due_at))
        return due_at

    def release(self) -> None:
        while self._slots:
            self.quota.release(*self._slots.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error_type is not None:
            self.release()
