"""Removes what pictures and documents say of their maker beside their visible content (R-REW-06): places, cameras,
authors.

`strip` is the pass; `images` cuts by segment and chunk; `tiff` and `heif` leave zeros in place of removed data, so
that no pixel is encoded again; `ooxml`, `ole` (in the streams of `compound`) and `pdf` empty the author fields. All
take octets and return octets in linear time; a file that is damaged or too big stays as it is, and the record says
so.
"""

from relay.core.rewrite.documents.strip import apply

__all__ = ["apply"]
