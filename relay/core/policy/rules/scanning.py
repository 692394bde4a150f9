"""Judges the results of the scanners (R-POL-17); mail that a required scanner could not check is held."""

from collections.abc import Iterator

from relay.core.model.facts import Scan, ScanOutcome
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.case import Case, Finding, acting
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    scanning = case.policy.scanning
    for scan in case.facts.scans:
        match scan.outcome:
            case ScanOutcome.CLEAN:
                found = None
            case ScanOutcome.VIRUS:
                found = acting(scanning.virus, _reason(ReasonCode.VIRUS_FOUND, scan))
            case ScanOutcome.SPAM:
                found = acting(scanning.spam, _reason(ReasonCode.SPAM_FOUND, scan))
            case ScanOutcome.AWAY:
                found = Finding(Action.HOLD, (_reason(ReasonCode.SCANNER_AWAY, scan),))
        if found:
            yield found


def _reason(code: ReasonCode, scan: Scan) -> Reason:
    found = (("found", scan.found),) if scan.found else ()
    return Reason(code=code, values=(("scanner", scan.scanner), *found))


RULE = MessageRule(
    stage=Stage.CONTENT,
    rank=30,
    reasons=(ReasonCode.VIRUS_FOUND, ReasonCode.SPAM_FOUND, ReasonCode.SCANNER_AWAY),
    settings=("scanning",),
    judge=judge,
)
