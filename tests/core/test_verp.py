"""Return paths that name their item."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import alias, verp
from relay.core.mail import address

KEY = b"k" * 32
ITEM = "01jxq7m3c9tqv5n2r8w4y6z0ab"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=14)

items = st.text(alphabet="0123456789abcdefghijklmnopqrstuvwxyz", min_size=26, max_size=26)
times = st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))


@given(items, times)
def test_what_was_minted_is_read_whatever_happens_to_its_case(item: str, expires_at: datetime) -> None:
    # R-REW-10, R-OUT-04
    local_part = verp.mint(item, expires_at, KEY)
    before = expires_at - timedelta(seconds=1)
    assert verp.read(local_part, before, KEY) == item
    assert verp.read(local_part.upper(), before, KEY) == item
    assert address.fold(f"{local_part}@relay.example") == f"{local_part}@relay.example"
    assert len(local_part) <= 64


def test_a_return_path_is_never_an_alias() -> None:
    # R-REW-10
    local_part = verp.mint(ITEM, LATER, KEY)
    assert "." in local_part
    assert not alias.is_valid(local_part, "relay.example", KEY)


def test_it_expires() -> None:
    # R-OUT-04
    local_part = verp.mint(ITEM, LATER, KEY)
    assert verp.read(local_part, LATER - timedelta(seconds=1), KEY) == ITEM
    assert verp.read(local_part, LATER, KEY) is None


@given(st.data())
def test_no_changed_character_passes(data: st.DataObject) -> None:
    # R-OUT-04
    local_part = verp.mint(ITEM, LATER, KEY)
    at = data.draw(st.integers(0, len(local_part) - 1))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567.").filter(lambda char: char != local_part[at]))
    assert verp.read(local_part[:at] + other + local_part[at + 1 :], NOW, KEY) is None


def test_another_installations_return_path_is_not_ours() -> None:
    assert verp.read(verp.mint(ITEM, LATER, b"j" * 32), NOW, KEY) is None


@pytest.mark.parametrize("text", ["", "b.", "7kq2m5x4tn3wd6pa", "b." + "a" * 50, "b." + "é" * 50, "b." + "a" * 99_999])
def test_anything_else_is_no_return_path(text: str) -> None:
    assert verp.read(text, NOW, KEY) is None


@pytest.mark.parametrize("item", ["", "short", ITEM.upper(), ITEM + "a", "../../../../../../../etc/pw"])
def test_only_item_ids_are_minted(item: str) -> None:
    with pytest.raises(ValueError, match="item id"):
        verp.mint(item, LATER, KEY)
