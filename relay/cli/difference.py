"""Prints the effect of a rewrite for a person: the list of changes, and the lines that differ."""

import difflib
from collections.abc import Sequence
from typing import Final

import click

from relay.cli import show
from relay.core.rewrite import readable
from relay.core.rewrite.plan import Change

_MOST_LINES: Final = 5_000  # in the worst case the time of a comparison is quadratic in the number of lines
_CONTEXT: Final = 2


def tell(original: bytes, relayed: bytes, changes: Sequence[Change], *, as_json: bool) -> None:
    """Prints the changes and the differences between the original and the relayed form of a message.

    The output is text for people or, with `as_json`, a JSON object.
    """
    listed = [
        {"what": one.what, "where": one.where or "message", "bytes": f"{one.start}-{one.end}", "why": one.why}
        for one in changes
    ]
    difference = compared(readable.lines(original), readable.lines(relayed))
    if as_json:
        show.one({"changes": listed, "difference": difference}, as_json=True)
        return
    show.rows(listed, as_json=False, empty="nothing was changed")
    click.echo()
    for line in difference:
        click.echo(show.printable(line))


def compared(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Returns a unified diff of the lines.

    In long texts at most 5,000 lines are compared, beginning near the first difference.
    """
    pairs = enumerate(zip(before, after, strict=False))
    start = max(0, next((n for n, (a, b) in pairs if a != b), min(len(before), len(after))) - _CONTEXT)
    before, after = before[start:], after[start:]
    cut = max(len(before), len(after)) > _MOST_LINES
    found = difflib.unified_diff(
        before[:_MOST_LINES], after[:_MOST_LINES], "as it came", "as it left", n=_CONTEXT, lineterm=""
    )
    return [*found, *(["(the rest is too long to be compared)"] if cut else [])]
