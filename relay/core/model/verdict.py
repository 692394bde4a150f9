"""What policy decided about one message for one recipient, with its reasons (R-POL-16)."""

from dataclasses import dataclass
from enum import StrEnum

from relay.core.model.kind import Kind
from relay.core.model.reason import Reason


class Action(StrEnum):
    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`reasons` explain the action; the first is the one that a notice names. `notify`: whether the writer is told
    by a notice (never for automatic mail, RFC 3834 §2). `policy_version` names the policy that judged.
    `unsolicited`: an opt-out that comes before it is sent would stop it (R-POL-02)."""

    action: Action
    reasons: tuple[Reason, ...]
    kind: Kind
    notify: bool
    policy_version: str
    unsolicited: bool = False
