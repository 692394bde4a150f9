"""`relay keys`: a new key is published before it signs, an old one until nothing that it signed is good any more."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from relay.cli.examine import Grade
from tests.cli.conftest import REVEAL, Installation
from tests.support.dns import MiniDns
from tests.support.peers import BackgroundLoop

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"


def _states(installation: Installation) -> dict[str, str]:
    return {one["selector"]: one["state"] for one in installation.json("keys", "list")}


def _selectors(installation: Installation, state: str) -> list[str]:
    return [selector for selector, found in _states(installation).items() if found == state]


@contextmanager
def _published(installation: Installation, zone: str) -> Iterator[None]:
    with BackgroundLoop() as background:
        server = background.enter(MiniDns(zone))
        table = f'\n[dns]\nservers = ["127.0.0.1"]\nport = {server.port}\ntimeout_s = 2\n'
        installation.configure(lambda text: text.partition("\n[dns]\n")[0] + table)
        yield


def test_a_prepared_key_is_shown_to_be_published_and_does_not_count_as_active(installation: Installation) -> None:
    before = _states(installation)
    assert set(before.values()) == {"active"}
    zone = installation.relay("keys", "rotate", "--prepare").output
    prepared = _selectors(installation, "prepared")
    assert len(prepared) == 2
    assert all(f"{selector}._domainkey.shop.example. IN TXT " in zone for selector in prepared)
    assert installation.relay("keys", "rotate", "--prepare").output == zone  # once
    assert len(_states(installation)) == 4
    assert all(line in installation.relay("keys", "records").output for line in zone.splitlines())


def test_a_key_becomes_active_once_its_record_is_seen(installation: Installation) -> None:  # R-REW-10
    old = _selectors(installation, "active")
    zone = installation.relay("keys", "rotate", "--prepare").output
    with _published(installation, zone.splitlines()[0] + "\n"):
        result = installation.relay("keys", "rotate", exit_code=1)
    assert f"publish {zone.splitlines()[1]}" in result.output
    states = _states(installation)
    assert sorted(states.values()) == ["active", "active", "prepared", "replaced"]
    with _published(installation, zone):
        installation.relay("keys", "rotate")
    assert sorted(_selectors(installation, "replaced")) == sorted(old)
    assert len(_selectors(installation, "active")) == 2
    assert "no key is prepared" in installation.relay("keys", "rotate", exit_code=1).output


def test_a_change_over_can_be_forced(installation: Installation) -> None:
    old = _selectors(installation, "active")
    installation.relay("keys", "rotate", "--prepare")
    assert {one["state"] for one in installation.json("keys", "rotate", "--now")} == {"active"}
    assert sorted(_selectors(installation, "replaced")) == sorted(old)
    installation.relay("keys", "rotate", "--prepare", "--now", exit_code=2)


def test_a_replaced_key_is_retired_when_what_it_signed_has_expired(installation: Installation) -> None:
    old = sorted(_selectors(installation, "active"))
    installation.relay("keys", "rotate", "--prepare")
    installation.relay("keys", "rotate", "--now")
    assert installation.json("keys", "retire") == []
    assert "good until it expires" in installation.relay("keys", "retire", "--selector", old[0], exit_code=1).output
    with closing(sqlite3.connect(installation.var / "relay.db")) as database, database:
        database.execute("UPDATE dkim_key SET since = 0 WHERE state = 'replaced'")
    overdue = [one for one in installation.json("check", "--offline") if "served its time" in one["found"]]
    assert [(one["grade"], one["fix"]) for one in overdue] == [(Grade.WARNING, "run `relay keys retire`")] * 2
    assert [one["take_down"] for one in installation.json("keys", "retire")] == [
        f"{selector}._domainkey.shop.example" for selector in old
    ]
    assert sorted(_selectors(installation, "retired")) == old
    assert not any(selector in installation.relay("keys", "records").output.split(".")[0] for selector in old)
    installation.relay("check", "--offline")


def test_a_retired_selector_is_never_used_again(installation: Installation) -> None:
    for _ in range(2):
        installation.relay("keys", "rotate", "--prepare")
        installation.relay("keys", "rotate", "--now")
        for selector in _selectors(installation, "replaced"):
            installation.relay("keys", "retire", "--selector", selector, "--now")
    states = _states(installation)
    assert sorted(states.values()) == ["active"] * 2 + ["retired"] * 4


@pytest.mark.parametrize("selector", ["active", "nothing"])
def test_a_key_that_signs_is_not_retired_nor_one_that_is_not_there(installation: Installation, selector: str) -> None:
    name = _selectors(installation, "active")[0] if selector == "active" else "r-0"
    said = installation.relay("keys", "retire", "--selector", name, "--now", exit_code=1).output
    assert ("replace it with `relay keys rotate`" in said) == (selector == "active")
    assert len(_selectors(installation, "active")) == 2


def test_check_wants_active_keys_published_and_warns_of_others(installation: Installation) -> None:
    sound = installation.relay("keys", "records").output + "mx.shop.example. IN A 192.0.2.1\n"
    installation.relay("keys", "rotate", "--prepare")
    with _published(installation, sound):
        found = [one for one in installation.json("check") if one["what"] == "DKIM"]
    assert sorted(one["grade"] for one in found) == ["good", "good", "warning", "warning"]
    installation.relay("keys", "rotate", "--now")
    with _published(installation, sound):
        found = [one for one in installation.json("check", exit_code=1) if one["what"] == "DKIM"]
    assert sorted(one["grade"] for one in found) == ["bad", "bad", "good", "good"]


# R-REC-04
def test_the_master_key_is_replaced_and_the_old_one_named_until_it_is_retired(installation: Installation) -> None:
    installation.relay("party", "add", "--role", "buyer", "--ref", "B1", "--mailbox", "hanako@private.example")
    (old,) = installation.json("keys", "list", "master")
    assert old["state"] == "current"
    assert old["wraps"] > 2
    result = installation.relay("keys", "rotate", "master", "--json", "--by", "ann")
    assert "0 values left" in result.stderr
    fresh, former = installation.json("keys", "list", "master")
    assert (fresh["state"], fresh["wraps"]) == ("current", old["wraps"])
    assert (former["id"], former["state"], former["wraps"]) == (old["id"], "former", 0)
    assert installation.json("keys", "retire", "master") == [{"removed": old["id"]}]
    assert [one["id"] for one in installation.json("keys", "list", "master")] == [fresh["id"]]
    shown = installation.json("party", "show", "--role", "buyer", "--ref", "B1", *REVEAL)
    assert shown["mailbox"] == "hanako@private.example"
    actions = [one["action"] for one in installation.json("audit", "list", "--all")]
    assert actions[1:4] == ["master_key_removed", "master_key_rotated", "master_key_made"]


@pytest.mark.parametrize(
    "verb", [("rotate", "--now"), ("rotate", "-m", "shop"), ("retire", "--selector", "s1"), ("retire", "--now")]
)
def test_options_for_dkim_keys_are_refused_for_the_master_key(
    installation: Installation, verb: tuple[str, ...]
) -> None:
    before = (installation.var / "keys/master.key").read_bytes()
    said = installation.relay("keys", verb[0], "master", *verb[1:], exit_code=2).output
    assert "for DKIM keys only" in said
    assert (installation.var / "keys/master.key").read_bytes() == before


def test_a_rotation_that_lacks_the_key_of_a_value_is_one_clear_message(installation: Installation) -> None:
    path = installation.var / "keys/master.key"
    old = path.read_bytes()
    installation.relay("party", "add", "--role", "buyer", "--ref", "B1", "--mailbox", "hanako@private.example")
    installation.relay("keys", "rotate", "master")
    fresh = path.read_bytes().splitlines()[0] + b"\n"
    path.write_bytes(old)
    assert "not the master key of this database" in installation.relay("keys", "list", "master", exit_code=1).stderr
    path.write_bytes(fresh)
    assert installation.json("keys", "list", "master")[0]["state"] == "current"


def test_a_prepared_master_key_waits_until_it_is_rotated(installation: Installation) -> None:
    for _ in range(2):  # once
        states = [one["state"] for one in installation.json("keys", "rotate", "master", "--prepare")]
        assert states == ["current", "waiting"]
    waiting = installation.json("keys", "list", "master")[1]["id"]
    assert installation.json("keys", "retire", "master") == []
    installation.relay("keys", "rotate", "master")
    assert installation.json("keys", "list", "master")[0]["id"] == waiting
