"""The token of a signed link: what is minted is read, and nothing else is (R-POL-02, R-REW-09)."""

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from relay.core.signed_link import ForgedError, Link, Purpose, mint, read

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
ENDS = datetime(2027, 1, 22, 1, 0, tzinfo=UTC)
LINK = Link(
    purpose=Purpose.OPT_OUT,
    party_id="06f3kqv2m8d1a7c5x9b0e4h6jt",
    subject_id="06f3kqv2m8d1a7c5x9b0e4h6jw",
    expires_at=ENDS,
)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("subject_id", ["", LINK.subject_id])
def test_what_is_minted_is_read(purpose: Purpose, subject_id: str) -> None:
    link = Link(purpose=purpose, party_id=LINK.party_id, subject_id=subject_id, expires_at=ENDS)
    assert read(mint(link, KEY), KEY) == link


def test_an_ended_link_is_read_so_that_its_page_can_say_so() -> None:
    ended = Link(
        purpose=LINK.purpose, party_id=LINK.party_id, subject_id="", expires_at=datetime(2001, 1, 1, tzinfo=UTC)
    )
    assert read(mint(ended, KEY), KEY).expires_at == ended.expires_at


def test_the_end_is_kept_to_the_minute() -> None:
    later = Link(purpose=LINK.purpose, party_id=LINK.party_id, subject_id="", expires_at=ENDS + timedelta(seconds=59))
    assert read(mint(later, KEY), KEY).expires_at == ENDS


def test_a_token_fits_a_line_of_mail_and_a_path_of_an_url() -> None:
    token = mint(LINK, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{40,130}", token)
    assert token == mint(LINK, KEY)


def test_a_token_shows_no_id_and_joins_nothing() -> None:  # R-ADR-01
    """Neither the ids nor a common beginning of one party's tokens can be seen."""
    token = mint(LINK, KEY)
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert LINK.party_id.encode() not in sealed
    beside = mint(Link(purpose=LINK.purpose, party_id=LINK.party_id, subject_id="another", expires_at=ENDS), KEY)
    assert token[:8] != beside[:8]


@pytest.mark.parametrize("place", [0, 1, 17, 40, -2])
def test_an_altered_token_is_refused(place: int) -> None:
    token = mint(LINK, KEY)
    altered = list(token)
    altered[place] = "A" if altered[place] != "A" else "Q"
    with pytest.raises(ForgedError):
        read("".join(altered), KEY)


def test_a_token_cut_short_or_made_longer_is_refused() -> None:
    token = mint(LINK, KEY)
    for wrong in (
        *(token[:length] for length in range(len(token))),
        token + "A",
        token + "=",
        token + "\n",
        " " + token,
    ):
        with pytest.raises(ForgedError):
            read(wrong, KEY)


def test_a_token_under_another_key_or_for_another_use_is_refused() -> None:
    with pytest.raises(ForgedError):
        read(mint(LINK, OTHER_KEY), KEY)
    sealed = AESSIV(KEY).encrypt(b"o1.party.message", [b"something else"])
    with pytest.raises(ForgedError):
        read(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), KEY)


@given(st.one_of(st.text(max_size=500), st.text("AQaz09-_", min_size=40, max_size=400)))
def test_whatever_is_in_a_path_is_refused_and_nothing_worse(token: str) -> None:
    with pytest.raises(ForgedError):
        read(token, KEY)
