"""One notion of an edit: applied where it stands, in the order made, merged without losing a character."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.edits import Edit, apply_edits, in_order, merge_ranges, moved

RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda pair: (pair[0], sum(pair))))


def test_insertions_at_one_place_come_out_in_the_order_in_which_they_were_made() -> None:
    edits = [Edit(2, 2, "z"), Edit(2, 2, "a"), Edit(2, 3, "m"), Edit(0, 1, "A")]
    assert apply_edits("abcd", edits) == "Abzamd"
    assert [edit.replacement for edit in in_order(edits)] == ["A", "z", "a", "m"]


def test_no_edit_leaves_the_source_as_it_is() -> None:
    assert apply_edits("abcd", []) == "abcd"
    assert apply_edits(b"abcd", []) == b"abcd"


@pytest.mark.parametrize("edits", [[Edit(0, 2, ""), Edit(1, 3, "")], [Edit(3, 2, "")], [Edit(2, 5, "")]])
def test_edits_that_overlap_or_leave_the_source_are_an_error(edits: list[Edit[str]]) -> None:
    with pytest.raises(ValueError, match="overlap"):
        apply_edits("abcd", edits)


def test_edits_of_a_section_are_led_to_the_whole() -> None:
    assert apply_edits("abcd", moved([Edit(0, 1, "B"), Edit(2, 2, "!")], 1)) == "aBc!d"


@given(RANGES)
def test_merged_ranges_cover_what_the_ranges_cover_and_do_not_overlap(ranges: list[tuple[int, int]]) -> None:
    merged = merge_ranges([Edit(start, end, "") for start, end in ranges])
    covered = {at for start, end in ranges for at in range(start, end)}
    assert {at for edit in merged for at in range(edit.start, edit.end)} == covered
    assert all(before.end <= after.start for before, after in pairwise(merged))


def test_of_overlapping_ranges_the_best_takes_the_place_of_all() -> None:
    found = [Edit(0, 4, "long"), Edit(3, 5, "best"), Edit(5, 6, "apart")]
    assert merge_ranges(found) == [Edit(0, 5, "long"), Edit(5, 6, "apart")]
    assert merge_ranges(found, best=lambda edit: edit.replacement != "best") == [
        Edit(0, 5, "best"),
        Edit(5, 6, "apart"),
    ]
