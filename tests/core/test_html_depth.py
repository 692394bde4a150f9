"""What is given to a reader that is quadratic in depth is not deep, whatever its end tags pretend."""

import pytest

from relay.core.mail.html_depth import is_flat_enough


@pytest.mark.parametrize(
    "source", ["<p>" * 10_000, "<div><b>x</b></div>" * 10_000, "<br>" * 10_000, "<table><tr><td>x</table>" * 5_000]
)
def test_long_is_not_deep(source: str) -> None:
    assert is_flat_enough(source)


@pytest.mark.parametrize("source", ["<div>" * 300, "<b></x>" * 300, "<B></b ><i>" * 300, "<div></p>" * 300])
def test_what_only_pretends_to_close_is_deep(source: str) -> None:
    assert not is_flat_enough(source)
