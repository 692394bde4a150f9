"""Delays seller mail that is neither an answer nor critical (R-POL-12).

The mail waits for the marketplace's delay, and then for the end of the buyer's quiet hours. The writer learns only of
the delay, because the quiet hours would reveal where the buyer lives.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from relay.core import wall_clock
from relay.core.model.party import PartySettings
from relay.core.model.policy import Hours
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    """Yields at most one finding: the time before which a relayed message is not sent."""
    if not case.by_seller or case.exemption.is_answer or case.exemption.is_marked:
        return
    due = case.now + timedelta(seconds=case.policy.hours.delay_s)
    calm = awake(case.facts.pair.buyer.party.settings, case.policy.hours, due)
    if calm > case.now:
        reasons = (Reason(code=ReasonCode.QUIET_HOURS),) if calm > due else ()
        disclosed_until = due if due > case.now else None
        yield Finding(Action.RELAY, reasons, not_before=calm, disclosed_until=disclosed_until)


def awake(settings: PartySettings, hours: Hours, at: datetime) -> datetime:
    """Returns `at`, or the end of the quiet hours if `at` is in them.

    A buyer's own quiet hours replace the quiet hours of the policy.
    """
    quiet = settings.quiet_hours or hours.quiet
    if quiet in {"", "off"}:
        return at
    return wall_clock.end_of_period(at, _zone(settings, hours), *wall_clock.daily_period(quiet))


def _zone(settings: PartySettings, hours: Hours) -> tzinfo:
    return wall_clock.zone(settings.time_zone or hours.time_zone)


RULE = MessageRule(stage=Stage.TIME, rank=10, reasons=(ReasonCode.QUIET_HOURS,), settings=("hours",), judge=judge)
