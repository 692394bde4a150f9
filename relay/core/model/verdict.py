"""The policy's decision about one message for one recipient, with its reasons (R-POL-16)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.core.model.kind import Kind
from relay.core.model.reason import Reason, ReasonCode


class Action(StrEnum):
    """The action of a verdict."""

    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A part or a text that is removed before the message is sent, with its reason.

    `part` is the path of a MIME part; `start` and `end` are offsets in its decoded text, both None for the whole part.
    `name` is the name in the placeholder: a file name or a host.
    """

    part: str
    code: ReasonCode
    name: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision of a policy.

    `reasons` explain the action; a notice names the first. `warnings` did not stop the message but are reported to the
    writer, removed parts included. `notify`: the writer gets a notice (never for automatic mail, RFC 3834 §2).
    `policy_version` names the policy that judged. `unsolicited`: an opt-out that arrives before the message is sent
    would stop it (R-POL-02).

    `not_before` is the earliest time of sending; with HOLD it is the time at which the hold ends without a decision
    (R-POL-11, R-POL-12). `disclosed_until` is the time that the writer may know instead, because the end of a buyer's
    quiet hours would reveal the buyer's time zone. `counted`: it uses one message of the day's quotas. `bypass`: it
    uses one mark of importance; `misuse`: points that this mark costs (R-POL-06). `remaining` is the number of messages
    left today after this one, None without a quota. `to_operator`: it goes to the operator instead of the recipient
    (R-POL-13). `kept` is the real verdict where this one only keeps it back until `not_before` (R-POL-11); `strips` are
    then those of the real one.
    """

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
    kept: "Verdict | None" = None

    @property
    def main_reason(self) -> Reason:
        """The reason that a notice names; it exists whenever `notify` is set."""
        return self.warnings[0] if self.action is Action.RELAY else self.reasons[0]
