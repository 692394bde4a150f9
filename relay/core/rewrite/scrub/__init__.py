"""Hides every known address of both parties and every name of the writer's machines (R-REW-01, R-REW-04).

To scrub a text is to replace all hidden values in it. Hidden values are found in all forms in which they can be
written, because a text is searched in all its readings: decoded in each way in which a program or a person may read it.
Octets that need no change stay as they are, and each change is listed (R-REW-08).

`find` knows the hidden values, and `search` looks for them in all readings of a text. `bodies`, `fields` and
`structure` know the places that can contain hidden values. `scrub` goes through a message once and collects the edits.
"""

from relay.core.rewrite.scrub.find import addresses, domain_pattern, mailbox_pattern
from relay.core.rewrite.scrub.names import name_pattern, names
from relay.core.rewrite.scrub.scrub import apply, in_text

__all__ = ["apply", "forget", "in_text"]


def forget() -> None:
    """Drops the compiled patterns for addresses and names of people, which are cached between messages."""
    for kept in (addresses, domain_pattern, mailbox_pattern, names, name_pattern):
        kept.cache_clear()
