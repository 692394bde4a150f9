"""Decides what happens to one message for one recipient (R-POL-01): runs the rules and weighs their findings.

The live path, the simulator and the pre-send check use the same table of rules (`stages`). A decision depends on its
arguments only: this module reads no clock, looks nothing up and uses no random numbers. The stages run in this order:

    TRANSPORT, AUTHOR, FORM   the first rule that returns the mail ends the decision
    PARTIES, CONTENT          all rules run, unless a finding ends the stage; PARTIES only for registered writers
    QUOTA, TIME               QUOTA runs unless a rule has returned the mail, TIME only if the mail is relayed
    PROBING                   replaces the verdict for a writer who has learned too many verdicts (`_kept_back`)

The most severe action wins: return before hold, hold before relay. The reasons of that action come first, in the order
of the rules, and a notice names the first reason. Warnings and places to cut out are collected for every action,
because a held message is sent later in the form that is decided now.

A writer who is not registered learns nothing about the recipient: the mail is held, no rule looks at the opt-out, the
thread and the state of the quotas, and dispatch decides again after the approval (`released`). A content rule may still
return the mail, because the content was written by the writer.
"""

from collections.abc import Iterable, Sequence
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
from relay.core.policy import bypass, content, kinds
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import Stage
from relay.core.policy.rules import quotas
from relay.core.policy.stages import STAGES

_GATES: Final = (Stage.TRANSPORT, Stage.AUTHOR, Stage.FORM)
_SEVERITY: Final = (Action.RELAY, Action.HOLD, Action.RETURN)


def decide(
    incoming: Incoming, head: Head, root: Part, facts: Facts, writer: Writer, policy: Policy, now: datetime
) -> Verdict:
    """Returns the verdict on a new message for one recipient.

    `root` is the parsed content of `incoming`, and `now` is the time of the decision.
    """
    case = bypass.exempted(
        Case(incoming=incoming, head=head, root=root, facts=facts, writer=writer, policy=policy, now=now)
    )
    findings: list[Finding] = []
    contradicted = False
    if _pass_gates(case, findings):
        case = content.with_texts(case)
        _run(case, Stage.PARTIES, findings)
        _run(case, Stage.CONTENT, findings)
        contradicted = _contradicted(case, findings)
    for stage in (Stage.QUOTA, Stage.TIME):
        _run(case, stage, findings)
    return _kept_back(case, _verdict(case, findings, contradicted=contradicted))


def released(
    incoming: Incoming, head: Head, root: Part, facts: Facts, writer: Writer, policy: Policy, now: datetime
) -> Verdict:
    """Returns the verdict on a held message after its release, from the stages PARTIES and TIME only.

    These are the rules about the recipient, which did not run while the writer was not registered, and the rules about
    quiet hours and delay. The writer now counts as registered.
    """
    writer = replace(writer, registered=True)
    case = bypass.exempted(
        Case(incoming=incoming, head=head, root=root, facts=facts, writer=writer, policy=policy, now=now)
    )
    case = content.with_texts(case)
    findings: list[Finding] = []
    for stage in (Stage.PARTIES, Stage.TIME):
        _run(case, stage, findings)
    return _verdict(case, findings, contradicted=False)


def _pass_gates(case: Case, findings: list[Finding]) -> bool:
    """Returns whether no rule of the first three stages returns the mail, and adds the findings to `findings`.

    The first rule that returns the mail is the last one that runs.
    """
    for stage in _GATES:
        for rule in STAGES[stage]:
            found = list(rule.judge(case))
            findings += found
            if found and _action(found) is Action.RETURN:
                return False
    return True


def _run(case: Case, stage: Stage, findings: list[Finding]) -> None:
    """Runs the rules of a stage and adds their findings to `findings`.

    Stops when a finding ends the stage, or when the findings so far leave the stage nothing to decide (`_may_ask`).
    """
    if stage is Stage.PARTIES and not case.writer.registered:
        return
    for rule in STAGES[stage]:
        if findings and not _may_ask(stage, _action(findings)):
            return
        found = list(rule.judge(case))
        findings += found
        if found and any(finding.ends_stage for finding in found):
            return


def _may_ask(stage: Stage, action: Action) -> bool:
    """Returns whether a rule of the stage may still run if the findings so far lead to `action`."""
    if stage is Stage.QUOTA:
        return action is not Action.RETURN
    return stage is not Stage.TIME or action is Action.RELAY


