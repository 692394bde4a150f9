"""The input and the output of every rule: a case, and what a rule finds in it."""

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
class Exemption:
    """Why a seller's message counts as solicited.

    `answer`: the reason if it answers the buyer. `marks`: the reasons from marks of importance that the seller set.
    `denied`: why these marks do not count, None if they do.
    """

    answer: tuple[Reason, ...] = ()
    marks: tuple[Reason, ...] = ()
    denied: Reason | None = None

    @property
    def is_answer(self) -> bool:
        return bool(self.answer)

    @property
    def is_marked(self) -> bool:
        """Whether a mark that counts is the only exemption."""
        return bool(self.marks) and not self.answer and self.denied is None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All reasons that lift an opt-out or (marks) a full quota; empty if none counts."""
        return self.answer + (self.marks if self.denied is None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderCase:
    """A message for one recipient as far as its parties and its header tell; it may not be written yet.

    `exemption` is set by `bypass.exempted`; without that call nothing is exempt.
    """

    head: Head
    facts: Facts
    writer: Writer
    policy: Policy
    now: datetime
    exemption: Exemption = Exemption()

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
        return self.head.automatic


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(HeaderCase):
    """A whole message for one recipient."""

    incoming: Incoming
    root: Part

    @property
    def automatic(self) -> Automatic:
        return automatic(self.incoming, self.head)


def automatic(incoming: Incoming, head: Head) -> Automatic:
    """Returns the class of automatic mail that the header gives the message.

    The null sender means a reply: only reports and automatic replies have it (RFC 5321 §4.5.5, RFC 3834 §3.3).
    """
    return head.automatic if incoming.mail_from else Automatic.REPLY


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a rule, which `decide` weighs against those of the other rules.

    RELAY with reasons says why a message passes although something could have stopped it. `ends_stage`: no later rule
    of the stage is asked. The further fields are those of `Verdict`.
    """

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
    ends_stage: bool = False


def acting(action: ContentAction, reason: Reason, strip: Strip | None = None) -> Finding | None:
    """The finding for a configured action; None for ALLOW. The writer is warned of what is stripped."""
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
