"""Removes the ranges that the policy strips, and puts placeholders in their places (R-REW-08, R-POL-07, R-POL-08).

The policy gives offsets into the message as it was received, so the ranges are removed before the first pass
(`edited`). A message from which nothing is removed does not go through this module.
"""

import html
from collections.abc import Iterable
from typing import Final

from relay.core.mail import key_material, textbody
from relay.core.mail.edits import Edit, apply_edits, in_order, merge_ranges, moved
from relay.core.mail.mime import MimeLimits, Part, split
from relay.core.rewrite import key_removal, signed, textedit
from relay.core.rewrite.edited import EditedMessage
from relay.core.rewrite.plan import Change, Cutout, Plan

_STRIPPED: Final = "stripped"
_WHY: Final = "the marketplace's rules"
_NAMES_OWNER: Final = "a signature names its owner"


def are_due(content: bytes, root: Part, plan: Plan) -> bool:
    """Returns whether any part or any range of a text must be removed from the message."""
    return bool(plan.cutouts or (plan.strip_signatures and key_material.names_owner(content, root)))


def apply(content: bytes, root: Part, plan: Plan) -> EditedMessage:
    """Returns the message without the ranges that must be removed.

    Raises ValueError for a path without a part and for a range outside its text, so that a text that must be removed
    never passes by mistake.
    """
    owned = key_material.names_owner(content, root) if plan.strip_signatures else []
    over = {each.path for each in owned if each.is_signature and each.start is None}
    edits: list[Edit[bytes]] = []
    changes: list[Change] = []
    gone: list[Part] = []
    listed = _by_part(root, (*plan.cutouts, *key_removal.cutouts(owned, plan.signature_placeholder)))
    for part in root.walk():
        if part.path in over and not _is_in(part, gone):
            edits += key_removal.unsigned(content, part)
            changes.append(Change(_STRIPPED, part.path, part.children[0].end, part.children[-1].end, _NAMES_OWNER))
            gone += part.children[1:]
    for part, cutouts in listed:
        if _is_in(part, gone):
            continue
        whole = next((cutout for cutout in cutouts if cutout.start is None), None)
        made = _replaced(content, part, whole.placeholder) if whole else _cut_out(content, part, cutouts)
        edits += made
        changes += (Change(_STRIPPED, part.path, e.start, e.end, _WHY) for e in made if e.start >= part.body_start)
        changes += (change for change in signed.broken(root, part.header_start, part.end) if change.where not in over)
    left = apply_edits(content, edits)
    return EditedMessage(left, split(left, MimeLimits.WIDE, root.hint), tuple(in_order(edits)), tuple(changes))


def _is_in(part: Part, others: Iterable[Part]) -> bool:
    return any(other.header_start <= part.header_start and part.end <= other.end for other in others)


def _by_part(root: Part, cutouts: Iterable[Cutout]) -> list[tuple[Part, list[Cutout]]]:
    """Returns the parts that have cutouts, each with its cutouts.

    A part inside another part that is removed as a whole is left out. Raises ValueError if a cutout names a part that
    does not exist.
    """
    listed: dict[str, list[Cutout]] = {}
    for cutout in cutouts:
        listed.setdefault(cutout.path, []).append(cutout)
    found: list[tuple[Part, list[Cutout]]] = []
    unseen = set(listed)
    gone = 0
    for part in root.walk():
        if part.path in unseen:
            unseen.discard(part.path)
            if part.end > gone or part is root:
                found.append((part, listed[part.path]))
            if any(cutout.start is None for cutout in listed[part.path]):
                gone = max(gone, part.end)
    if unseen:
        raise ValueError("there is no such part to strip")
    return found


def _replaced(content: bytes, part: Part, placeholder: str) -> list[Edit[bytes]]:
    """Returns the edits that replace a part by a text part with the placeholder; the boundary lines around it stay."""
    octets = placeholder.encode("utf-8", "replace") + b"\r\n"
    encoding = "7bit" if octets.isascii() else "base64"
    header = (
        textedit.without_content_fields(content[part.header_start : part.body_start])
        + b"Content-Type: text/plain; charset=utf-8\r\n"
        + f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii")
        + b"Content-Disposition: inline\r\n\r\n"
    )
    body = textedit.encoded(octets, encoding)
    if not part.path and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return [Edit(part.header_start, part.body_start, header), Edit(part.body_start, part.end, body)]


def _cut_out(content: bytes, part: Part, cutouts: Iterable[Cutout]) -> list[Edit[bytes]]:
    if part.children:
        raise ValueError("there is no text to strip from in a part of parts")
    body = textbody.read(content[part.body_start : part.end], part)
    text_edits: list[Edit[str]] = []
    for _, start, end, placeholder in cutouts:
        if start is None or end is None or not 0 <= start <= end <= len(body.text):
            raise ValueError("what is to be stripped is not in the part's text")
        text = html.escape(placeholder) if body.is_html else placeholder
        text_edits.append(Edit(start, end, text))
    raw_edits, recoded = textedit.changed(body, merge_ranges(text_edits))
    edits = moved(raw_edits, part.body_start)
    if recoded:
        header = content[part.header_start : part.body_start]
        new = textedit.redeclared_header(header, recoded, part.content_type)
        edits.insert(0, Edit(part.header_start, part.body_start, new))
    return edits
