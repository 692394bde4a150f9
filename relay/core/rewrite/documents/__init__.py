"""Removes data about the maker from pictures and documents (R-REW-06): places, cameras, authors.

`strip` is the pass. `images` removes segments and chunks. `tiff` and `heif` put zeros in place of removed data, so that
no pixel is encoded again. `ooxml`, `ole` (in the streams of `compound`) and `pdf` empty the author fields. All
functions take octets and return octets in linear time. They raise UncleanableError for a file that they cannot clean,
such as a damaged one; `strip` leaves it as it is, and the record says so.
"""

from relay.core.rewrite.documents.strip import apply

__all__ = ["apply"]
