"""The pass: every place of a message in turn, each place's changes as edits of the received content."""

import itertools
from collections.abc import Sequence
from typing import Final

from relay.core.rewrite import mime, words
from relay.core.rewrite.mime import Field, Part
from relay.core.rewrite.plan import Change, Draft, Edit, Plan
from relay.core.rewrite.scrub import bodies, fields, structure, trace
from relay.core.rewrite.scrub.find import Hit, Secrets, addresses, replaced
from relay.core.rewrite.scrub.structure import Place

_WHY: Final = {
    "address": "a party's mailbox",
    "host": "names a machine of the writer's",
    "content-id": "may name a machine of the writer's",
}
# Ids of ours and the reader's own, nobody else's: a host that both sides' programs name is no secret in them.
_THREAD: Final = frozenset({"message-id", "in-reply-to", "references"})
# What an address could be written with besides itself: encoded-words, percent, entities, quoted pairs, continuations.
_ENCODED: Final = (b"=?", b"%", b"&", b"\\", b"*")


def apply(draft: Draft, plan: Plan) -> Draft:
    """After the passes that make the outgoing header, before those that only shape it."""
    return _Scrubbing(draft, plan).draft()


class _Scrubbing:
    """One message under way."""

    def __init__(self, draft: Draft, plan: Plan) -> None:
        self._draft = draft
        self._content = draft.content
        self._plan = plan
        own = frozenset({plan.domain, *(alias.rpartition("@")[2] for alias in plan.disguise.values())})
        content_ids = structure.renewed_content_ids(draft.content, draft.root, plan)
        self._secrets = Secrets(
            addresses=addresses(frozenset(plan.disguise.items())),
            hosts=trace.hosts(draft.content, draft.root, plan.hidden_hosts, content_ids, own),
            content_ids=content_ids,
        )
        self._edits: list[Edit] = []
        self._changes: list[Change] = []

    def draft(self) -> Draft:
        root = self._draft.root
        renewed = self._boundary(Place(root, signed=False, is_message=False))
        outgoing = self._draft.fields
        quiet = self._quiet([value for _, value in outgoing])
        if renewed or not all(quiet):
            outgoing = tuple(
                field if is_quiet and not renewed else (field[0], self._outgoing(*field, renewed))
                for field, is_quiet in zip(outgoing, quiet, strict=True)
            )
        for place in structure.places(root):
            if place.part is not root:
                self._header(place)
            self._body(place.part)
        self._note_signatures()
        return self._draft._replace(
            fields=outgoing,
            edits=(*self._draft.edits, *self._edits),
            changes=(*self._draft.changes, *self._changes),
        )

    # ------------------------------------------------------------ headers

    def _quiet(self, values: Sequence[bytes]) -> list[bool]:
        """Which values cannot hold a secret: nothing in them is encoded, and nothing is found in any such one."""
        if self._secrets.content_ids:
            return [False] * len(values)
        as_written = [value.isascii() and not any(sign in value for sign in _ENCODED) for value in values]
        text = b"".join(value for value, is_plain in zip(values, as_written, strict=True) if is_plain)
        found = self._secrets.find(text.decode("ascii"), whole=False)
        return [False] * len(values) if found else as_written

    def _outgoing(self, name: str, raw: bytes, boundary: str | None) -> bytes:
        """A field of the outgoing header. Its range in the record is that of the field it was made from."""
        if name.lower() in _THREAD:
            return raw
        root = self._draft.root
        field = root.first(name.lower())
        new, hits = self._value(name.lower(), raw, root, boundary)
        for hit in hits:
            self._note(hit, name.lower(), field.start if field else 0, field.end if field else 0)
        return new

    def _header(self, place: Place) -> None:
        part = place.part
        boundary = self._boundary(place)
        quiet = not boundary and all(self._quiet([self._content[part.header_start : part.body_start]]))
        seen: set[str] = set()
        for field in part.fields:
            if not structure.may_stay(field.name, place) or (field.name in seen and not place.signed):
                self._edits.append(Edit(field.start, field.end, b""))
                self._changes.append(
                    Change("header dropped", part.path, field.start, field.end, "not on the list of what may pass")
                )
                continue
            seen.add(field.name)
            if not quiet:
                self._part_field(part, field, boundary)

    def _part_field(self, part: Part, field: Field, boundary: str | None) -> None:
        raw = self._content[field.value_start : field.end]
        new, hits = self._value(field.name, raw, part, boundary)
        if new != raw:
            self._edits.append(Edit(field.value_start, field.end, new))
        for hit in hits:
            self._note(hit, part.path, field.start, field.end)

    def _value(self, name: str, raw: bytes, part: Part, boundary: str | None) -> tuple[bytes, list[Hit]]:
        if name == "content-type":
            return self._content_type(raw, part, boundary)
        if name == "content-disposition":
            known = words.parameters(words.unfold(raw))
            return fields.parameters(part.disposition or "attachment", raw, known, self._secrets)
        if name == "content-id":
            new = self._secrets.content_ids.get(structure.content_id(raw))
            return (f" <{new}>\r\n".encode("ascii"), [Hit(0, 0, "", "content-id")]) if new else (raw, [])
        if name in structure.ADDRESS_FIELDS:
            return fields.mailboxes(raw, self._secrets)
        return fields.text(raw, self._secrets, whole=name != "content-description")

    def _content_type(self, raw: bytes, part: Part, boundary: str | None) -> tuple[bytes, list[Hit]]:
        known = dict(part.params)
        start = self._secrets.content_ids.get(known.get("start", "").strip("<>"))
        if start:
            known["start"] = f"<{start}>"
        if boundary:
            known["boundary"] = boundary
        return fields.parameters(part.content_type, raw, known, self._secrets, force=bool(start or boundary))

    # ------------------------------------------------------------ bodies

    def _body(self, part: Part) -> None:
        start, end = part.body_start, part.end
        if part.children:
            if part.content_type.startswith("multipart/"):
                self._around_children(part)
            return
        if bodies.is_text(part):
            cuts, hits = bodies.scrub(self._content[start:end], part, self._secrets)
        elif part.encoding == "base64" and self._content.find(b"@", start, end) >= 0:
            cuts, hits = bodies.hidden_in_noise(self._content[start:end], part.encoding, self._secrets)
        else:
            return
        self._edits += (Edit(start + cut.start, start + cut.end, cut.replacement) for cut in cuts)
        # A base64 body has one cut for all that was found in it.
        for hit, cut in zip(hits, itertools.cycle(cuts), strict=False):
            self._note(hit, part.path, start + cut.start, start + cut.end)

    def _boundary(self, place: Place) -> str | None:
        """Renews the boundary lines where the boundary tells too much; gives what Content-Type is to say."""
        part = place.part
        old = part.params.get("boundary", "")
        if not part.children or not part.content_type.startswith("multipart/"):
            return None
        new = structure.renewed_boundary(old, place, self._plan, self._secrets)
        if new is None:
            return None
        line = mime.boundary_line(old)
        for start, end in structure.gaps(part):
            at = self._content.find(line, start, end)
            if at >= 0:
                self._edits.append(Edit(at + 2, at + len(line), new.encode("ascii")))
        self._changes.append(Change("boundary renewed", part.path, part.body_start, part.end, _WHY["content-id"]))
        return new

    def _around_children(self, part: Part) -> None:
        for start, end in mime.surroundings(self._content, part):
            text = self._content[start:end].decode("latin-1")
            hits = self._secrets.find(text)
            if hits:
                self._edits.append(Edit(start, end, replaced(text, hits).encode("latin-1")))
            for hit in hits:
                self._note(hit, part.path, start + hit.start, start + hit.end)

    # ------------------------------------------------------------ the record

    def _note(self, hit: Hit, where: str, start: int, end: int) -> None:
        self._changes.append(Change(f"{hit.what} replaced", where, start, end, _WHY[hit.what]))

    def _note_signatures(self) -> None:
        for part in self._draft.root.walk():
            if part.content_type == "multipart/signed" and any(
                part.body_start <= edit.start and edit.end <= part.end for edit in self._edits
            ):
                self._changes.append(
                    Change("signature no longer valid", part.path, part.body_start, part.end, "signed text changed")
                )
