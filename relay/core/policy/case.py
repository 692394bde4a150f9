"""Defines the input of every rule (a case) and its output (a finding)."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Facts
from relay.core.model.kind import NO_INFERENCE, Inference
from relay.core.model.message import Incoming
from relay.core.model.pair import Side
from relay.core.model.party import Role
from relay.core.model.policy import ContentAction, Policy
from relay.core.model.reason import Reason
from relay.core.model.verdict import Action, Strip

if TYPE_CHECKING:  # the module imports this one
    from relay.core.policy.content.reading import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """The reasons why a seller's message does not count as unsolicited.

    `answer`: one reason if the message answers the buyer, else empty. `marks`: one reason for each mark of importance
    that the seller set. `denied`: the reason why these marks do not count; None if they count or the seller set no
    mark.
    """

    answer: tuple[Reason, ...] = ()
    marks: tuple[Reason, ...] = ()
    denied: Reason | None = None

    @property
    def is_answer(self) -> bool:
        return bool(self.answer)

    @property
    def is_marked(self) -> bool:
        """Whether the message has a mark of importance that counts, and is not an answer."""
        return bool(self.marks) and not self.answer and self.denied is None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons by which the message passes an opt-out and, for marks, a full quota; empty if none counts."""
        return self.answer + (self.marks if self.denied is None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderCase:
    """The parties and the header of a message for one recipient; the message may not be written yet.

    `exemption` is set by `bypass.exempted`. Before that call it is empty, so the message passes no opt-out. `inferred`
    is the kind that the text shows, OTHER for a message that is not written yet.
    """

    head: Head
    facts: Facts
    writer: Writer
    policy: Policy
    now: datetime
    exemption: Exemption = Exemption()
    inferred: Inference = NO_INFERENCE

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
        """Whether a program wrote the message, as far as the relay can tell."""
        return self.automatic not in {Automatic.NO, Automatic.TYPED}

    @property
    def automatic(self) -> Automatic:
        return self.facts.automatic


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(HeaderCase):
    """A whole message for one recipient; `root` is the parsed content of `incoming`.

    `texts` are the texts as the policy reads them, None if they have not been read.
    """

    incoming: Incoming
    root: Part
    texts: "tuple[Text, ...] | None" = None

    @property
    def is_marked(self) -> bool:
        """Whether the header or the envelope marks the message as automatic, so that it may get no notice."""
        return automatic(self.incoming, self.head) is not Automatic.NO


def automatic(incoming: Incoming, head: Head) -> Automatic:
    """Returns the class of automatic mail that the marks of the message show.

    A message with the null sender is a reply, because only reports and automatic replies have that sender (RFC 5321
    §4.5.5, RFC 3834 §3.3). For any other message the header decides.
    """
    return head.automatic if incoming.mail_from else Automatic.REPLY


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one rule, which `decide` weighs against the results of the other rules.

    With the action RELAY, `reasons` explain a special treatment, such as an opt-out that the message passes. If
    `ends_stage` is true, no later rule of the stage runs. All other fields have the same meanings as in `Verdict`.
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
    """Returns the finding for a configured action and its reason, or None for ALLOW.

    For WARN and STRIP the message is relayed, and the writer gets `reason` as a warning. STRIP also removes the place
    `strip`. For HOLD and RETURN `reason` is the reason of the action.
    """
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
