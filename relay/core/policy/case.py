"""What every rule is given and what it may find."""

from dataclasses import dataclass

from relay.core.identify import Writer
from relay.core.model.head import Automatic, Head
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.reason import Reason
from relay.core.model.verdict import Action
from relay.core.policy.facts import Facts
from relay.core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One message for one recipient, ready to be judged."""

    incoming: Incoming
    head: Head
    facts: Facts
    writer: Writer
    policy: Policy

    @property
    def author(self) -> Side:
        return self.facts.pair.side(self.writer.role)

    @property
    def recipient(self) -> Side:
        return self.facts.pair.side(self.facts.to)

    @property
    def is_reply_of_a_machine(self) -> bool:
        """The null sender is for reports and automatic answers alone (RFC 5321 §4.5.5, RFC 3834 §3.3)."""
        return self.head.automatic is Automatic.REPLY or not self.incoming.mail_from

    @property
    def is_automatic(self) -> bool:
        return is_automatic(self.incoming, self.head)


def is_automatic(incoming: Incoming, head: Head) -> bool:
    """By its header, or by the null sender, which no person writes with (RFC 5321 §4.5.5)."""
    return head.automatic is not Automatic.NO or not incoming.mail_from


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's word on a case. `reasons` is never empty; RELAY says why something that could stop it does not."""

    action: Action
    reasons: tuple[Reason, ...]
