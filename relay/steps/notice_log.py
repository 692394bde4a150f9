"""The limits of the notices to one party.

The same notice is not repeated within a certain time (R-POL-11), a party gets a limited number of notices an hour
(R-OUT-07), and of several nodes only one writes a mail.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from relay.core.model import days
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action
from relay.ports import NoticeLog, NoticeSent, Store
from relay.steps.outcomes import Judgement
from relay.steps.quota import OF_WRITER, QUOTAS

_TURN: Final = timedelta(minutes=1)
"""The time that a node has to write a mail before another node may write it."""
_HOUR: Final = timedelta(hours=1)
_PARTIES: Final = 10_000
_PAUSE: Final = timedelta(minutes=1)
"""The shortest time for which a notice over the limit waits.

Places become free one by one, and all waiting notices ask for a place each time.
"""
_LONGEST_WAIT: Final = timedelta(days=7)
"""The longest wait of a notice. A notice that would wait longer is not written, and only the record has its content.

This must be shorter than the wait after which a claim assumes that the clock has jumped (`store/queue.py`).
"""


def topics(judgement: Judgement, now: datetime) -> tuple[NoticeSent, ...]:
    """Returns the keys by which repetitions of this notice are found; empty for a notice that is sent every time.

    Two kinds of notices are not repeated. The first are notices about exhausted quotas: each address of a seller's
    staff gets one, and for the quotas of a pair or a buyer one for each recipient (R-POL-11). The second are notices
    with warnings, except warnings of misused marks of importance (R-POL-06): they have a key for each code and pair.
    """
    facts, writer, verdict = judgement.facts, judgement.writer, judgement.verdict
    code, pair_id, party_id = verdict.main_reason.code, facts.pair.id, facts.pair.side(writer.role).party.id
    if verdict.action is Action.RELAY:
        warned = dict.fromkeys(reason.code for reason in verdict.warnings)
        if ReasonCode.BYPASS_MISUSED in warned:
            return ()
        return tuple(NoticeSent(party_id=party_id, topic=f"{one} {pair_id}", at=now) for one in warned)
    if code not in QUOTAS:
        return ()
    words = (code, "" if code in OF_WRITER else pair_id, writer.sender.id if writer.sender else "")
    return (NoticeSent(party_id=party_id, topic=" ".join(filter(None, words)), at=now),)


async def take_turn(notice_log: NoticeLog, party_id: str, topic: str, now: datetime) -> bool:
    """Returns whether this node may write the mail to or about the party on this topic, which no other node writes now.

    Raises UnavailableError.
    """
    turn = NoticeSent(party_id=party_id, topic=_of_turn(topic), at=now)
    return await notice_log.add(turn, unless_since=now - _TURN)


async def is_turn_taken(notice_log: NoticeLog, party_id: str, topic: str, now: datetime) -> bool:
    """Returns whether a node has taken the turn within the last minute. Raises UnavailableError."""
    taken_at = await notice_log.last_at(party_id, _of_turn(topic))
    return taken_at is not None and now - taken_at < _TURN


def _of_turn(topic: str) -> str:
    return f"{topic} (turn)"


async def was_sent(notice_log: NoticeLog, digest_s: float, notice: NoticeSent, judgement: Judgement) -> bool:
    """Returns whether the party has got the same notice before, so that it is not repeated. Raises UnavailableError.

    A notice about a quota counts for the rest of its day. A warning counts for `digest_s` seconds before or after now,
    because the clock may have jumped back.
    """
    sent_at = await notice_log.last_at(notice.party_id, notice.topic)
    if sent_at is None:
        return False
    if judgement.verdict.action is Action.RELAY:
        return abs(notice.at - sent_at) < timedelta(seconds=digest_s)
    policy = judgement.recipient.policy
    return days.day_of(sent_at, policy) == days.day_of(notice.at, policy)


class StoredNoticeQuota:
    """Implements `NoticeQuota`: notices above the hourly limit become due in one of the next hours.

    The limit is applied twice. `next_free` applies it to new notices, and spreads them over the coming hours. `admit`
    applies it to a notice that is about to be sent, because many notices can become late together, for example after a
    host or the relay was down. The store counts committed and delivered notices, so that the limit holds after a
    restart. This object counts the notices that are not committed or not delivered yet. Each notice counts once, by its
    id.
    """

    def __init__(self, store: Store, per_hour: int) -> None:
        self._store = store
        self._per_hour = per_hour
        self._reserved: dict[str, dict[str, datetime]] = {}
        self._admitted: dict[str, dict[str, datetime]] = {}

    async def next_free(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        stored = await self._store.notice_log.due_since(party_id, now - _HOUR)
        due = {**self._recent(self._reserved, party_id, now), **stored}
        due.pop(item_id, None)
        at = max(now, self._after(due) or now)
        if at - now > _LONGEST_WAIT:
            return None
        self._recent(self._reserved, party_id, now)[item_id] = at
        return at

    def release(self, party_id: str, item_id: str) -> None:
        self._reserved.get(party_id, {}).pop(item_id, None)

    async def admit(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        accepted = await self._store.notice_log.accepted_between(party_id, now - _HOUR, now + _HOUR)
        admitted = self._recent(self._admitted, party_id, now)
        sent = {**admitted, **accepted}
        until = None if item_id in sent else self._after(sent)
        if until is None:
            admitted.setdefault(item_id, now)
            return None
        return max(until, now + _PAUSE)

    def _after(self, times: Mapping[str, datetime]) -> datetime | None:
        """Returns the earliest time for one more notice after the notices at `times`; None if it may be sent now."""
        ordered = sorted(times.values())
        return None if len(ordered) < self._per_hour else ordered[-self._per_hour] + _HOUR

    def _recent(self, times: dict[str, dict[str, datetime]], party_id: str, now: datetime) -> dict[str, datetime]:
        """Drops the party's entries that are older than an hour, and returns the remaining ones."""
        if party_id not in times and len(times) >= _PARTIES:
            for other in list(times):
                if not self._fresh(times[other], now):
                    del times[other]
        mine = times[party_id] = self._fresh(times.get(party_id, {}), now)
        return mine

    def _fresh(self, times: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
        return {item_id: at for item_id, at in times.items() if at > now - _HOUR}
