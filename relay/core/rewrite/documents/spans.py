"""Keeps ranges of a file and overwrites all other octets with zeros.

The function is for formats that refer to data by offset, because no octet may be removed from such files.
"""

from collections.abc import Iterable, Iterator

from relay.core.rewrite.documents.damage import UncleanableError


def only(octets: bytes, kept: Iterable[tuple[int, int]], replaced: Iterable[tuple[int, bytes]]) -> bytes:
    """Returns the file with the ranges `kept` and the octets `replaced`, and zeros everywhere else.

    The ranges `kept` may overlap each other. Each of `replaced` is an offset and the new octets for it. Raises
    UncleanableError if new octets overlap another range. The time grows about linearly with the size of the file and
    the number of ranges.
    """
    new = bytearray(len(octets))
    done, is_replaced = 0, False
    spans = sorted((*((*span, None) for span in kept), *_placed(replaced)), key=lambda span: span[:2])
    for start, end, written in spans:
        if start >= end:
            continue
        if start < done and (is_replaced or written is not None):
            raise UncleanableError("the picture is written in an unusual way")
        if written is not None:
            new[start:end] = written
        elif end > done:
            new[max(start, done) : end] = octets[max(start, done) : end]
        if end > done:
            done, is_replaced = end, written is not None
    return bytes(new)


def _placed(replaced: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    for start, written in replaced:
        yield start, start + len(written), written
