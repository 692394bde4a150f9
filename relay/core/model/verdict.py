"""What policy decided about one message for one recipient, with its reasons (R-POL-16)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.core.model.kind import Kind
from relay.core.model.reason import Reason, ReasonCode


class Action(StrEnum):
    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """What is cut out before the message goes on, and why. `part` is a MIME part's path; `start` and `end` are offsets
    in its decoded text, both None for the whole part. `name` stands in the placeholder: a file name, a host."""

    part: str
    code: ReasonCode
    name: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`reasons` explain the action; the first is the one that a notice names. `warnings`: what did not stop it but is
    told to the writer, what was stripped included. `notify`: whether the writer is told by a notice (never for
    automatic mail, RFC 3834 §2). `policy_version` names the policy that judged. `unsolicited`: an opt-out that comes
    before it is sent would stop it (R-POL-02).

    `not_before`: when it may leave by itself; with HOLD, when the hold ends by itself (R-POL-11, R-POL-12).
    `disclosed_until`: what the writer may know of that; the end of a buyer's quiet hours would tell where he lives.
    `counted`: uses up a message of the day's quotas; `bypass`: uses up a mark of importance; `misuse`: points that
    the mark costs (R-POL-06). `remaining`: messages left today after this one, None without a quota. `to_operator`:
    goes to the operator in the recipient's place (R-POL-13)."""

    action: Action
    reasons: tuple[Reason, ...]
    kind: Kind
    notify: bool
    policy_version: str
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

    @property
    def main_reason(self) -> Reason:
        """The one that a notice names; there is one whenever `notify` is set."""
        return self.warnings[0] if self.action is Action.RELAY else self.reasons[0]
