"""Measures how long buyers' questions wait for the seller's answer (R-REC-08).

A question is a buyer's first message that the seller has not answered. Further messages of the buyer belong to the same
question until the seller answers. Automatic mail is neither a question nor an answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from relay.core import wall_clock
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Weekday

WINDOWS_DAYS: Final = (7, 30, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One relayed message of a pair.

    `automatic` is True if a program wrote the message. `no_reply_needed` is True if the seller has marked the message
    as one that needs no answer.
    """

    message_id: str
    pair_id: str
    author: Role
    at: datetime
    automatic: bool = False
    no_reply_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A buyer's question and its waiting time.

    `message_id` is the id of the buyer's message. `answered_at` is None if the seller has not answered yet. `waited_s`
    is the number of seconds until the answer, or until now; only working days count if the policy says so. `late` is
    True if `waited_s` is more than the policy's limit.
    """

    message_id: str
    pair_id: str
    asked_at: datetime
    answered_at: datetime | None
    waited_s: int
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures about the questions that were asked within one window of time.

    `answered`, `late` and `unanswered` are numbers of questions; a question counts as late whether it is answered or
    not. `average_s` is the mean waiting time of the answered questions in seconds, None if no question is answered.
    """

    answered: int
    late: int
    unanswered: int
    average_s: int | None


def figures(turns: Sequence[Turn], policy: Policy, now: datetime) -> dict[int, Figures]:
    """Returns the figures of each window in WINDOWS_DAYS, by its length in days; each window ends now.

    `turns` are sorted by pair, then by time. They begin some time before the longest window, because a question is
    recognized by the messages before it.
    """
    asked = tuple(questions(turns, policy, now))
    return {length: _of(q for q in asked if now - q.asked_at <= timedelta(days=length)) for length in WINDOWS_DAYS}


def questions(turns: Sequence[Turn], policy: Policy, now: datetime) -> Iterator[Question]:
    """Yields all questions of `turns`, which are sorted by pair, then by time; the questions have the same order."""
    for _, of_pair in groupby(turns, attrgetter("pair_id")):
        waiting: Turn | None = None
        for turn in of_pair:
            if turn.automatic:
                continue
            if turn.author is Role.SELLER:
                if waiting:
                    yield _question(waiting, turn.at, policy, now)
                waiting = None
            elif waiting is None and not turn.no_reply_needed:
                waiting = turn
        if waiting:
            yield _question(waiting, None, policy, now)


def _question(turn: Turn, answered_at: datetime | None, policy: Policy, now: datetime) -> Question:
    waited_s = _counted_s(turn.at, answered_at or now, policy)
    return Question(
        message_id=turn.message_id,
        pair_id=turn.pair_id,
        asked_at=turn.at,
        answered_at=answered_at,
        waited_s=waited_s,
        late=waited_s > policy.response.within_s,
    )


def _of(asked: Iterable[Question]) -> Figures:
    all_asked = list(asked)
    waits = [question.waited_s for question in all_asked if question.answered_at]
    return Figures(
        answered=len(waits),
        late=sum(question.late for question in all_asked),
        unanswered=len(all_asked) - len(waits),
        average_s=round(sum(waits) / len(waits)) if waits else None,
    )


def _counted_s(start: datetime, end: datetime, policy: Policy) -> int:
    """Returns the seconds from `start` to `end`.

    If the policy has `business_days`, only the seconds of working days count. A working day lasts from midnight to
    midnight in the policy's time zone.
    """
    if not policy.response.business_days:
        return round((end - start).total_seconds())
    where = wall_clock.zone(policy.hours.time_zone)
    day, last = start.astimezone(where).date(), end.astimezone(where).date()
    total_s = 0.0
    while day <= last:
        after = day + timedelta(days=1)
        if _is_work_day(day, policy):
            midnight, next_midnight = (datetime.combine(d, time(), where).astimezone(UTC) for d in (day, after))
            total_s += (min(end, next_midnight) - max(start, midnight)).total_seconds()
        day = after
    return round(total_s)


def _is_work_day(day: date, policy: Policy) -> bool:
    return [*Weekday][day.weekday()] in policy.response.work_days and day not in policy.response.holidays
