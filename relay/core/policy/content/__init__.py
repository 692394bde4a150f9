"""Examines the content of a message: attachments of both sides, and links, contact data and promotion by sellers.

The rules `attachments` and `writing` call this package. For most mail one pass over each text is enough: `clues` finds
out, before anything is parsed, which detectors are not needed. The time is linear in the size of the message.
"""

from relay.core.policy.content.finding import ContentFinding
from relay.core.policy.content.judge import TEXT_CODES, contradicts, of_attachments, of_text, weighed

__all__ = ["TEXT_CODES", "ContentFinding", "contradicts", "of_attachments", "of_text", "weighed"]
