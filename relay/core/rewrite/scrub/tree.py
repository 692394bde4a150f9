"""Goes through the parts of a message, and of the messages that are encoded inside it.

The changes at each place become edits of the content from which the tree was split.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from relay.core.mail import body_kind, encodings, mime, readings, words
from relay.core.mail.body_kind import BodyKind
from relay.core.mail.edits import Edit, apply_edits, moved
from relay.core.mail.header_end import HeaderField
from relay.core.mail.mime import MimeError, MimeLimits, Part
from relay.core.rewrite import assemble, repair
from relay.core.rewrite.plan import NOT_LISTED, Change
from relay.core.rewrite.scrub import bodies, fields, search, structure
from relay.core.rewrite.scrub.fields import Search
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence
from relay.core.rewrite.scrub.structure import Place

_WHY: Final = {
    "address": "a party's mailbox",
    "host": "names a machine of the writer",
    "link": "leads to a machine or a domain of the writer",
    "content-id": "may name a machine of the writer",
    "name": "the writer's real name",
}
_STRUCTURE: Final = frozenset({"content-type", "content-transfer-encoding"})
_DISPUTED: Final = "mail programs do not agree on how to read it"
# The signs of encoded-words, percent-encoding, entities, quoted pairs and continuations, which may hide an address.
_ENCODED: Final = re.compile(rb"=\?|[%&\\*]")
_DISPOSITIONS: Final = frozenset({"inline", "attachment", "form-data"})
_LIMITS: Final = MimeLimits()


class Tree:
    """One message while it is scrubbed. `walk` adds to `edits` and `changes`."""

    def __init__(self, content: bytes, secrets: HiddenValues, *, depth: int = 0) -> None:
        self._content = content
        self._secrets = secrets
        self._depth = depth
        self.edits: list[Edit[bytes]] = []
        self.changes: list[Change] = []

    def walk(self, root: Part, *, is_message: bool) -> None:
        """Scrubs all parts under `root`.

        The header of `root` is scrubbed only if `is_message` is true, which says that `root` is a nested message.
        """
        for place in structure.places(root, is_message=is_message):
            if place.part is not root or is_message:
                self._header(place)
            self._body(place.part)

    # ------------------------------------------------------------ headers

    def quiet(self, values: Sequence[bytes]) -> list[bool]:
        """Returns for each value whether it surely contains no hidden value.

        The answer is True for values in which nothing is encoded, if a search of all these values finds nothing. If the
        message has Content-IDs to replace, the answer is False for all values.
        """
        if self._secrets.content_ids:
            return [False] * len(values)
        as_written = [value.isascii() and not _ENCODED.search(value) for value in values]
        text = b"".join([value for value, is_plain in zip(values, as_written, strict=True) if is_plain])
        found = self._secrets.find(text.decode("ascii"), whole=False, label=True)
        return [False] * len(values) if found else as_written

    def _header(self, place: Place) -> None:
        part = place.part
        boundary = self.boundary(place)
        quiet = not boundary and all(self.quiet([self._content[part.header_start : part.body_start]]))
        seen: set[str] = set()
        for field in part.fields:
            again = field.name in seen and not (place.signed and field.name not in _STRUCTURE)
            if again or not structure.may_stay(field.name, place):
                self.edits.append(Edit(field.start, field.end, b""))
                self.changes.append(Change("header dropped", part.path, field.start, field.end, NOT_LISTED))
                continue
            seen.add(field.name)
            # Comments and folding can hide an address in an address field from a search of its octets.
            looked_at = not quiet or (field.name in structure.ADDRESS_FIELDS and place.is_message)
            if looked_at or self._is_disputed(part, field):
                self._part_field(part, field, boundary)

    def _is_disputed(self, part: Part, field: HeaderField) -> bool:
        """Returns whether mail programs read a structure field differently.

        Such a field is written again in a form that all programs read in the same way.
        """
        if field.name in ("content-type", "content-disposition"):
            return words.are_disputed(mime.raw_value(self._content, field))
        if field.name == "content-transfer-encoding":
            return not _says(self._content[field.value_start : field.end], _encoding(part))
        return False

    def _part_field(self, part: Part, field: HeaderField, boundary: str | None) -> None:
        raw = self._content[field.value_start : field.end]
        new, hits = self.value(field.name, raw, part, boundary)
        if new != raw:
            self.edits.append(Edit(field.value_start, field.end, new))
        if new != raw and not hits:
            self.changes.append(Change("header rewritten", part.path, field.start, field.end, _DISPUTED))
        for hit in hits:
            self.note(hit, part.path, field.start, field.end)

    def value(self, name: str, raw: bytes, part: Part, boundary: str | None) -> tuple[bytes, list[Occurrence]]:
        """Returns the new value of the field `name` of a part, and the occurrences that were hidden.

        `raw` is the old value, and `boundary` is the new boundary of the part, or None if the boundary stays.
        """
        if name == "content-type":
            return self._content_type(raw, part, boundary)
        if name == "content-transfer-encoding":
            return (raw if _says(raw, _encoding(part)) else b" " + _encoding(part) + b"\r\n"), []
        if name == "content-disposition":
            known = words.parameters(words.unfold(raw), part.hint.charset)
            shown = part.disposition if part.disposition in _DISPOSITIONS else "attachment"  # RFC 2183 §2.8
            is_new = (bool(part.disposition) and shown != part.disposition) or words.are_disputed(words.unfold(raw))
            return fields.parameters(shown, raw, known, self._search(whole=False), force=is_new)
        if name == "content-id":
            new = self._secrets.content_ids.get(structure.content_id(raw))
            return (f" <{new}>\r\n".encode("ascii"), [Occurrence(0, 0, "", "content-id")]) if new else (raw, [])
        if name in structure.ADDRESS_FIELDS:
            return fields.mailboxes(raw, self._search())
        if name == "content-description":
            return fields.text(raw, self._search(whole=False))
        return fields.text(raw, self._search(label=False))

    def _search(self, *, whole: bool = True, label: bool = True) -> Search:
        return partial(search.occurrences, secrets=self._secrets, ways=readings.PLAIN, whole=whole, label=label)

    def _content_type(self, raw: bytes, part: Part, boundary: str | None) -> tuple[bytes, list[Occurrence]]:
        known = dict(part.params)
        start = self._secrets.content_ids.get(known.get("start", "").strip("<>"))
        if start:
            known["start"] = f"<{start}>"
        if boundary:
            known["boundary"] = boundary
        is_new = bool(start or boundary) or words.are_disputed(words.unfold(raw))
        return fields.parameters(part.content_type, raw, known, self._search(whole=False), force=is_new)

    # ------------------------------------------------------------ bodies

    def _body(self, part: Part) -> None:
        if part.children:
            if part.content_type.startswith("multipart/"):
                self._around_children(part)
            return
        start, end = part.body_start, part.end
        kind = body_kind.kind_of(self._content, part)
        if kind is BodyKind.MESSAGE and self._depth < _LIMITS.depth and self._message(part):
            return
        if kind is BodyKind.BINARY:
            # Only these bodies may be big; usually such a body costs no more than a byte search.
            signs = (b"@",) if part.encoding == "base64" else (b"@", b"=40")
            if all(self._content.find(sign, start, end) < 0 for sign in signs):
                return
            edits, hits = bodies.scrub_binary(self._content[start:end], part.encoding, self._secrets)
        else:
            edits, hits = bodies.scrub(self._content[start:end], part, kind, self._secrets)
        self._take(part, edits, hits)

    def _take(self, part: Part, raw_edits: Sequence[Edit[bytes]], hits: Sequence[Occurrence]) -> None:
        edits = moved(raw_edits, part.body_start)
        self.edits += edits
        # A base64 body has one edit for all its occurrences.
        for hit, edit in zip(hits, itertools.cycle(edits), strict=False):
            self.note(hit, part.path, edit.start, edit.end)

    def _message(self, part: Part) -> bool:
        """Scrubs the message that is encoded in the part, in the same way as the message around it.

        Returns True, or False if the part does not contain a message.
        """
        raw = self._content[part.body_start : part.end]
        octets = encodings.decode(raw, part.encoding)
        head = self._head_of_multipart(part)
        has_bare_lf = b"\r\n" not in octets
        content = head + (octets.replace(b"\n", b"\r\n") if has_bare_lf else octets)
        try:
            root = mime.split(content, _LIMITS)
        except MimeError:
            return False
        if not (root.children if head else any(field.name for field in root.fields)):
            return False
        mended = repair.apply(content, root, with_root=not head)
        content, root = mended.content, mended.root
        key, domain = self._secrets.key, self._secrets.domain
        renewed = structure.renewed_content_ids(content, root, domain, key)
        secrets = dataclasses.replace(self._secrets, content_ids={**self._secrets.content_ids, **renewed})
        inner = Tree(content, secrets, depth=self._depth + 1)
        inner.walk(root, is_message=not head)
        if inner.edits or mended.edits:
            new = assemble.section(content, len(head), len(content), inner.edits)
            edit = Edit(0, len(octets), new.replace(b"\r\n", b"\n") if has_bare_lf else new)
            self.edits += moved(encodings.raw_edits(raw, part.encoding, [edit]), part.body_start)
            self.changes += (
                Change(change.what, part.path, part.body_start, part.end, change.why)
                for change in (*mended.changes, *inner.changes)
            )
        else:
            self._take(part, *bodies.hidden_in_noise(raw, part.encoding, self._secrets))
        return True

    def _head_of_multipart(self, part: Part) -> bytes:
        field = part.first("content-type") if part.content_type.startswith("multipart/") else None
        return self._content[field.start : field.end] + b"\r\n" if field else b""

    def boundary(self, place: Place) -> str | None:
        """Returns the new boundary for Content-Type, or None if the old boundary stays.

        A boundary that may name a machine is also replaced in the boundary lines.
        """
        part = place.part
        old = part.params.get("boundary", "")
        if not part.children or not part.content_type.startswith("multipart/"):
            return None
        new = structure.renewed_boundary(old, place, self._secrets)
        if new is None:
            return None
        line = mime.boundary_line(old)
        for number, (start, end) in enumerate(structure.gaps(part)):
            # Text before the first boundary line, and after the last one, may contain the boundary too.
            at = self._content.find(line, start, end) if number else self._content.rfind(line, start, end)
            if at >= 0:
                self.edits.append(Edit(at + 2, at + len(line), new.encode("ascii")))
        self.changes.append(Change("boundary renewed", part.path, part.body_start, part.end, _WHY["content-id"]))
        return new

    def _around_children(self, part: Part) -> None:
        search = self._search(label=False)
        for start, end in mime.surroundings(self._content, part):
            text = self._content[start:end].decode("latin-1")
            hits = search(text)
            if hits:
                self.edits.append(Edit(start, end, apply_edits(text, hits).encode("latin-1")))
            for hit in hits:
                self.note(hit, part.path, start + hit.start, start + hit.end)

    # ------------------------------------------------------------ the record

    def note(self, hit: Occurrence, where: str, start: int, end: int) -> None:
        self.changes.append(Change(f"{hit.kind} replaced", where, start, end, _WHY[hit.kind]))


def _encoding(part: Part) -> bytes:
    """Returns the value of Content-Transfer-Encoding for a part.

    It is "8bit" if the encoding of the part is not a token (RFC 2045 §6.4).
    """
    return part.encoding.encode("ascii") if words.is_token(part.encoding) else b"8bit"


def _says(raw: bytes, encoding: bytes) -> bool:
    """Returns whether a raw value is the encoding alone: some programs do not know one with white space behind it."""
    return raw.removesuffix(b"\r\n").lstrip(b" \t").lower() == encoding
