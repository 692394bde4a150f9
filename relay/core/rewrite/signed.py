"""Lists the OpenPGP and S/MIME signatures that a change makes invalid.

The change may be necessary all the same, but a reader who verifies the signature will see that it is invalid.
"""

from collections.abc import Iterable

from relay.core.mail.edits import Edit
from relay.core.mail.mime import Part
from relay.core.rewrite.plan import Change


def broken(root: Part, start: int, end: int) -> list[Change]:
    """Returns one `Change` for each signature that covers the octets from `start` to `end`."""
    return broken_by(root, [Edit(start, end, b"")])


def broken_by(root: Part, edits: Iterable[Edit[bytes]]) -> list[Change]:
    """Returns one `Change` for each signature over octets that one of the edits replaces."""
    signed = [part for part in root.walk() if part.content_type == "multipart/signed"]
    edits = list(edits) if signed else []
    return [
        Change("signature no longer valid", part.path, part.body_start, part.end, "signed text changed")
        for part in signed
        if any(part.body_start <= edit.start and edit.end <= part.end for edit in edits)
    ]
