"""Aliases: opaque, checkable without a look-up, tagged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import alias

KEY = bytes(range(32))
ENTROPY = st.binary(min_size=alias.ENTROPY_BYTES, max_size=alias.ENTROPY_BYTES)


@given(ENTROPY)
def test_an_issued_alias_is_lower_case_and_valid_at_its_domain(entropy: bytes) -> None:  # R-ADR-02
    local_part = alias.issue(entropy, "market.example", KEY)
    assert local_part == local_part.lower()
    assert len(local_part) == alias.LENGTH
    assert alias.is_valid(local_part, "market.example", KEY)


def test_an_alias_carries_at_least_64_random_bits() -> None:  # R-ADR-02
    first = alias.issue(bytes(9), "market.example", KEY)
    for bit in range(64):
        flipped = bytearray(9)
        flipped[bit // 8] ^= 0x80 >> (bit % 8)
        assert alias.issue(bytes(flipped), "market.example", KEY)[:13] != first[:13]


@given(ENTROPY, st.integers(0, alias.LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_mistyped_alias_is_another_alias(entropy: bytes, position: int, letter: str) -> None:  # R-ADR-02
    issued = alias.issue(entropy, "market.example", KEY)
    mistyped = issued[:position] + letter + issued[position + 1 :]
    if mistyped[:13] == issued[:13]:
        assert alias.is_valid(mistyped, "market.example", KEY) == (mistyped == issued)


def test_guesses_are_refused_but_for_one_in_32768() -> None:  # R-ADR-02
    guesses = [alias.issue(n.to_bytes(9), "market.example", b"another key") for n in range(4_000)]
    assert sum(alias.is_valid(guess, "market.example", KEY) for guess in guesses) <= 3


def test_an_alias_is_valid_at_its_own_domain_only() -> None:  # R-ADR-03
    local_part = alias.issue(bytes(9), "market.example", KEY)
    assert not alias.is_valid(local_part, "m.market.example", KEY)


@pytest.mark.parametrize("text", ["", "postmaster", "a" * 15, "a" * 17, "A" * 16, "1" * 16, "a" * 15 + "\n"])
def test_what_is_no_alias_by_its_form_is_refused(text: str) -> None:
    assert not alias.is_valid(text, "market.example", KEY)


def test_a_tag_is_split_off_and_the_alias_folded() -> None:  # R-ADR-05
    assert alias.untag("7KQ2M5X4TN3WD6PA+Order-12+x") == ("7kq2m5x4tn3wd6pa", "Order-12+x", False)
    assert alias.untag("7kq2m5x4tn3wd6pa") == ("7kq2m5x4tn3wd6pa", "", False)


def test_a_check_names_the_alias_after_it() -> None:  # R-POL-19
    assert alias.untag("check+7KQ2M5X4TN3WD6PA") == ("7kq2m5x4tn3wd6pa", "", True)
    assert alias.untag("Check+7kq2m5x4tn3wd6pa+Order-12") == ("7kq2m5x4tn3wd6pa", "Order-12", True)
    assert alias.untag("check") == ("check", "", False)


def test_a_pseudonym_is_stable_and_differs_between_sellers() -> None:  # R-ADR-06
    seen = alias.pseudonym("seller-1", "buyer-1", KEY)
    assert seen == alias.pseudonym("seller-1", "buyer-1", KEY)
    assert seen.startswith("buyer-")
    assert seen != alias.pseudonym("seller-2", "buyer-1", KEY)
