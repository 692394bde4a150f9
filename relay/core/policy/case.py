"""What every rule is given and what it may find."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Facts
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.party import Role
from relay.core.model.policy import ContentAction, Policy
from relay.core.model.reason import Reason
from relay.core.model.verdict import Action, Strip


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
    def by_seller(self) -> bool:
        return self.writer.role is Role.SELLER

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
    """A rule's word on a case, which `decide` weighs against the others'. RELAY says why something that could stop the
    message does not. The further fields are the verdict's own, see there."""

    action: Action
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    strips: tuple[Strip, ...] = ()
    not_before: datetime | None = None
    disclosed_until: datetime | None = None
    counted: bool = False
    remaining: int | None = None
    bypass: bool = False
    to_operator: bool = False


def acting(action: ContentAction, reason: Reason, strip: Strip | None = None) -> Finding | None:
    """What a configured action makes of something found. What is stripped is told like what is warned of."""
    match action:
        case ContentAction.ALLOW:
            return None
        case ContentAction.WARN:
            return Finding(Action.RELAY, warnings=(reason,))
        case ContentAction.STRIP:
            return Finding(Action.RELAY, warnings=(reason,), strips=(strip,) if strip else ())
        case ContentAction.HOLD:
            return Finding(Action.HOLD, (reason,))
        case ContentAction.RETURN:
            return Finding(Action.RETURN, (reason,))
