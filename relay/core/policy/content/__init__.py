"""What a message holds, judged: attachments whoever writes, and of sellers links, contact data and promotion.

`judge` gives every finding with its configured action; `decide` weighs them. Most mail costs one pass: `clues` rules out
each rule that has nothing to look at, before anything is parsed. All is linear in the size of the message.
"""

from relay.core.policy.content.finding import ContentFinding
from relay.core.policy.content.judge import contradicts, judge

__all__ = ["ContentFinding", "contradicts", "judge"]
