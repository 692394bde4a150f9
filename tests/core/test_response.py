"""The response clock: what is a question, what answers it, and how long that took on the policy's calendar."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.response import Figures, Turn, figures, questions

B, S = Role.BUYER, Role.SELLER
NOW = datetime(2026, 7, 31, 0, 0, tzinfo=UTC)
H = 3600


def turn(author: Role, at: datetime, pair: str = "p1", name: str = "", **marks: bool) -> Turn:
    return Turn(message_id=name or f"{pair}-{at:%d%H%M}", pair_id=pair, author=author, at=at, **marks)


def hours_ago(*turns: tuple[Role, float], pair: str = "p1") -> list[Turn]:
    return [turn(author, NOW - timedelta(hours=hours), pair) for author, hours in turns]


def policy(**response: object) -> Policy:
    zone = response.pop("time_zone", "Asia/Tokyo")
    return msgspec.convert({"response": response, "hours": {"time_zone": zone}}, Policy)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([], Figures(answered=0, late=0, unanswered=0, average_s=None)),
        (hours_ago((B, 10), (S, 8)), Figures(answered=1, late=0, unanswered=0, average_s=2 * H)),
        (hours_ago((B, 50), (S, 26)), Figures(answered=1, late=0, unanswered=0, average_s=24 * H)),
        (hours_ago((B, 50), (S, 25.9)), Figures(answered=1, late=1, unanswered=0, average_s=86_760)),
        # what waits is late only when its time is over
        (hours_ago((B, 23)), Figures(answered=0, late=0, unanswered=1, average_s=None)),
        (hours_ago((B, 25)), Figures(answered=0, late=1, unanswered=1, average_s=None)),
        # what the buyer adds is the same question; the seller's second answer answers nothing
        (
            hours_ago((B, 10), (B, 9), (B, 8), (S, 6), (S, 1)),
            Figures(answered=1, late=0, unanswered=0, average_s=4 * H),
        ),
        # a seller who writes first answers nothing
        (hours_ago((S, 20), (B, 10), (S, 9)), Figures(answered=1, late=0, unanswered=0, average_s=H)),
        # two rounds, and a third that waits
        (
            hours_ago((B, 80), (S, 78), (B, 70), (S, 66), (B, 2)),
            Figures(answered=2, late=0, unanswered=1, average_s=3 * H),
        ),
        # pairs do not answer for each other
        (
            [*hours_ago((B, 30), pair="p1"), *hours_ago((S, 29), pair="p2")],
            Figures(answered=0, late=1, unanswered=1, average_s=None),
        ),
    ],
)
def test_figures(turns: list[Turn], expected: Figures) -> None:  # R-REC-08
    assert figures(turns, Policy(), NOW)[7] == expected


def test_automatic_mail_neither_asks_nor_answers() -> None:  # R-REC-08 R-POL-14
    at = NOW - timedelta(hours=5)
    asked = turn(B, at)
    machine = turn(S, at + timedelta(minutes=1), automatic=True)
    robot = turn(B, at - timedelta(hours=1), automatic=True)
    (question,) = questions([robot, asked, machine], Policy(), NOW)
    assert (question.asked_at, question.answered_at, question.waited_s) == (at, None, 5 * H)


def test_no_reply_needed_leaves_a_message_out_and_the_next_one_asks() -> None:  # R-REC-08
    thanks = turn(B, NOW - timedelta(hours=40), no_reply_needed=True)
    assert list(questions([thanks], Policy(), NOW)) == []
    but = turn(B, NOW - timedelta(hours=3))
    (question,) = questions([thanks, but], Policy(), NOW)
    assert (question.asked_at, question.late) == (but.at, False)


def test_windows_count_by_when_it_was_asked() -> None:  # R-REC-08
    turns = [
        *hours_ago((B, 24 * 100), (S, 24 * 100 - 1), pair="a"),
        *hours_ago((B, 24 * 60), (S, 24 * 60 - 2), pair="b"),
        *hours_ago((B, 24 * 20), (S, 24 * 20 - 4), pair="c"),
        *hours_ago((B, 24 * 2), (S, 24 * 2 - 6), pair="d"),
    ]
    found = figures(turns, Policy(), NOW)
    assert {days: (one.answered, one.average_s) for days, one in found.items()} == {
        7: (1, 6 * H),
        30: (2, 5 * H),
        90: (3, 4 * H),
    }


@pytest.mark.parametrize(
    ("asked", "answered", "calendar", "waited_h"),
    [
        # Friday 18:00 to Monday 09:00 in Tokyo: six hours of Friday, nine of Monday
        ("2026-07-03T18:00+09:00", "2026-07-06T09:00+09:00", {}, 15),
        ("2026-07-04T10:00+09:00", "2026-07-05T23:00+09:00", {}, 0),
        # Monday is Marine Day
        ("2026-07-17T18:00+09:00", "2026-07-21T09:00+09:00", {"holidays": ["2026-07-20"]}, 15),
        ("2026-07-17T18:00+09:00", "2026-07-21T09:00+09:00", {}, 39),
        # who works on Sundays
        ("2026-07-04T10:00+09:00", "2026-07-05T23:00+09:00", {"work_days": ["sun"]}, 23),
        # Sunday in Tokyo is still Saturday in New York
        ("2026-07-04T23:00-04:00", "2026-07-06T01:00-04:00", {"time_zone": "America/New_York"}, 1),
        # the day on which summer time begins has 23 hours, the one on which it ends has 25
        (
            "2026-03-29T00:00+01:00",
            "2026-03-30T00:00+02:00",
            {"time_zone": "Europe/Berlin", "work_days": ["sun"]},
            23,
        ),
        (
            "2026-10-25T00:00+02:00",
            "2026-10-26T00:00+01:00",
            {"time_zone": "Europe/Berlin", "work_days": ["sun"]},
            25,
        ),
    ],
)
def test_business_days(asked: str, answered: str, calendar: dict[str, object], waited_h: float) -> None:  # R-REC-08
    turns = [turn(B, datetime.fromisoformat(asked)), turn(S, datetime.fromisoformat(answered))]
    (question,) = questions(turns, policy(business_days=True, **calendar), NOW)
    assert question.waited_s == waited_h * H


def test_the_limit_is_the_policys() -> None:  # R-REC-08
    turns = hours_ago((B, 10), (S, 8))
    assert [q.late for q in questions(turns, policy(within_s=7_200), NOW)] == [False]
    assert [q.late for q in questions(turns, policy(within_s=7_199), NOW)] == [True]


@given(st.lists(st.tuples(st.sampled_from([B, S]), st.integers(0, 2_000), st.booleans(), st.booleans()), max_size=30))
def test_no_question_waits_less_than_nothing_and_none_is_counted_twice(
    drawn: list[tuple[Role, int, bool, bool]],
) -> None:  # R-REC-08
    turns = [
        turn(author, NOW - timedelta(hours=hours), name=str(number), automatic=automatic, no_reply_needed=needless)
        for number, (author, hours, automatic, needless) in enumerate(sorted(drawn, key=lambda one: -one[1]))
    ]
    found = list(questions(turns, policy(business_days=True), NOW))
    assert all(question.waited_s >= 0 for question in found)
    assert len({question.message_id for question in found}) == len(found)
    assert sum(question.answered_at is None for question in found) <= 1
