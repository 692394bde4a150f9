"""Removes the ranges that the policy strips, and puts placeholders in their places (R-REW-08, R-POL-07, R-POL-08).

The policy gives offsets into the message as it was received, so the ranges are removed before the first pass. The
passes then work on the shortened message, and `composed` converts their edits into edits of the original. A message
from which nothing is removed does not go through this module.
"""

import html
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.core.mail import key_material, textbody
from relay.core.mail.edits import Edit, apply_edits, in_order, merge_ranges, moved
from relay.core.mail.mime import MimeLimits, Part, split
from relay.core.rewrite import assemble, key_removal, signed, textedit
from relay.core.rewrite.plan import Change, Cutout, Plan

_STRIPPED: Final = "stripped"
_WHY: Final = "the marketplace's rules"
_NAMES_OWNER: Final = "a signature names its owner"


class CutMessage(NamedTuple):
    """A message after the removal of the ranges; `edits` turn the original message into `content`."""

    content: bytes
    root: Part
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]


def are_due(content: bytes, root: Part, plan: Plan) -> bool:
    """Returns whether any part or any range of a text must be removed from the message."""
    return bool(plan.cutouts or (plan.strip_signatures and key_material.names_owner(content, root)))


def apply(content: bytes, root: Part, plan: Plan) -> CutMessage:
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
    return CutMessage(left, split(left, MimeLimits.WIDE, root.hint), tuple(in_order(edits)), tuple(changes))


def _is_in(part: Part, others: Iterable[Part]) -> bool:
    return any(other.header_start <= part.header_start and part.end <= other.end for other in others)


def composed(cut: CutMessage, original: Part, edits: Iterable[Edit[bytes]]) -> tuple[Edit[bytes], ...]:
    """Returns edits of the original body that have the effect of the removals followed by `edits`.

    `edits` are edits of the body of the shortened message.
    """
    # An offset in the original plus the drift is the same place in the shortened message.
    drift = cut.root.body_start - original.body_start
    ranges: list[tuple[int, int, int, Edit[bytes] | None]] = []  # start, end, growth of the drift, edit
    at = 0
    for edit in cut.edits:
        start, growth = edit.start + at, len(edit.replacement) - (edit.end - edit.start)
        end, at = start + len(edit.replacement), at + growth
        if edit.end > original.body_start or end > cut.root.body_start:  # it is not one of the header
            ranges.append((start, end, growth, None))
    ranges += ((edit.start, edit.end, 0, edit) for edit in edits)
    ranges.sort(key=lambda each: each[:2])
    merged: list[Edit[bytes]] = []
    done = 0
    while done < len(ranges):
        # Ranges that touch become one edit.
        (start, end, *_), before = ranges[done], drift
        inside: list[Edit[bytes]] = []
        while done < len(ranges) and ranges[done][0] <= end:
            _, stop, growth, replacing = ranges[done]
            end, drift, done = max(end, stop), drift + growth, done + 1
            inside += [replacing] if replacing else []
        merged.append(Edit(start - before, end - drift, assemble.section(cut.content, start, end, inside)))
    return tuple(merged)


def led_back(cut: CutMessage, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Returns the changes with ranges in the original in place of ranges in the shortened message."""
    lengths = [len(edit.replacement) for edit in cut.edits]
    growths = (length - (edit.end - edit.start) for edit, length in zip(cut.edits, lengths, strict=True))
    drifts = [0, *itertools.accumulate(growths)]  # before each edit, and after the last one
    starts = [edit.start + drift for edit, drift in zip(cut.edits, drifts, strict=False)]

    def place(at: int, *, at_end: bool) -> int:
        before = (bisect_right if at_end else bisect_left)(starts, at)
        if before and at < starts[before - 1] + lengths[before - 1]:
            return cut.edits[before - 1].end if at_end else cut.edits[before - 1].start
        return at - drifts[before]

    return tuple(
        change._replace(start=place(change.start, at_end=False), end=place(change.end, at_end=True))
        for change in changes
    )


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
