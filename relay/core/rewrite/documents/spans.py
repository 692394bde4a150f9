"""Keeps ranges of a file and fills the rest with zeros, for formats that refer to data by offset, from which nothing
can be cut.
"""

from collections.abc import Iterable, Iterator

from relay.core.rewrite.documents.damage import UncleanableError


def only(octets: bytes, kept: Iterable[tuple[int, int]], anew: Iterable[tuple[int, bytes]]) -> bytes:
    """Returns zeros except for the ranges `kept`, which may overlap, and for the octets `anew`, which are written
    and may overlap no other range.

    Linear in both. Raises UncleanableError.
    """
    new = bytearray(len(octets))
    done, is_anew = 0, False
    spans = sorted((*((*span, None) for span in kept), *_placed(anew)), key=lambda span: span[:2])
    for start, end, written in spans:
        if start >= end:
            continue
        if start < done and (is_anew or written is not None):
            raise UncleanableError("the picture is written in an unusual way")
        if written is not None:
            new[start:end] = written
        elif end > done:
            new[max(start, done) : end] = octets[max(start, done) : end]
        if end > done:
            done, is_anew = end, written is not None
    return bytes(new)


def _placed(anew: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    for start, written in anew:
        yield start, start + len(written), written
