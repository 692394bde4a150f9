"""Removes data about the maker from pictures and documents (R-REW-06): places, cameras, authors.

`strip` is the pass. `images` removes segments and chunks. `tiff` and `heif` overwrite removed data with zeros, so that
the pixels need not be encoded again. `ooxml`, `ole` (in the streams of `compound`) and `pdf` empty the author fields.
All cleaning functions take the octets of a file and return octets, in linear time. They raise UncleanableError for a
file that they cannot clean, such as a damaged file. `strip` leaves such a file unchanged and notes that in the record.
"""

from relay.core.rewrite.documents.strip import apply

__all__ = ["apply"]
