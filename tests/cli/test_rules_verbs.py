"""The verbs on what the rules count and keep: bypass, threads, response figures, holds, waiting senders, settings."""

import asyncio

from relay import installation
from relay.config import load
from relay.core.model.party import Role
from tests.cli.conftest import Installation

BUYER = ("--role", "buyer", "--ref", "B1")
SELLER = ("--role", "seller", "--ref", "S1")
PAIR = ("--buyer", "B1", "--seller", "S1")


def test_whether_a_seller_may_write_is_one_word(seeded: Installation) -> None:
    # R-POL-19
    assert seeded.json("pair", "check", *PAIR) == {"reach": "open"}
    seeded.relay("opt-out", "set", "--buyer", "B1")
    assert seeded.json("pair", "check", *PAIR) == {"reach": "critical_only"}
    seeded.relay("party", "set", *BUYER, "--state", "closed")
    assert seeded.json("pair", "check", *PAIR) == {"reach": "closed"}
    assert seeded.relay("pair", "check", *PAIR).stdout == "reach:  closed\n"


def test_an_operators_order_is_asked_about_by_name(seeded: Installation) -> None:
    # R-POL-13, R-POL-19
    seeded.relay("order", "add", "O-1", *PAIR, "--fulfilled-by", "operator")
    seeded.relay("order", "add", "O-2", *PAIR)
    assert seeded.json("pair", "check", *PAIR, "--order", "O-1") == {"reach": "closed"}
    assert seeded.json("pair", "check", *PAIR, "--order", "O-2") == {"reach": "open"}
    assert seeded.json("party", "set", *SELLER, "--product-support", "on")["product_support"]
    assert seeded.json("pair", "check", *PAIR, "--order", "O-1") == {"reach": "open"}
    assert "no order O-9" in seeded.relay("pair", "check", *PAIR, "--order", "O-9", exit_code=1).stderr


def test_no_seller_may_write_in_a_closed_pair(seeded: Installation) -> None:  # R-ADR-02, R-POL-19
    pair_id = seeded.json("pair", "add", *PAIR)["id"]
    seeded.relay("pair", "close", pair_id)
    assert seeded.json("pair", "check", *PAIR) == {"reach": "closed"}
    seeded.relay("pair", "renew", pair_id)
    assert seeded.json("pair", "check", *PAIR) == {"reach": "open"}


def test_two_who_are_no_pair_are_told_so(seeded: Installation) -> None:
    seeded.relay("party", "add", "--role", "buyer", "--ref", "B2", "--mailbox", "b2@private.example")
    said = seeded.relay("pair", "check", "--buyer", "B2", "--seller", "S1", exit_code=1).stderr
    assert "are no pair yet" in said
    assert "private.example" not in said


def test_a_buyers_night_is_set_checked_and_kept(seeded: Installation) -> None:
    # R-POL-12
    set_ = seeded.json("party", "set", *BUYER, "--time-zone", "Europe/Berlin", "--quiet-hours", "21:00-08:00")
    assert (set_["time_zone"], set_["quiet_hours"]) == ("Europe/Berlin", "21:00-08:00")
    kept = seeded.json("party", "set", *BUYER, "--quiet-hours", "off")
    assert (kept["time_zone"], kept["quiet_hours"]) == ("Europe/Berlin", "off")
    assert seeded.json("party", "set", *BUYER, "--time-zone", "")["time_zone"] == ""
    for wrong, said in (
        (["--time-zone", "Berlin"], "an IANA time zone"),
        (["--quiet-hours", "9-5"], "such as 22:00-07:00"),
        (["--product-support", "on"], "--product-support is not for a buyer"),
    ):
        assert said in seeded.relay("party", "set", *BUYER, *wrong, exit_code=2).stderr
    refused = seeded.relay("party", "set", *SELLER, "--quiet-hours", "off", exit_code=2).stderr
    assert "--quiet-hours is not for a seller" in refused


def test_known_texts_of_an_order_are_kept(seeded: Installation) -> None:
    # R-POL-09
    put = seeded.json("order", "add", "O-1", *PAIR, "--known", "1234-5678-9012", "--known", "980円")
    assert put["known"] == ["1234-5678-9012", "980円"]
    assert seeded.json("order", "show", "O-1")["known"] == ["1234-5678-9012", "980円"]
    assert "neither holds a ;" in seeded.relay("order", "add", "O-1", *PAIR, "--known", "a;b", exit_code=2).stderr


def test_a_sellers_bypass_is_shown_and_restored(seeded: Installation) -> None:
    # R-POL-06
    fresh = seeded.json("bypass", "show", "S1")
    assert fresh == {"seller": "S1", "score": 0, "standing": "free", "used_today": 0, "per_day": 20, "history": []}
    assert seeded.json("bypass", "restore", "S1", "--by", "anna")["score"] == 0
    (line,) = seeded.json("bypass", "show", "S1")["history"]
    assert (line["cause"], line["points"]) == ("restored by anna", 0)
    assert 'no seller "B1"' in seeded.relay("bypass", "show", "B1", exit_code=1).stderr


def test_figures_of_a_seller_without_mail(seeded: Installation) -> None:
    # R-REC-08
    shown = seeded.json("response", "S1")
    assert [one["days"] for one in shown["figures"]] == [7, 30, 90]
    assert {(one["answered"], one["late"], one["unanswered"], one["average_s"]) for one in shown["figures"]} == {
        (0, 0, 0, None)
    }
    assert shown["waiting"] == []
    assert "no question waits" in seeded.relay("response", "S1").stderr


def test_threads_of_a_pair_are_reopened(seeded: Installation) -> None:
    # R-POL-18
    reopened = seeded.json("thread", "reopen", *PAIR, "--by", "anna")
    assert reopened == {"reopened": seeded.json("pair", "list")[0]["id"]}


def test_nobody_waits(seeded: Installation) -> None:
    # R-SND-02
    assert seeded.json("sender", "pending", *SELLER) == []


def test_many_senders_are_flipped_at_once(seeded: Installation) -> None:
    # R-SND-03
    addresses = ("a@staff.example", "@desk.example")
    for address in addresses:
        seeded.relay("sender", "add", *SELLER, address)
    assert {one["state"] for one in seeded.json("sender", "block", *SELLER, *addresses)} == {"blocked"}
    assert {one["state"] for one in seeded.json("sender", "approve", *SELLER, *addresses)} == {"approved"}


def test_what_is_not_there_is_told(seeded: Installation) -> None:
    assert "not held" in seeded.relay("hold", "return", "nothing", "--by", "anna", exit_code=1).stderr
    assert "there is no message" in seeded.relay("message", "no-reply-needed", "nothing", exit_code=1).stderr


def test_settings_survive_another_change(seeded: Installation) -> None:
    # R-POL-13
    seeded.relay("party", "set", *SELLER, "--product-support", "on")
    assert seeded.json("party", "set", *SELLER, "--name", "Pots")["product_support"]

    async def stored() -> bool:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            party = await store.parties.by_ref("shop", Role.SELLER, "S1")
            return party is not None and party.settings.product_support

    assert asyncio.run(stored())
