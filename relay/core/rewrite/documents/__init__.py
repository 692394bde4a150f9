"""What pictures and documents say of their maker beside what they show (R-REW-06): places, cameras, authors.

`strip` is the pass; `images` cuts by segment and chunk, `tiff` and `heif` leave zeros where something was, so that no
pixel is coded anew; `ooxml`, `ole` (in the streams of `compound`) and `pdf` empty the author fields; `signatures` finds
keys and signatures, which name their owner. Octets in, octets out, in linear time; what is damaged or too big stays as
it is, and the record says so.
"""

from relay.core.rewrite.documents.strip import apply

__all__ = ["apply"]
