"""Quiet hours and delay (R-POL-12): seller mail that is neither an answer nor critical waits, on the buyer's clock.

The writer hears of the marketplace's delay alone: when it is night where the buyer lives is his own affair.
"""

from datetime import datetime, timedelta, tzinfo

from relay.core.model import days
from relay.core.model.party import PartySettings
from relay.core.model.policy import Hours
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.bypass import Exemption
from relay.core.policy.case import Case, Finding


def judge(case: Case, exemption: Exemption) -> Finding | None:
    """For a message that is relayed."""
    if not case.by_seller or exemption.is_answer or exemption.is_marked:
        return None
    due = case.now + timedelta(seconds=case.policy.hours.delay_s)
    calm = awake(case.facts.pair.buyer.party.settings, case.policy.hours, due)
    reasons = (Reason(code=ReasonCode.QUIET_HOURS, rule="R-POL-12"),) if calm > due else ()
    disclosed_until = due if due > case.now else None
    return Finding(Action.RELAY, reasons, not_before=calm, disclosed_until=disclosed_until) if calm > case.now else None


def awake(settings: PartySettings, hours: Hours, at: datetime) -> datetime:
    """`at`, or when the quiet hours around it are over: of a buyer with these settings, else the policy's."""
    quiet = settings.quiet_hours or hours.quiet
    if quiet in {"", "off"}:
        return at
    return days.after_stretch(at, _zone(settings, hours), *days.stretch(quiet))


def _zone(settings: PartySettings, hours: Hours) -> tzinfo:
    return days.zone(settings.time_zone or hours.time_zone)
