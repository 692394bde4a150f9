"""The pass that removes the writer's signed links from all texts and puts the reader's footer below the shown text.

Nothing is put inside a signed or an encrypted part. If a mail shows no text, the footer becomes a part of its own,
because the reader must be able to report such a mail too, for example a photo.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from relay.core import keyed
from relay.core.mail import body_kind, charsets, encodings, mime, textbody, words
from relay.core.mail.body_kind import BodyKind
from relay.core.mail.edits import Edit, apply_edits, in_order, moved
from relay.core.mail.header_end import HeaderField
from relay.core.mail.message_texts import message_texts
from relay.core.mail.mime import MimeLimits, Part
from relay.core.mail.textbody import TextBody
from relay.core.own_links import OwnLinks, own_links
from relay.core.rewrite import assemble, longlines, signed, textedit
from relay.core.rewrite.footer import form, visible
from relay.core.rewrite.footer.quoted import removals
from relay.core.rewrite.plan import Change, Draft, Plan
from relay.core.rewrite.textedit import Recoded

_SEALED: Final = frozenset({"multipart/signed", "multipart/encrypted"})
_SHOWN: Final = frozenset({"text/plain", "text/html"})
_REMOVED: Final = "own link removed"
_ADDED: Final = "footer added"
# An earlier end tag may stand in a comment, a script or a value. Text after the last one is shown at the end of the
# body (HTML standard, "after after body").
_LAST_TAGS: Final = re.compile(r"</(?:body\s*+>\s*+(?:</html\s*+>\s*+)?|html\s*+>\s*+)\Z", re.IGNORECASE)
_LAST: Final = 200
_LIMITS: Final = MimeLimits()
_OWN: Final = "lets its holder act for the writer"
_ASKED: Final = "the marketplace's footer"


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft without the writer's signed links, and with the reader's footer and List-Unsubscribe fields.

    Runs after the passes that hide values, and before the passes that only change the form of lines.
    """
    if plan.unsubscribe:
        draft = _with_fields(
            draft,
            ("List-Unsubscribe", f" <{plan.unsubscribe}>\r\n".encode("ascii")),
            ("List-Unsubscribe-Post", b" List-Unsubscribe=One-Click\r\n"),  # RFC 8058 §3.1
        )
    links = own_links(plan.link_prefix) if plan.link_prefix else None
    texts = message_texts(draft.root, with_signed=False) if plan.footer else ()
    shown = {part.path for part in texts if part.content_type in _SHOWN}
    if links:
        draft = _without_in_header(draft, links)
    has_footer = bool(shown)
    for part in draft.root.walk():
        if not part.children:
            footer = plan if part.path in shown else None
            before, draft = draft, _leaf(draft, part, links, footer)
            added = (change.what for change in draft.changes[len(before.changes) :])
            has_footer = has_footer and (footer is None or _ADDED in added)
    return _own_part(draft, plan) if plan.footer and not has_footer else draft


def _with_fields(draft: Draft, *fields: tuple[str, bytes]) -> Draft:
    return draft._replace(fields=(*draft.fields, *fields))


# ---------------------------------------------------------------- texts


def _leaf(draft: Draft, part: Part, links: OwnLinks | None, footer: Plan | None, depth: int = 0) -> Draft:
    """Returns the draft with signed links removed from one part, and the footer below its text.

    The edits of earlier passes are kept. `footer` is None if the part gets no footer. `depth` is the number of encoded
    messages around the part.
    """
    kind = body_kind.kind_of(draft.content, part)
    if not footer and (not links or kind is BodyKind.BINARY):
        return draft
    inside, others = assemble.parted(draft.edits, part.body_start, part.end)
    raw = assemble.section(draft.content, part.body_start, part.end, inside)
    if links and kind is BodyKind.MESSAGE and depth < _LIMITS.depth:
        raw_edits, recoded, gone = _message(raw, part, links, depth), None, True
    else:
        body = textbody.read(raw, part, is_html=kind is BodyKind.HTML)
        removed = removals(body, links) if links else []
        gone = bool(removed)
        text_edits = _below(body, removed, footer) if footer else None
        if text_edits is None:  # no place shows the footer, or the charset of the text is unknown or broken
            text_edits, footer = removed, None
        if not gone and not footer:
            return draft
        raw_edits, recoded = textedit.changed(body, text_edits)
    if not raw_edits:
        return draft
    start = part.body_start
    edits = moved(raw_edits, start)
    if inside:
        edits = [Edit(start, part.end, apply_edits(raw, raw_edits))]
    where = part.path, edits[0].start, edits[-1].end
    changes = [Change(_REMOVED, *where, _OWN), *signed.broken(draft.root, part.header_start, part.end)] if gone else []
    if footer:
        changes.append(Change(_ADDED, *where, _ASKED))
    draft = draft._replace(edits=(*others, *edits), changes=(*draft.changes, *changes))
    return _recoded(draft, part, recoded) if recoded else draft


