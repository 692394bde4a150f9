"""Decides how much of a report is stored: its event, its content, and whether a notice is sent.

Anybody who has read a return path can send mail to it as often as they like. So the events, the content and the notices
are limited for each message. A limit per day counts the earlier reports within the last 24 hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, cast

from relay.core.model.event import Event, EventType, NoticeData, ReportData, ReportOutcome
from relay.core.model.item import ItemState
from relay.core.model.reason import ReasonCode

_DAY: Final = timedelta(days=1)
_MOST_EVENTS: Final = 50
"""The most events of reports for one message per day. A further report is counted and logged, but not recorded."""
_CLAIMS: Final = frozenset({EventType.BOUNCED, EventType.REPORTED_UNDELIVERABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """The limits of the reports about one message whose content is stored within 24 hours: number and total bytes."""

    reports: int
    size_bytes: int


NOTHING: Final = ReportLimits(reports=0, size_bytes=0)
"""The limits with which the content of no report is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The decision about a report: the event that is stored, and whether its content and a notice are stored too."""

    event: Event
    content: bool
    notice: bool


def has_room(history: Sequence[Event], report: Event) -> bool:
    """Returns whether one more report about the message gets an event.

    It gets one if the message has had fewer than 50 events of reports within 24 hours. `history` are the events of the
    message, and `report` is the event of the new report.
    """
    return len(_today(history, report)) < _MOST_EVENTS


def was_noticed(history: Sequence[Event]) -> bool:
    """Returns whether a notice about an unconfirmed report was queued; a message gets at most one such notice."""
    return any(
        cast("NoticeData", event.data).get("reason") == ReasonCode.REPORTED_UNDELIVERABLE
        for event in history
        if event.type is EventType.NOTICE_QUEUED
    )


def kept(report: Event, history: Sequence[Event], state: ItemState, limits: ReportLimits) -> Kept | None:
    """Returns the parts of a report that are stored, None if nothing of it is stored.

    `report` is the event that the report would get if it were the first one and the item were ACCEPTED. `history` are
    the events of the message, and `state` is the state of the item. A confirmed bounce is always stored, because an
    item can bounce only once.
    """
    if report.type in _CLAIMS and state is not ItemState.ACCEPTED:
        ended = state in {ItemState.BOUNCED, ItemState.RETURNED}
        data = ReportData(**_data(report))
        data["outcome"] = ReportOutcome.REPEATED if ended else ReportOutcome.EARLY
        report = replace(report, type=EventType.REPORT_RECEIVED, data=data)
    is_bounce = report.type is EventType.BOUNCED
    if not is_bounce and not has_room(history, report):
        return None
    noticed = report.type is EventType.REPORTED_UNDELIVERABLE and not was_noticed(history)
    data = ReportData(**_data(report))
    before = [_data(event) for event in _today(history, report)]
    same = next((one["report"] for one in before if "report" in one and one["sha256"] == data["sha256"]), "")
    with_content = [one for one in before if "report" in one]
    used_bytes = sum(one["size_bytes"] for one in with_content)
    has_place = len(with_content) < limits.reports and used_bytes + data["size_bytes"] <= limits.size_bytes
    content = not same and (has_place or (is_bounce and data["size_bytes"] <= limits.size_bytes))
    if same or content:
        data["report"] = same or report.id
    return Kept(event=replace(report, data=data), content=content, notice=noticed or is_bounce)


def _today(history: Sequence[Event], report: Event) -> list[Event]:
    return [
        event
        for event in history
        if event.type in {*_CLAIMS, EventType.REPORT_RECEIVED}
        and _data(event).get("by") == "report"
        and abs(report.at - event.at) < _DAY
    ]


def _data(event: Event) -> ReportData:
    return cast("ReportData", event.data)
