"""The response clock (R-REC-08): the time that sellers let buyers' questions wait.

A question is a buyer's first unanswered message. Further messages of the buyer belong to the same question until the
seller answers. Automatic mail is neither a question nor an answer.
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
    """One relayed message between two parties.

    `automatic` mail is neither a question nor an answer. `no_reply_needed`: the seller has marked the message so.
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

    `message_id` is the buyer's message. `answered_at` is None while there is no answer. `waited_s` are the seconds
    until the answer, or until now, by the policy's calendar; `late`: they exceed the policy's limit.
    """

    message_id: str
    pair_id: str
    asked_at: datetime
    answered_at: datetime | None
    waited_s: int
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures about the questions of one window.

    `answered` and `unanswered` are numbers of questions; `late` counts the questions answered late or overdue.
    `average_s` is the mean wait of the answered ones, None when there are none.
    """

    answered: int
    late: int
    unanswered: int
    average_s: int | None


def figures(turns: Sequence[Turn], policy: Policy, now: datetime) -> dict[int, Figures]:
    """Returns the figures for each of WINDOWS_DAYS.

    `turns` are in order of pair and time, and begin some time before the longest window.
    """
    asked = tuple(questions(turns, policy, now))
    return {length: _of(q for q in asked if now - q.asked_at <= timedelta(days=length)) for length in WINDOWS_DAYS}


def questions(turns: Sequence[Turn], policy: Policy, now: datetime) -> Iterator[Question]:
    """Yields all questions, those of each pair in the order in which they were asked."""
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
    """Returns the seconds from `start` to `end`; with `business_days` only those of working days.

    A working day lasts from midnight to midnight on the wall clock of the policy's time zone.
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
