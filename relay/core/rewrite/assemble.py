"""Joins the new header and the edited body into one message, and copies each octet only once."""

from collections.abc import Iterable

from relay.core.mail.edits import Edit, pieces


def assemble(original: bytes, body_start: int, header: bytes, edits: Iterable[Edit[bytes]]) -> bytes:
    """Returns the outgoing message: `header`, an empty line, and the body of `original` with its edits.

    `header` has no empty line at its end. All edits must begin at `body_start` or later. Raises ValueError if edits
    overlap or lie outside the body.
    """
    return b"".join((header, b"\r\n", *pieces(original, edits, body_start, len(original))))


def section(original: bytes, start: int, end: int, edits: Iterable[Edit[bytes]]) -> bytes:
    """Returns `original[start:end]` with its edits made.

    For example, `section(original, body_start, len(original), edits)` is the new body. Raises ValueError if edits
    overlap or lie outside the section.
    """
    return b"".join(pieces(original, edits, start, end))


def parted(edits: Iterable[Edit[bytes]], start: int, end: int) -> tuple[list[Edit[bytes]], list[Edit[bytes]]]:
    """Returns the edits inside the range from `start` to `end`, and all other edits.

    The edits are read only once, because a hostile text can cause hundreds of thousands of edits.
    """
    inside: list[Edit[bytes]] = []
    others: list[Edit[bytes]] = []
    for edit in edits:
        (inside if start <= edit.start and edit.end <= end else others).append(edit)
    return inside, others
