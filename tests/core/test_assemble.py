"""Edits are applied where they stand and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.edits import Edit
from relay.core.rewrite.assemble import assemble, section


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=5)), max_size=8))
def test_edits_fall_between_untouched_bytes(body: bytes, cuts: list[tuple[int, bytes]]) -> None:
    marks = sorted({min(at, len(body)) for at, _ in cuts})
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    edits = [Edit(start + 2, end + 2, new) for (start, end), (_, new) in zip(pairs, cuts, strict=False)]
    expected = body
    for edit in reversed(edits):
        expected = expected[: edit.start - 2] + edit.replacement + expected[edit.end - 2 :]
    assert assemble(b"\r\n" + body, 2, b"A: b\r\n", reversed(edits)) == b"A: b\r\n\r\n" + expected
    assert section(b"\r\n" + body, 2, len(body) + 2, edits) == expected


@pytest.mark.parametrize(
    "edits", [[Edit(2, 5, b""), Edit(4, 6, b"")], [Edit(1, 3, b"")], [Edit(5, 9, b"")], [Edit(5, 4, b"")]]
)
def test_edits_that_overlap_or_leave_the_body_are_an_error(edits: list[Edit[bytes]]) -> None:
    with pytest.raises(ValueError, match="edits"):
        assemble(b"\r\n123456", 2, b"", edits)
