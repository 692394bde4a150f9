"""Keyed tags and their letters."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from relay.core import keyed


@given(st.binary(max_size=64))
def test_letters_are_base32_in_lower_case_without_padding(octets: bytes) -> None:
    assert keyed.base32(octets) == base64.b32encode(octets).decode().rstrip("=").lower()
    assert keyed.base32hex(octets) == base64.b32hexencode(octets).decode().rstrip("=").lower()


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_hex_letters_sort_as_their_octets(one: bytes, other: bytes) -> None:
    assert (keyed.base32hex(one) < keyed.base32hex(other)) == (one < other)


def test_a_tag_depends_on_key_purpose_and_every_part() -> None:
    tags = {
        keyed.tag(b"k" * 32, "verp", "a", "b", size=10),
        keyed.tag(b"l" * 32, "verp", "a", "b", size=10),
        keyed.tag(b"k" * 32, "alias", "a", "b", size=10),
        keyed.tag(b"k" * 32, "verp", "ab", "", size=10),
        keyed.tag(b"k" * 32, "verp", "a", "c", size=10),
    }
    assert len(tags) == 5
    assert keyed.tag(b"k" * 32, "verp", "a", "b", size=10) in tags
