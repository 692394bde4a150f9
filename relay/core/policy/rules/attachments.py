"""Judges the attachments of both sides (R-POL-07); `content.attachments` examines them."""

from collections.abc import Iterator

from relay.core.model.reason import ReasonCode
from relay.core.policy import content
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    yield from content.weighed(content.of_attachments(case))


RULE = MessageRule(
    stage=Stage.CONTENT,
    rank=10,
    reasons=(
        ReasonCode.ATTACHMENT_TYPE,
        ReasonCode.ATTACHMENT_DISGUISED,
        ReasonCode.ATTACHMENT_TOO_BIG,
        ReasonCode.ATTACHMENT_UNREADABLE,
    ),
    settings=("attachments",),
    judge=judge,
)
