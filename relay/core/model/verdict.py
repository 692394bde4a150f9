"""The verdict: the policy's answer about one message for one recipient, with its reasons (R-POL-16)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.core.model.kind import Evidence, Kind
from relay.core.model.reason import Reason, ReasonCode


class Action(StrEnum):
    """The action of a verdict."""

    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A MIME part, or a piece of its text, that is removed before the message is sent.

    `part` is the path of the MIME part. `start` and `end` are offsets in its decoded text, None for the whole part.
    `code` is the reason for the removal. `name` is the file name or the host that the placeholder names.
    """

    part: str
    code: ReasonCode
    name: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The policy's answer about one message for one recipient.

    `reasons` explain the action; a notice names the first of them. `warnings` did not stop the message, but the writer
    gets a notice about them; they include the reasons of removed parts. `notify` is True if the writer gets a notice,
    which is never so for automatic mail (RFC 3834 §2). `policy_version` is the version of the policy. `unsolicited` is
    True if the buyer can still stop the message by an opt-out before it is sent (R-POL-02).

    `not_before` is the earliest time of sending; for HOLD it is the time at which the hold ends without a decision
    (R-POL-11, R-POL-12). `disclosed_until` is the time that the writer is shown instead of `not_before`, because the
    end of a buyer's quiet hours would reveal the buyer's time zone.

    `counted` is True if the message counts for the quotas of the day. `bypass` is True if it uses a mark of importance,
    and `misuse` are the points that this mark costs (R-POL-06). `remaining` is the number of messages that the writer
    may still send today, None if no quota applies. `to_operator` is True if the message is sent to the operator instead
    of the recipient (R-POL-13).

    `evidence` are the phrases from which `kind` was inferred; it is empty if the writer or the thread gives the kind
    (R-POL-21).

    `kept` is set if this verdict only delays another verdict until `not_before` (R-POL-11); it is then the other
    verdict, and `strips` are those of the other verdict.
    """

    action: Action
    reasons: tuple[Reason, ...]
    kind: Kind
    notify: bool
    policy_version: str
    evidence: tuple[Evidence, ...] = ()
    unsolicited: bool = False
    warnings: tuple[Reason, ...] = ()
    strips: tuple[Strip, ...] = ()
    not_before: datetime | None = None
    disclosed_until: datetime | None = None
    counted: bool = False
    bypass: bool = False
    misuse: int = 0
    remaining: int | None = None
    to_operator: bool = False
    kept: "Verdict | None" = None

    @property
    def main_reason(self) -> Reason:
        """The reason that a notice names; there is always one if `notify` is True."""
        return self.warnings[0] if self.action is Action.RELAY else self.reasons[0]
