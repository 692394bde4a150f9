"""What a content rule finds, and the short form in which a rule says it of one text."""

from typing import NamedTuple

from relay.core.model.policy import ContentAction
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Strip


class ContentFinding(NamedTuple):
    """One finding with the action that the policy has for it, never ALLOW. `strip` says what STRIP cuts out, and is
    None for every other action."""

    action: ContentAction
    reason: Reason
    strip: Strip | None = None


class Hit(NamedTuple):
    """What a rule found at `[start:end]` of a text as it is read. `value` is what a notice may name of it: the host of
    a link, the sort of contact data (`email`, `phone`, `account`), never a whole address or number."""

    code: ReasonCode
    start: int
    end: int
    value: str = ""