def _message(raw: bytes, part: Part, links: OwnLinks, depth: int) -> list[Edit[bytes]]:
    """Returns edits of a raw body that contains an encoded message.

    Links are removed from the encoded message in the same way as from the message around it. `depth` is the number of
    encoded messages around the part.
    """
    octets = encodings.decode(raw, part.encoding)
    content = octets if b"\r\n" in octets else octets.replace(b"\n", b"\r\n")
    try:
        draft = Draft(content=content, root=mime.split(content, _LIMITS))
    except mime.MimeError:
        draft = Draft(content=content, root=mime.split(b"", _LIMITS))
    for leaf in draft.root.walk():
        if not leaf.children:
            draft = _leaf(draft, leaf, links, None, depth + 1)
    new = assemble.section(content, 0, len(content), draft.edits).decode("latin-1")
    rest = links.find(new)  # links in its headers, and in octets that are not a message
    if not draft.edits and not rest:
        return []
    edit = Edit(0, len(octets), apply_edits(new, rest).encode("latin-1"))
    return encodings.raw_edits(raw, part.encoding, [edit])


def _below(body: TextBody, removed: Sequence[Edit[str]], plan: Plan) -> list[Edit[str]] | None:
    """Returns the removals, and the edit that puts the footer at the end of the text; None if it cannot stand there."""
    if body.is_html:
        end = len(body.text)
        tags = _LAST_TAGS.search(body.text, max(0, end - _LAST))
        at = tags.start() if tags else end
        at = next((edit.end for edit in removed if edit.start < at < edit.end), at)
        footer = form.as_html(plan.footer, plan.language, body.newline)
        shown = visible.place(body.text, at)
        if shown is None:
            return None
        at = next((edit.end for edit in removed if edit.start < shown.at < edit.end), shown.at)
        return in_order([*removed, Edit(at, at, shown.closing + footer)])
    if not textedit.takes(body, "".join(line.text for line in plan.footer)):
        return None
    text = apply_edits(body.text, removed)
    flowed = body.part.params.get("format", "").lower() == "flowed"
    end = len(body.text)
    return [*removed, Edit(end, end, form.plain(plan.footer, text, body.newline, flowed=flowed))]


def _recoded(draft: Draft, part: Part, recoded: Recoded) -> Draft:
    """Returns the draft with the new charset and encoding named in the header of the part."""
    if part is draft.root:
        kind = next((value for name, value in draft.fields if name == "Content-Type"), b"")
        kept = tuple(f for f in draft.fields if f[0] not in ("Content-Type", "Content-Transfer-Encoding"))
        return _with_fields(
            draft._replace(fields=kept),
            ("Content-Type", textedit.redeclared(kind, recoded, part.content_type)),
            ("Content-Transfer-Encoding", f" {recoded.encoding}\r\n".encode("ascii")),
        )
    start, end = part.header_start, part.body_start
    inside = [edit for edit in draft.edits if start <= edit.start < end and edit.end <= end]
    header = assemble.section(draft.content, start, end, inside)
    others = [edit for edit in draft.edits if edit not in inside]
    new = Edit(start, end, textedit.redeclared_header(header, recoded, part.content_type))
    return draft._replace(edits=(*others, new))


# ---------------------------------------------------------------- headers


def _without_in_header(draft: Draft, links: OwnLinks) -> Draft:
    """Returns the draft without links in the subject, in fields of parts, and in fields of nested messages."""
    fields = list(draft.fields)
    changes: list[Change] = []
    for at, (name, value) in enumerate(fields):
        if name != "Subject":
            continue
        text = words.decode(words.unfold(value))
        found = links.find(text)
        if found:
            text = apply_edits(text, found).strip()
            fields[at] = name, b" " + (text.encode("ascii") if text.isascii() else words.encode(text)) + b"\r\n"
            old = draft.root.first("subject")
            changes.append(Change(_REMOVED, "subject", old.start if old else 0, old.end if old else 0, _OWN))
    gone: list[Edit[bytes]] = []
    for part in draft.root.walk():
        if part is draft.root or not _may_name_link(draft.content[part.header_start : part.body_start], links):
            continue
        for field in part.fields:
            if links.find(words.decode(mime.raw_value(draft.content, field))):
                gone.append(_unlinked(field, part))
                changes.append(Change(_REMOVED, part.path, field.start, field.end, _OWN))
    kept = _beside(draft.edits, gone) if gone else draft.edits
    return draft._replace(fields=tuple(fields), edits=(*kept, *gone), changes=(*draft.changes, *changes))


