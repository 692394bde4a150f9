"""What every rule is given and what it may find."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.identify import Writer
from relay.core.model.head import Automatic, Head
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.reason import Reason
from relay.core.model.verdict import Action
from relay.core.policy.facts import Facts
from relay.core.policy.policy import Policy
from relay.core.rewrite.mime import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One message for one recipient, ready to be judged."""

    incoming: Incoming
    head: Head
    root: Part
    facts: Facts
    writer: Writer
    policy: Policy
    now: datetime

    @property
    def author(self) -> Side:
        return self.facts.pair.side(self.writer.role)

    @property
    def recipient(self) -> Side:
        return self.facts.pair.side(self.facts.to)

    @property
    def is_automatic(self) -> bool:
        return self.automatic is not Automatic.NO

    @property
    def automatic(self) -> Automatic:
        return automatic(self.incoming, self.head)


def automatic(incoming: Incoming, head: Head) -> Automatic:
    """By its header; the null sender is for reports and automatic answers alone (RFC 5321 §4.5.5, RFC 3834 §3.3)."""
    return head.automatic if incoming.mail_from else Automatic.REPLY


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's word on a case. `reasons` is never empty; RELAY says why something that could stop it does not."""

    action: Action
    reasons: tuple[Reason, ...]