def _contradicted(case: Case, findings: Iterable[Finding]) -> bool:
    """Returns whether the content contradicts the mark of importance by which a proven writer's message passes."""
    if not case.exemption.is_marked or case.writer.proof is Proof.NONE:
        return False
    codes = {reason.code for finding in findings for reason in (*finding.reasons, *finding.warnings)}
    return content.contradicts(case, codes)


def _action(findings: Iterable[Finding]) -> Action:
    return max((finding.action for finding in findings), key=_SEVERITY.index, default=Action.RELAY)


def _verdict(case: Case, findings: Sequence[Finding], *, contradicted: bool) -> Verdict:
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
        evidence=kinds.evidence_of(case),
        notify=_notify(case, action, reasons, warnings),
        policy_version=case.policy.version,
        unsolicited=case.by_seller and not case.exemption.reasons,
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


def _kept_back(case: Case, verdict: Verdict) -> Verdict:
    """Returns the verdict or, for a writer above the limit of verdicts, a hold that replaces it (R-POL-11).

    The hold lasts at least until the limit is reset, and carries the replaced verdict as `kept`. A verdict that ends a
    mail loop is never replaced. A hold for a person's decision is not replaced either, because it reveals nothing new
    to the writer; a check of a message (`Facts.is_check`) stores no mail that could wait, so its hold is replaced.
    A writer who is not registered gets the hold for the owner's decision (`_as_pending`).
    """
    limit = next((one for rule in STAGES[Stage.PROBING] for one in rule.judge(case)), None)
    waits_for_decision = verdict.action is Action.HOLD and verdict.not_before is None and not case.facts.is_check
    if limit is None or limit.not_before is None or waits_for_decision or is_loop(verdict.reasons):
        return verdict
    if not case.writer.registered and not case.facts.is_check:
        return _as_pending(case, verdict)
    leaves_at = max(limit.not_before, verdict.not_before or limit.not_before)
    if verdict.counted and not case.facts.is_check:
        leaves_at = max(leaves_at, quotas.reset_at(case))  # the message counts for the day on which it is sent
    return replace(
        verdict,
        action=Action.HOLD,
        reasons=limit.reasons,
        warnings=(),
        notify=not case.is_marked,
        not_before=leaves_at,
        disclosed_until=limit.disclosed_until,
        remaining=None,
        kept=verdict,
    )


def _as_pending(case: Case, verdict: Verdict) -> Verdict:
    """Returns the hold that mail of this unregistered writer gets if nothing returns it, with `verdict` as `kept`.

    The hold ends like every hold for the owner's decision: by the decision, when held mail of another sender takes its
    place, or when its time has come. After an approval the mail waits for the reset of the limit and is returned then
    (`steps.recheck`). So the answer does not tell whether the mail passes, and the owner is asked about the writer
    once. If the writer's account is closed, the verdict stays as it is, because all mail of a closed account is
    returned.
    """
    findings = [finding for rule in STAGES[Stage.AUTHOR] for finding in rule.judge(case)]
    reasons = tuple(reason for one in findings if one.action is Action.HOLD for reason in one.reasons)
    if not reasons:
        return verdict
    return replace(
        verdict,
        action=Action.HOLD,
        reasons=reasons,
        warnings=(),
        notify=not case.is_marked,
        not_before=None,
        disclosed_until=None,
        remaining=None,
        kept=verdict,
    )


def is_loop(reasons: Sequence[Reason]) -> bool:
    """Returns whether a verdict with these reasons ends a mail loop."""
    return bool(reasons) and reasons[0].code is ReasonCode.LOOP


def _not_before(action: Action, deciding: Sequence[Finding]) -> datetime | None:
    """Returns the time at which waiting mail is sent without a person's decision.

    `deciding` are the findings with the action of the verdict. Returns None if the mail is sent at once, if it is
    returned, or if a person must decide.
    """
    times = [finding.not_before for finding in deciding]
    known = [time for time in times if time is not None]
    waits_for_decision = action is Action.HOLD and len(known) < len(times)
    return None if waits_for_decision or action is Action.RETURN else max(known, default=None)


def _notify(case: Case, action: Action, reasons: Sequence[Reason], warnings: Sequence[Reason]) -> bool:
    """Returns whether the writer gets a notice.

    Mail that is marked as automatic never gets a notice (RFC 3834 §2, R-POL-14), and a mail loop never gets a notice
    (R-OUT-08). Nor does a repeated automatic reply, marked or not. Relayed mail gets a notice only for a warning.
    """
    if case.is_marked or (action is Action.RELAY and not warnings):
        return False
    return not is_loop(reasons) and not (reasons and reasons[0].code is ReasonCode.AUTO_REPLY_REPEATED)
