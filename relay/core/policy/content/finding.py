"""Defines the finding of a content rule, and the hit that a detector returns for one text."""

from typing import NamedTuple

from relay.core.model.policy import ContentAction
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Strip


class ContentFinding(NamedTuple):
    """A finding with the action that the policy configures for it, which is never ALLOW.

    `strip` is the place to cut out if the action is STRIP, and None for every other action.
    """

    action: ContentAction
    reason: Reason
    strip: Strip | None = None


class Hit(NamedTuple):
    """A hit of a detector at the characters `[start:end]` of a text.

    `value` may be shown in a notice. It is the host of a link, or the sort of contact data (`email`, `phone`,
    `account`, `other`), but never a whole address or telephone number.
    """

    code: ReasonCode
    start: int
    end: int
    value: str = ""
