"""Shows a message as a person reads it, line by line: decoded fields, decoded text, and attachments.

Attachments are shown by name, size and hash. A comparison of such lines shows the changes of a rewrite; no mail is made
from them. A message that cannot be split is shown as it is.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from relay.core.mail import encodings, textbody, words
from relay.core.mail.mime import MimeError, MimeLimits, Part, raw_value, split

_HASH_DIGITS: Final = 16


def lines(content: bytes) -> list[str]:
    """Returns the lines of all parts in their order; each nested part has a heading with its path."""
    try:
        root = split(content, MimeLimits.WIDE)
    except MimeError:
        return words.to_text(content).splitlines()
    return [line for part in root.walk() for line in _part(content, part)]


def _part(content: bytes, part: Part) -> Iterator[str]:
    if part.path:
        yield f"[part {part.path}]"
    for field in part.fields:
        name = content[field.start : field.value_start].rstrip(b": \t").decode("latin-1")
        yield f"{name}: {' '.join(words.decode(raw_value(content, field), part.hint.charset).split())}"
    yield ""
    if part.children:
        return
    body = content[part.body_start : part.end]
    if part.content_type.startswith("text/") and part.disposition != "attachment":
        yield from textbody.read(body, part).text.splitlines()
    else:
        yield _attachment(encodings.decode(body, part.encoding), part)


def _attachment(octets: bytes, part: Part) -> str:
    digest = hashlib.sha256(octets).hexdigest()[:_HASH_DIGITS]
    return f"[{part.filename or part.content_type}: {len(octets):,} bytes, SHA-256 {digest}…]"
