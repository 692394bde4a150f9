"""Joining the new header, the untouched body and its edits: one pass, one copy."""

from collections.abc import Iterable, Iterator

from relay.core.rewrite.plan import Edit


def assemble(original: bytes, body_start: int, header: bytes, edits: Iterable[Edit]) -> bytes:
    """The outgoing message. `header` is without its empty line; edits begin at `body_start` or later. Raises
    ValueError when edits overlap or leave the body."""
    return b"".join((header, b"\r\n", *_pieces(original, body_start, len(original), edits)))


def section(original: bytes, start: int, end: int, edits: Iterable[Edit]) -> bytes:
    """`original[start:end]` after its edits; the body alone is `section(original, body_start, len(original), edits)`.
    Raises ValueError as above."""
    return b"".join(_pieces(original, start, end, edits))


def parted(edits: Iterable[Edit], start: int, end: int) -> tuple[list[Edit], list[Edit]]:
    """Those inside a section, and all others; in one go, for a hostile text is given hundreds of thousands."""
    inside: list[Edit] = []
    others: list[Edit] = []
    for edit in edits:
        (inside if start <= edit.start and edit.end <= end else others).append(edit)
    return inside, others


def _pieces(original: bytes, start: int, end: int, edits: Iterable[Edit]) -> Iterator[bytes | memoryview]:
    view = memoryview(original)
    for edit in sorted(edits):
        if not start <= edit.start <= edit.end <= end:
            raise ValueError("edits overlap or leave their section")
        yield view[start : edit.start]
        yield edit.replacement
        start = edit.end
    yield view[start:end]
