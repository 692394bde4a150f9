"""Looks into a message: attachments of both sides, and the links, contact data and promotion that sellers write.

The rules `attachments` and `writing` ask it. Most mail costs one pass: `clues` rules out each detector that has nothing
to look at, before anything is parsed. All is linear in the size of the message.
"""

from relay.core.policy.content.finding import ContentFinding
from relay.core.policy.content.judge import TEXT_CODES, contradicts, of_attachments, of_text, weighed

__all__ = ["TEXT_CODES", "ContentFinding", "contradicts", "of_attachments", "of_text", "weighed"]
