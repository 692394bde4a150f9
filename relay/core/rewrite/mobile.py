"""The pass for readers at a mobile carrier (R-ADR-03), whose phones may show only plain text.

Such a phone shows an HTML mail as an empty mail. So the pass puts a text before each HTML part that has no text
alternative, and moves a text that stands after its HTML before the HTML. The pass runs last, because it makes the text
from the content that the reader gets, including the footer. Carriers also return long lines, and old phones cut or
return mails of a few hundred KB; `longlines` and the limits of the policy take care of that.
"""

from collections.abc import Iterator
from typing import Final

from relay.core import keyed
from relay.core.mail import encodings, mime, textbody, words
from relay.core.mail.edits import Edit
from relay.core.mail.mime import MimeLimits, Part
from relay.core.rewrite import assemble, plaintext, scrub, textedit
from relay.core.rewrite.plan import Change, Draft, Plan

_WHY: Final = "the reader's carrier shows text first"
_LONGEST: Final = 998


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft with text before HTML.

    For a part that is moved or wrapped, one edit replaces all earlier edits inside the part.
    """
    if not plan.mobile:
        return draft
    for part in _lonely(draft.root):
        draft = _with_text(draft, plan, part)
    for html, text in _reversed(draft.root):
        draft = _swapped(draft, html, text)
    return draft


def _lonely(part: Part) -> Iterator[Part]:
    """Yields each part that shows HTML without a text alternative. The part includes the pictures of the HTML."""
    kind, first = part.content_type, part.children[:1]
    shown = (part,) if kind == "text/html" else first if kind == "multipart/related" else ()
    if shown and shown[0].content_type == "text/html" and part.disposition != "attachment":
        yield part
    elif kind == "multipart/mixed" or (kind == "multipart/alternative" and not _text(part)):
        for child in part.children:
            yield from _lonely(child)


def _reversed(part: Part) -> Iterator[tuple[Part, Part]]:
    """Yields pairs of parts in the wrong order: a part, and its text alternative that stands after it."""
    if part.content_type == "multipart/alternative":
        text = _text(part)
        if text and text is not part.children[0]:
            yield part.children[0], text
    elif part.content_type == "multipart/mixed":
        for child in part.children:
            yield from _reversed(child)


def _text(part: Part) -> Part | None:
    return next((child for child in part.children if child.content_type == "text/plain"), None)


def _with_text(draft: Draft, plan: Plan, part: Part) -> Draft:
    """Returns the draft with the part wrapped in a multipart/alternative, after a text with the same content."""
    is_root = part is draft.root
    start = part.body_start if is_root else part.header_start
    entity, others = _as_it_stands(draft, start, part.end)
    own = b"".join(name.encode("ascii") + b":" + value for name, value in draft.fields if _is_content(name))
    if is_root:
        entity = own + b"\r\n" + entity
    text = scrub.in_text(draft, plan, plaintext.of_html(_html(entity)))
    if not text:
        return draft
    boundary = f"=_{keyed.base32(keyed.tag(plan.thread_key, 'text', plan.message_id + part.path, size=15))}"
    line = mime.boundary_line(boundary)
    body = b"\r\n".join((line, _text_part(text), line, entity, line + b"--"))
    kind = ("multipart/alternative" + words.parameter("boundary", boundary)).encode("ascii")
    if is_root:
        kept = tuple(field for field in draft.fields if not _is_content(field[0]))
        draft = draft._replace(fields=(*kept, ("Content-Type", b" " + kind + b"\r\n")))
        edit = Edit(start, part.end, body + b"\r\n")
    else:
        edit = Edit(start, part.end, b"Content-Type: " + kind + b"\r\n\r\n" + body)
    added = Change("text added", part.path, start, part.end, _WHY)
    return draft._replace(edits=(*others, edit), changes=(*draft.changes, added))


def _is_content(name: str) -> bool:
    return name.lower().startswith("content-")


def _html(entity: bytes) -> str:
    """Returns the decoded text of the first HTML part in the entity."""
    root = mime.split(entity, MimeLimits.WIDE)
    html = next((part for part in root.walk() if part.content_type == "text/html"), root)
    return textbody.read(entity[html.body_start : html.end], html).text


def _text_part(text: str) -> bytes:
    octets = text.replace("\n", "\r\n").encode("utf-8", "replace").removesuffix(b"\r\n")
    if octets.isascii() and max(map(len, octets.split(b"\r\n"))) <= _LONGEST:
        encoding = "7bit"
    else:
        encoding = encodings.seven_bit_encoding(octets)
    return b"".join(
        (
            b"Content-Type: text/plain; charset=utf-8\r\n",
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii"),
            textedit.encoded(octets, encoding),
        )
    )


def _swapped(draft: Draft, html: Part, text: Part) -> Draft:
    first, others = _as_it_stands(draft, html.header_start, html.end)
    second, others = _as_it_stands(draft._replace(edits=others), text.header_start, text.end)
    edits = (Edit(html.header_start, html.end, second), Edit(text.header_start, text.end, first))
    moved = Change("moved", text.path, text.header_start, text.end, _WHY)
    return draft._replace(edits=(*others, *edits), changes=(*draft.changes, moved))


def _as_it_stands(draft: Draft, start: int, end: int) -> tuple[bytes, tuple[Edit[bytes], ...]]:
    """Returns the octets of a range as earlier passes left them, and the edits outside of the range."""
    inside, others = assemble.parted(draft.edits, start, end)
    return assemble.section(draft.content, start, end, inside), tuple(others)
