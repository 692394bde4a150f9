"""Determines whether a seller may write to a buyer now, before a message is written (R-POL-19).

The answer comes from the rules that need no message; the same rules decide on mail. The answer contains no reason and
nothing else about the buyer. A full quota does not change the answer, because it only delays mail.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.model.facts import Facts, Proof
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.policy import bypass
from relay.core.policy.case import HeaderCase
from relay.core.policy.stages import HEADER_RULES

_SELLER: Final = Writer(role=Role.SELLER, sender=None, proof=Proof.LOGIN, registered=True)
_PLAIN: Final = Head(
    from_address="",
    from_name="",
    subject="",
    message_id="",
    references=(),
    automatic=Automatic.NO,
    kind_mark="",
    own_marks=(),
    hops=0,
)


def reach(facts: Facts, policy: Policy, now: datetime) -> Standing:
    """Returns whether the seller of `facts.pair` may write to its buyer about `facts.order`.

    The answer is OPEN, CRITICAL_ONLY (only with a mark of importance or a critical kind) or CLOSED, which is also the
    answer for a closed pair. `facts` are the facts of a message that the seller would write from a registered address.
    """
    if facts.pair.is_closed:
        return Standing.CLOSED
    plain = HeaderCase(head=_PLAIN, facts=facts, writer=_SELLER, policy=policy, now=now)
    if _passes(plain):
        return Standing.OPEN
    is_critical_only = any(_passes(replace(plain, head=head)) for head in _critical(policy))
    return Standing.CRITICAL_ONLY if is_critical_only else Standing.CLOSED


def _critical(policy: Policy) -> Iterator[Head]:
    """Yields one header for each sort of mark by which a message may pass an opt-out under this policy."""
    bypass = policy.bypass
    marks = (f"{pair[0]}{word}{pair[1]}" for pair in bypass.brackets[:1] for word in bypass.important_words[:1])
    for subject in (*marks, *bypass.additional_information[:1]):
        yield replace(_PLAIN, subject=subject)
    for kind in sorted(bypass.critical_kinds):
        yield replace(_PLAIN, kind_mark=kind)


def _passes(planned: HeaderCase) -> bool:
    case = bypass.exempted(planned)
    return not any(finding.action is Action.RETURN for rule in HEADER_RULES for finding in rule.judge(case))
