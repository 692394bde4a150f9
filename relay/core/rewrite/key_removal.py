"""Takes keys and signatures out of a message where the marketplace's setting says so (R-REW-06)."""

from collections.abc import Sequence

from relay.core.mail import mime, words
from relay.core.mail.edits import Edit
from relay.core.mail.key_material import KeyMaterial
from relay.core.mail.mime import Part
from relay.core.rewrite import textedit
from relay.core.rewrite.plan import Cutout


def cutouts(owned: Sequence[KeyMaterial], placeholder: str) -> list[Cutout]:
    """All but what is over a whole multipart."""
    return [
        Cutout(path, start, end, "" if is_signature else placeholder)
        for path, start, end, is_signature in owned
        if start is not None or not is_signature
    ]


def unsigned(content: bytes, part: Part) -> tuple[Edit[bytes], Edit[bytes]]:
    """A signed multipart becomes a plain one of its first part alone. Edits of its header and of its end."""
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
