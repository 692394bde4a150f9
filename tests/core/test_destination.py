"""The names of destinations: listed domains stand for themselves, all others under a keyed tag."""

import re

import pytest

from relay.core.destination import is_name, name_of, organization_of, routes_of, shown
from relay.core.providers import MAIL_DOMAINS
from relay.ports import RecordDetail

KEY = bytes(range(32))
TAG = "~[a-z2-7]{16}"


@pytest.mark.parametrize(
    ("domain", "form", "listed"),
    [
        ("gmail.com", "gmail.com", "gmail.com"),
        ("jcom.home.ne.jp", "jcom.home.ne.jp", "jcom.home.ne.jp"),
        ("hanako.ocn.ne.jp", f"ocn.ne.jp/{TAG}", "ocn.ne.jp"),
        ("yamada.example", TAG, "other"),
        ("mail.yamada.example", f"{TAG}/{TAG}", "other"),
        ("yamada.co.jp", TAG, "other"),
        ("notgmail.com", TAG, "other"),
        ("localhost", f"/{TAG}", "other"),
        ("", "", ""),
    ],
)
def test_only_a_listed_domain_stands_in_clear(domain: str, form: str, listed: str) -> None:  # R-REC-04
    name = name_of(KEY, domain)
    assert re.fullmatch(form, name)
    assert is_name(name)
    assert shown(name) == listed
    assert name == domain or domain not in name


def test_a_domain_below_another_has_its_organization() -> None:  # R-OUT-01
    own, below, further = (name_of(KEY, f"{host}yamada.example") for host in ("", "a.", "b.c."))
    assert {organization_of(name) for name in (own, below, further)} == {own}
    assert len({own, below, further}) == 3
    assert organization_of(name_of(KEY, "localhost")) == ""
    assert organization_of(name_of(KEY, "d.vodafone.ne.jp")) == name_of(KEY, "vodafone.ne.jp")


def test_a_route_holds_for_its_domain_alone() -> None:  # R-OUT-01
    routes = {"yamada.example": "a:25", "gmail.com": "b:25", "*": "c:25"}
    assert routes_of(KEY, routes) == {name_of(KEY, "yamada.example"): "a:25", "gmail.com": "b:25", "*": "c:25"}


def test_without_the_key_no_guess_can_be_checked() -> None:
    assert name_of(KEY, "yamada.example") == name_of(KEY, "yamada.example") != name_of(KEY[::-1], "yamada.example")


def test_a_domain_of_an_older_relay_is_told_from_a_name() -> None:
    assert not is_name("yamada.example")
    assert all(map(is_name, MAIL_DOMAINS))


def test_the_clear_part_of_a_record_has_no_place_for_an_address() -> None:
    assert {"client_ip", "helo", "host", "ip"} & {*RecordDetail.__dataclass_fields__} == set()
