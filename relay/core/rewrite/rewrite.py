"""Runs the whole rewrite: the passes change a draft in order, and the draft becomes a header and edits."""

from collections.abc import Sequence
from typing import Final

from relay.core.mail import encodings
from relay.core.mail.edits import Edit, in_order
from relay.core.mail.mime import Part
from relay.core.rewrite import cutouts, documents, footer, headers, longlines, mobile, repair, scrub, threads
from relay.core.rewrite.edited import of_original
from relay.core.rewrite.plan import Draft, Pass, Plan, Rewritten

PASSES: Final[tuple[Pass, ...]] = (
    headers.apply,
    threads.apply,
    scrub.apply,
    documents.apply,
    footer.apply,
    longlines.apply,
    mobile.apply,
)


def rewrite(content: bytes, root: Part, plan: Plan, passes: Sequence[Pass] = PASSES) -> Rewritten:
    """Returns the mail that the other side gets. `content` is the mail as received, and `root` its parsed parts."""
    if repair.is_due(content, root):
        mended = repair.apply(content, root)
        return of_original(mended, root, _cut(mended.content, mended.root, plan, passes))
    return _cut(content, root, plan, passes)


def _cut(content: bytes, root: Part, plan: Plan, passes: Sequence[Pass]) -> Rewritten:
    """Returns the result for a message with headers that need no repair."""
    if not cutouts.are_due(content, root, plan):
        return _passed(content, root, plan, passes)
    cut = cutouts.apply(content, root, plan)
    return of_original(cut, root, _passed(cut.content, cut.root, plan, passes))


def _passed(content: bytes, root: Part, plan: Plan, passes: Sequence[Pass]) -> Rewritten:
    draft = Draft(content=content, root=root)
    for apply in passes:
        draft = apply(draft, plan)
    header = b"".join([name.encode("ascii") + b":" + value for name, value in draft.fields])
    return Rewritten(header=header, edits=tuple(in_order(map(_on_whole_lines, draft.edits))), changes=draft.changes)


def _on_whole_lines(edit: Edit[bytes]) -> Edit[bytes]:
    """Returns the edit with only CRLF as line ends in its replacement.

    Damaged text may be decoded to a bare CR or LF, which two servers may read differently (R-IN-04).
    """
    new = edit.replacement
    return edit._replace(replacement=encodings.with_crlf(new)) if encodings.has_bare_line_end(new) else edit
