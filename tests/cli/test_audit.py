"""`relay audit`, and the name under which a verb is recorded."""

import getpass
import os
import pwd
from typing import Any

import click
import pytest

from relay.cli import VERBS, main
from tests.cli.conftest import REVEAL, Installation

_LOGIN_VARIABLES = ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME")
_READING = {
    *("check", "show", "list", "pending", "history", "wait", "records", "export", "default", "diff", "changelog"),
    *("replay", "simulate", "response", "serve", "demo", "init"),
}
SELLER = ("--role", "seller", "--ref", "S1")


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    return [
        leaf
        for name in command.list_commands(context)
        if (below := command.get_command(context, name))
        for leaf in _leaves(below, (*path, name))
    ]


def _newest(installation: Installation) -> dict[str, Any]:
    newest: dict[str, Any] = installation.json("audit", "list", "--all", "--limit", "1")[0]
    return newest


def test_every_verb_that_changes_something_takes_the_name_of_its_actor() -> None:
    assert "audit" in VERBS
    without = {
        " ".join(path)
        for path, command in _leaves(main)
        if path[-1] not in _READING and "by" not in {option.name for option in command.params}
    }
    assert without == set()


def test_each_change_is_listed_newest_first_with_who_made_it(seeded: Installation) -> None:
    seeded.relay("party", "set", *SELLER, "--state", "suspended", "--by", "ann")
    seeded.relay("queue", "flush", "--by", "bob@company.example")
    flushed, changed, *earlier = seeded.json("audit", "list", "--all")
    assert (flushed["actor"], flushed["way"], flushed["action"]) == ("bob", "command line", "queue_flushed")
    assert flushed["marketplace"] is None
    assert (changed["actor"], changed["action"]) == ("ann", "party_put")
    assert changed["party"] == seeded.json("party", "show", *SELLER)["id"]
    assert changed["data"] == {"new": 0, "values": "state", "state": "suspended"}
    # `relay init` has made the keys, two parties and a pair came after.
    assert [one["action"] for one in earlier] == ["pair_put", "party_put", "party_put", "key_made", "key_made"]
    assert [one["action"] for one in seeded.json("audit", "list")][:1] == ["party_put"]
    assert "queue_flushed" not in seeded.relay("audit", "list").output
    assert "queue_flushed" in seeded.relay("audit", "list", "--all").output


def test_what_changes_nothing_is_not_logged(seeded: Installation) -> None:
    before = seeded.json("audit", "list", "--all")
    seeded.relay("party", "add", "--role", "buyer", "--ref", "B9", exit_code=2)
    seeded.relay("hold", "release", "nothing", exit_code=1)
    seeded.relay("party", "password", "revoke", "nothing", exit_code=1)
    for verb in (["party", "list"], ["party", "show", *SELLER], ["sender", "list", *SELLER], ["keys", "list"]):
        seeded.relay(*verb)
    report = b"order_id,buyer_ref,seller_ref\nO-1,B1,S1\n"
    seeded.relay("order", "import", "--dry-run", "-", stdin=report)
    assert seeded.json("audit", "list", "--all") == before
    seeded.relay("order", "import", "-", "--by", "ann", stdin=report)
    assert {one["actor"] for one in seeded.json("audit", "list", "--all")[: -len(before)]} == {"ann"}


@pytest.mark.parametrize(
    "verb", [["party", "show", *SELLER], ["sender", "list", *SELLER], ["sender", "pending", *SELLER]]
)
def test_who_reads_real_addresses_is_logged(seeded: Installation, verb: list[str]) -> None:
    seeded.relay(*verb, *REVEAL, "--by", "ann")
    newest = _newest(seeded)
    assert (newest["actor"], newest["action"]) == ("ann", "addresses_read")
    assert newest["party"] == seeded.json("party", "show", *SELLER)["id"]
    assert (newest["data"]["case"], newest["data"]["reason"]) == ("C-7", "a parcel went astray")


@pytest.mark.parametrize("missing", ["--case", "--reason"])
@pytest.mark.parametrize(
    "verb",
    [
        ["party", "show", *SELLER],
        ["party", "list"],
        ["sender", "list", *SELLER],
        ["sender", "pending", *SELLER],
        ["queue", "list"],
    ],
)
def test_real_addresses_are_read_for_a_case_and_a_reason_only(
    seeded: Installation, verb: list[str], missing: str
) -> None:  # R-REC-06
    before = seeded.json("audit", "list", "--all")
    at = REVEAL.index(missing)
    shown = seeded.relay(*verb, *REVEAL[:at], *REVEAL[at + 2 :], exit_code=2).output
    assert missing in shown
    assert "private.example" not in shown
    assert seeded.json("audit", "list", "--all") == before


def test_without_a_name_the_login_is_recorded(seeded: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded() -> str:
        seeded.relay("queue", "flush")
        return str(_newest(seeded)["actor"])

    for name in _LOGIN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert recorded() == pwd.getpwuid(os.getuid()).pw_name  # cron, a container
    monkeypatch.setenv("LOGNAME", "root")
    assert recorded() == "root"
    monkeypatch.setenv("SUDO_USER", "ann")
    assert recorded() == "ann"


def test_an_account_without_a_name_is_recorded_by_its_number(
    seeded: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("no such account")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nameless)
    seeded.relay("queue", "flush")
    assert _newest(seeded)["actor"] == f"uid {os.getuid()}"


def test_an_empty_name_is_refused(seeded: Installation) -> None:
    for name in ("", " ", "@company.example"):
        assert "--by: a name is needed" in seeded.relay("queue", "flush", "--by", name, exit_code=2).stderr
