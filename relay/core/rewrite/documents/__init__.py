"""What pictures and documents say of their maker beside what they show (R-REW-06): places, cameras, authors.

`strip` is the pass; `images` cuts by segment and chunk, so that no pixel is coded anew; `ooxml`, `ole` and `pdf` empty
the author fields; `signatures` finds keys and signatures, which name their owner. Octets in, octets out; what is
damaged or too big stays as it is, and the record says so.
"""

from relay.core.rewrite.documents.strip import apply

__all__ = ["apply"]
