"""The verdict: what all rules find about one message for one recipient, weighed into one word (R-POL-01).

The live path, the simulator and the pre-send check call `decide` with the same values and get the same verdict: there
is no clock, no look-up and no chance in it.

    gates       loops, size, the author, automatic replies, keys and signatures: the first that returns the mail ends it
    standing    operator's orders, the recipient, closed threads, opt-out: for registered writers only
    content     what the message holds, and what scanners say of it: for everybody
    time        quotas, quiet hours and delay: for what nothing has returned

The most severe action wins (return, hold, relay). Its reasons come first, in the order of the rules, and the first of
them is what a notice names; the others follow, for whoever asks what else there was. Warnings and what is to be cut out
are gathered whatever the action: a hold goes out later as what was decided now.

Who is not registered for the author hears nothing about the recipient: his mail is held, opt-out, closed threads and
quotas are not looked at, and dispatch looks again when he has been approved. What his mail holds is his own, so content
may still return it.

A verdict is about one recipient alone. Reply-all with one's own alias in Cc gets OWN_ALIAS for that recipient like
mail to one's own alias alone; the flow then sees that the other side is served in the same transaction and records
COPY_MERGED instead of acting on the verdict (R-REW-05).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.core.identify import Writer
from relay.core.mail.head import Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Facts, Proof
from relay.core.model.message import Incoming
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.policy import (
    automatic,
    bypass,
    content,
    fulfilment,
    hours,
    kinds,
    loops,
    optout,
    parties,
    quotas,
    scanning,
    signatures,
    size,
    threads,
)
from relay.core.policy.bypass import Exemption
from relay.core.policy.case import Case, Finding, acting

GATES: Final = (loops.judge, size.judge, parties.author, automatic.judge, signatures.judge)
_SEVERITY: Final = (Action.RELAY, Action.HOLD, Action.RETURN)


def decide(
    incoming: Incoming,
    head: Head,
    root: Part,
    facts: Facts,
    writer: Writer,
    policy: Policy,
    now: datetime,
) -> Verdict:
    case = Case(incoming=incoming, head=head, root=root, facts=facts, writer=writer, policy=policy, now=now)
    exemption = bypass.exemption(case)
    findings = list(_gates(case))
    contradicted = False
    if _action(findings) is not Action.RETURN:
        findings += _standing(case, exemption)
        held = content.judge(case)
        findings += [found for one in held if (found := acting(one.action, one.reason, one.strip))]
        findings += scanning.judge(case)
        contradicted = exemption.is_marked and case.writer.proof is not Proof.NONE and content.contradicts(case, held)
    if _action(findings) is not Action.RETURN:
        findings += _time(case, exemption, _action(findings))
    return _verdict(case, exemption, findings, contradicted=contradicted)


def released(
    incoming: Incoming, head: Head, root: Part, facts: Facts, writer: Writer, policy: Policy, now: datetime
) -> Verdict:
    """What is left to ask when somebody's word has let a held message go: what concerns the recipient, who was not
    looked at while its writer was not registered, and the hour."""
    writer = replace(writer, registered=True)
    case = Case(incoming=incoming, head=head, root=root, facts=facts, writer=writer, policy=policy, now=now)
    exemption = bypass.exemption(case)
    findings = list(_standing(case, exemption))
    if _action(findings) is Action.RELAY and (later := hours.judge(case, exemption)):
        findings.append(later)
    return _verdict(case, exemption, findings, contradicted=False)


def _gates(case: Case) -> Iterator[Finding]:
    for gate in GATES:
        if finding := gate(case):
            yield finding
            if finding.action is Action.RETURN:
                return


def _standing(case: Case, exemption: Exemption) -> Iterator[Finding]:
    if not case.writer.registered:
        return
    routed = fulfilment.judge(case)
    if routed:
        yield routed
    if routed is None or not routed.to_operator:
        if unavailable := parties.recipient(case):
            yield unavailable
            return
        if closed := threads.judge(case):
            yield closed
    if opted_out := optout.judge(case, exemption):
        yield opted_out


def _time(case: Case, exemption: Exemption, action: Action) -> Iterator[Finding]:
    if counted := quotas.judge(case, exemption):
        action = max(action, counted.action, key=_SEVERITY.index)
        yield counted
    if action is Action.RELAY and (later := hours.judge(case, exemption)):
        yield later


def _action(findings: Iterable[Finding]) -> Action:
    return max((finding.action for finding in findings), key=_SEVERITY.index, default=Action.RELAY)


def _verdict(case: Case, exemption: Exemption, findings: Sequence[Finding], *, contradicted: bool) -> Verdict:
    action = _action(findings)
    used = action is not Action.RETURN and any(finding.bypass for finding in findings)
    warnings = [reason for finding in findings for reason in finding.warnings]
    if case.writer.registered:
        warnings += bypass.warnings(case, used=used, contradicted=contradicted)
    deciding = [finding for finding in findings if finding.action is action]
    not_before = _not_before(action, deciding)
    reasons = [reason for finding in sorted(findings, key=_mildness) for reason in finding.reasons]
    quota = next((finding for finding in findings if finding.counted or finding.remaining is not None), Finding(action))
    return Verdict(
        action=action,
        reasons=tuple(dict.fromkeys(reasons)),
        kind=kinds.kind_of(case),
        notify=_notify(case, action, reasons, warnings),
        policy_version=case.policy.version,
        unsolicited=case.by_seller and not exemption.reasons,
        warnings=tuple(dict.fromkeys(warnings)),
        strips=tuple(strip for finding in findings for strip in finding.strips),
        not_before=not_before,
        disclosed_until=max((f.disclosed_until for f in deciding if f.disclosed_until), default=None)
        if not_before
        else None,
        counted=quota.counted,
        bypass=used,
        misuse=case.policy.bypass.points_contradiction if contradicted else 0,
        remaining=quota.remaining,
        to_operator=action is not Action.RETURN and any(finding.to_operator for finding in findings),
    )


def _mildness(finding: Finding) -> int:
    return -_SEVERITY.index(finding.action)


def _not_before(action: Action, deciding: Sequence[Finding]) -> datetime | None:
    """A hold ends by itself only when everything that holds the mail does."""
    times = [finding.not_before for finding in deciding]
    known = [time for time in times if time is not None]
    waits_for_word = action is Action.HOLD and len(known) < len(times)
    return None if waits_for_word or action is Action.RETURN else max(known, default=None)


def _notify(case: Case, action: Action, reasons: Sequence[Reason], warnings: Sequence[Reason]) -> bool:
    """Machines are never answered (RFC 3834 §2, R-POL-14), and what ends a loop must not feed it (R-OUT-08)."""
    if case.is_automatic or (action is Action.RELAY and not warnings):
        return False
    return not reasons or reasons[0].code is not ReasonCode.LOOP
