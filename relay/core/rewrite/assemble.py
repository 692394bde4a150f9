"""Joins the new header and the body with its edits into one message; each octet is copied once."""

from collections.abc import Iterable

from relay.core.mail.edits import Edit, pieces


def assemble(original: bytes, body_start: int, header: bytes, edits: Iterable[Edit[bytes]]) -> bytes:
    """Returns the outgoing message.

    `header` is without its empty line; edits begin at `body_start` or later. Raises ValueError when edits overlap or
    leave the body.
    """
    return b"".join((header, b"\r\n", *pieces(original, edits, body_start, len(original))))


def section(original: bytes, start: int, end: int, edits: Iterable[Edit[bytes]]) -> bytes:
    """Returns `original[start:end]` after its edits.

    The body alone is `section(original, body_start, len(original), edits)`. Raises ValueError when edits overlap or
    leave the section.
    """
    return b"".join(pieces(original, edits, start, end))


def parted(edits: Iterable[Edit[bytes]], start: int, end: int) -> tuple[list[Edit[bytes]], list[Edit[bytes]]]:
    """Returns the edits inside a section, and all others.

    The edits are read only once, because a hostile text causes hundreds of thousands of them.
    """
    inside: list[Edit[bytes]] = []
    others: list[Edit[bytes]] = []
    for edit in edits:
        (inside if start <= edit.start and edit.end <= end else others).append(edit)
    return inside, others
