"""Removes keys and signatures from a message if the setting of the marketplace says so (R-REW-06)."""

from collections.abc import Sequence

from relay.core.mail import mime, words
from relay.core.mail.edits import Edit
from relay.core.mail.key_material import KeyMaterial
from relay.core.mail.mime import Part
from relay.core.rewrite import textedit
from relay.core.rewrite.plan import Cutout


def cutouts(owned: Sequence[KeyMaterial], placeholder: str) -> list[Cutout]:
    """Returns the cutouts that remove keys and signatures, except signatures over a whole multipart.

    `placeholder` is put in the place of a key; a signature is removed without a placeholder.
    """
    return [
        Cutout(path, start, end, "" if is_signature else placeholder)
        for path, start, end, is_signature in owned
        if start is not None or not is_signature
    ]


def unsigned(content: bytes, part: Part) -> tuple[Edit[bytes], Edit[bytes]]:
    """Returns two edits that turn a signed multipart into a plain multipart with only its first part.

    The first edit changes the header of the multipart, and the second removes the other parts.
    """
    boundary = part.params.get("boundary", "")
    kind = f" multipart/mixed{words.parameter('boundary', boundary)}\r\n".encode("ascii", "replace")
    header = textedit.with_fields(content[part.header_start : part.body_start], {"Content-Type": kind})
    line = b"\r\n" + mime.boundary_line(boundary) + b"--"
    first, last = part.children[0], part.children[-1]
    is_closed = content.startswith(line, last.end)
    return (
        Edit(part.header_start, part.body_start, header),
        Edit(first.end, last.end, b"" if is_closed else line + b"\r\n"),
    )
