"""The verdict: every rule in its order, the first that finds something decides (R-POL-01).

The live path, the simulator and the pre-send check call `decide` with the same values and get the same verdict: there
is no clock, no look-up and no chance in it.

A verdict is about one recipient alone. Reply-all with one's own alias in Cc gets OWN_ALIAS for that recipient like
mail to one's own alias alone; the flow then sees that the other side is served in the same transaction and records
COPY_MERGED instead of acting on the verdict (R-REW-05).
"""

from datetime import datetime
from typing import Final

from relay.core.identify import Writer
from relay.core.model.head import Head
from relay.core.model.message import Incoming
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.policy import automatic, kinds, loops, optout, parties, size
from relay.core.policy.case import Case, Finding
from relay.core.policy.facts import Facts
from relay.core.policy.policy import Policy
from relay.core.rewrite.mime import Part

RULES: Final = (loops.judge, size.judge, parties.judge, automatic.judge, optout.judge)


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
    finding = next((found for rule in RULES if (found := rule(case))), Finding(Action.RELAY, ()))
    return Verdict(
        action=finding.action,
        reasons=finding.reasons,
        kind=kinds.kind_of(case),
        notify=_notify(case, finding),
        policy_version=policy.version,
        unsolicited=optout.is_unsolicited(case),
    )


def _notify(case: Case, finding: Finding) -> bool:
    """Machines are never answered (RFC 3834 §2, R-POL-14), and what ends a loop must not feed it (R-OUT-08)."""
    return (
        finding.action is not Action.RELAY and not case.is_automatic and finding.reasons[0].code is not ReasonCode.LOOP
    )
