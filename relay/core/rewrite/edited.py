"""A message that is edited before the first pass, and the way from its rewrite back to the message as it was received.

`repair` and `cutouts` edit the message. The passes then work on the edited message, so their edits and changes have its
offsets. `of_original` converts them.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from relay.core.mail.edits import Edit
from relay.core.mail.mime import Part
from relay.core.rewrite import assemble
from relay.core.rewrite.plan import Change, Rewritten


class EditedMessage(NamedTuple):
    """A message after edits, with its parts; `edits` turn the original message into `content`."""

    content: bytes
    root: Part
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]


def of_original(edited: EditedMessage, original: Part, rewritten: Rewritten) -> Rewritten:
    """Returns the rewrite of the original message, whose root part is `original`.

    `rewritten` is the rewrite of the edited message.
    """
    return Rewritten(
        header=rewritten.header,
        edits=_composed(edited, original, rewritten.edits),
        changes=(*edited.changes, *_in_original(edited, rewritten.changes)),
    )


def _composed(edited: EditedMessage, original: Part, edits: Iterable[Edit[bytes]]) -> tuple[Edit[bytes], ...]:
    """Returns edits of the original body that have the effect of the message's own edits followed by `edits`.

    `edits` are edits of the body of the edited message.
    """
    # An offset in the original plus the drift is the same place in the edited message.
    drift = edited.root.body_start - original.body_start
    ranges: list[tuple[int, int, int, Edit[bytes] | None]] = []  # start, end, growth of the drift, edit
    at = 0
    for edit in edited.edits:
        start, growth = edit.start + at, len(edit.replacement) - (edit.end - edit.start)
        end, at = start + len(edit.replacement), at + growth
        if edit.end > original.body_start or end > edited.root.body_start:  # it is not one of the header
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
        merged.append(Edit(start - before, end - drift, assemble.section(edited.content, start, end, inside)))
    return tuple(merged)


def _in_original(edited: EditedMessage, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Returns the changes with ranges in the original in place of ranges in the edited message."""
    lengths = [len(edit.replacement) for edit in edited.edits]
    growths = (length - (edit.end - edit.start) for edit, length in zip(edited.edits, lengths, strict=True))
    drifts = [0, *itertools.accumulate(growths)]  # before each edit, and after the last one
    starts = [edit.start + drift for edit, drift in zip(edited.edits, drifts, strict=False)]

    def place(at: int, *, at_end: bool) -> int:
        before = (bisect_right if at_end else bisect_left)(starts, at)
        if before and at < starts[before - 1] + lengths[before - 1]:
            return edited.edits[before - 1].end if at_end else edited.edits[before - 1].start
        return at - drifts[before]

    return tuple(
        change._replace(start=place(change.start, at_end=False), end=place(change.end, at_end=True))
        for change in changes
    )