def _may_name_link(header: bytes, links: OwnLinks) -> bool:
    """Returns whether a field of a header block may contain a link, without decoding encoded words and charsets."""
    if not header.isascii() or b"=?" in header or b"\x1b" in header:
        return True
    return bool(links.find(words.unfold(header).decode("ascii")))


def _unlinked(field: HeaderField, part: Part) -> Edit[bytes]:
    """Returns the edit that removes a field with a link.

    Of Content-Type and Content-Disposition only the type and the charset are kept.
    """
    kind = {"content-type": part.content_type, "content-disposition": part.disposition}.get(field.name, "")
    if part.children or not words.is_token(kind.replace("/", "")):
        return Edit(field.start, field.end, b"")
    charset = part.params.get("charset", "") if field.name == "content-type" else ""
    written = kind + (words.parameter("charset", charset) if charsets.codec_of(charset) else "")
    return Edit(field.value_start, field.end, f" {written}\r\n".encode("ascii", "replace"))


def _beside(edits: Sequence[Edit[bytes]], gone: Sequence[Edit[bytes]]) -> list[Edit[bytes]]:
    """Returns the edits that do not touch any of the removed ranges `gone`, which are sorted."""
    starts = [edit.start for edit in gone]

    def is_beside(edit: Edit[bytes]) -> bool:
        before = bisect_left(starts, edit.end)
        return not before or gone[before - 1].end <= edit.start

    return [edit for edit in edits if is_beside(edit)]


# ---------------------------------------------------------------- mail without a text


def _own_part(draft: Draft, plan: Plan) -> Draft:
    root = draft.root
    text = form.plain(plan.footer, "", "\r\n", flowed=False).encode("utf-8", "replace")
    encoding = "7bit" if text.isascii() else "base64"
    part = (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n"
        + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii")
        + textedit.encoded(text, encoding).removesuffix(b"\r\n")
        + b"\r\n"
    )
    added = Change(_ADDED, root.path, root.end, root.end, _ASKED)
    if root.content_type == "multipart/mixed" and root.children:
        return _appended(draft, part, added)
    if root.content_type in _SEALED or longlines.has_long_line(draft.content, root.body_start):
        return draft
    return _wrapped(draft, plan, part, added)


def _appended(draft: Draft, part: bytes, added: Change) -> Draft:
    """Returns the draft with the footer added as the last part of a multipart mail."""
    at = draft.root.children[-1].end + 2
    kind = next((value for name, value in draft.fields if name == "Content-Type"), b"")
    boundary = words.parameters(words.unfold(kind)).get("boundary", "")
    if draft.content[at - 2 : at + 2] != b"\r\n--":
        return draft  # the mail is cut off, so its end is unknown
    edit = Edit(at, at, mime.boundary_line(boundary) + b"\r\n" + part)
    return draft._replace(edits=(*draft.edits, edit), changes=(*draft.changes, added._replace(start=at, end=at)))


def _wrapped(draft: Draft, plan: Plan, part: bytes, added: Change) -> Draft:
    """Returns the draft as a multipart; its first part is the unchanged mail, and its second part is the footer."""
    root = draft.root
    boundary = f"=_{keyed.base32(keyed.tag(plan.thread_key, 'boundary', plan.message_id, size=15))}"
    line = mime.boundary_line(boundary)
    own = b"".join(n.encode("ascii") + b":" + value for n, value in draft.fields if n.startswith("Content-"))
    kept = tuple(field for field in draft.fields if not field[0].startswith("Content-"))
    kind = "multipart/mixed" + words.parameter("boundary", boundary)
    edits = (
        Edit(root.body_start, root.body_start, line + b"\r\n" + own + b"\r\n"),
        Edit(root.end, root.end, b"\r\n" + line + b"\r\n" + part + line + b"--\r\n"),
    )
    return draft._replace(
        fields=(*kept, ("Content-Type", f" {kind}\r\n".encode("ascii"))),
        edits=(*draft.edits, *edits),
        changes=(*draft.changes, added),
    )
