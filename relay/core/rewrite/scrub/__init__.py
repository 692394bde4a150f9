"""No known address of either party and no name of the writer's machines passes, however it is written (R-REW-01,
R-REW-04); what need not change does not, and each change is listed (R-REW-08).

`find` knows the secrets, `reading` what a client makes of a text, `bodies`, `fields` and `structure` the places where
they stand; `scrub` goes through a message once and gathers the edits.
"""

from relay.core.rewrite.scrub.scrub import apply, in_text

__all__ = ["apply", "in_text"]
