"""Examines the content of a message: attachments and tracking pixels of both sides, and the texts of sellers.

The rules `attachments` and `writing` call this package. For most mail one pass over each text is enough: `clues` finds
out, before anything is parsed, which detectors are not needed. The time is linear in the size of the message.
"""

from relay.core.policy.content.finding import ContentFinding
from relay.core.policy.content.inferring import with_texts
from relay.core.policy.content.judge import TEXT_CODES, contradicts, of_attachments, of_pixels, of_text, weighed

__all__ = [
    "TEXT_CODES",
    "ContentFinding",
    "contradicts",
    "of_attachments",
    "of_pixels",
    "of_text",
    "weighed",
    "with_texts",
]
