"""Decides about one report, given the earlier ones about its message: its event, its bytes, and its notice.

Anybody who has read a return path can write to it as often as they like, so all three are bounded for each message.
Limits per day count the reports within 24 hours before a report.
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
"""For one message and day. A report beyond that is counted and logged, and leaves nothing in the record."""
_CLAIMS: Final = frozenset({EventType.BOUNCED, EventType.REPORTED_UNDELIVERABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """The reports about one message whose bytes are kept within 24 hours: their number, and their bytes in all."""

    reports: int
    size_bytes: int


NOTHING: Final = ReportLimits(reports=0, size_bytes=0)
"""The limits under which no bytes are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The event of a report as it is written, and whether the bytes and the notice are written too."""

    event: Event
    content: bool
    notice: bool


def has_room(history: Sequence[Event], report: Event) -> bool:
    """Whether one more report about the message gets an event: it has had fewer than 50 within 24 hours."""
    return len(_today(history, report)) < _MOST_EVENTS


def was_noticed(history: Sequence[Event]) -> bool:
    """Whether a notice about an unconfirmed report was queued. A message has at most one such notice."""
    return any(
        cast("NoticeData", event.data).get("reason") == ReasonCode.REPORTED_UNDELIVERABLE
        for event in history
        if event.type is EventType.NOTICE_QUEUED
    )


def kept(report: Event, history: Sequence[Event], state: ItemState, limits: ReportLimits) -> Kept | None:
    """Returns what is written of a report, None for nothing.

    `report` is its event as if nothing had come before and the item were accepted; `history` are the events of the
    message, `state` is that of the item. A confirmed bounce is always written: it happens once for each item.
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
