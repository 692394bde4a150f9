"""The finding of a content rule, and the short form that a detector returns for one text."""

from typing import NamedTuple

from relay.core.model.policy import ContentAction
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Strip


class ContentFinding(NamedTuple):
    """One finding with its configured action, which is never ALLOW.

    `strip` is the place that STRIP cuts out, None for every other action.
    """

    action: ContentAction
    reason: Reason
    strip: Strip | None = None


class Hit(NamedTuple):
    """A hit at `[start:end]` of a text as it is read.

    `value` may be shown in a notice: the host of a link, the sort of contact data (`email`, `phone`, `account`), never
    a whole address or number.
    """

    code: ReasonCode
    start: int
    end: int
    value: str = ""
