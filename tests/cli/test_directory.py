"""The directory verbs: marketplaces, parties, pairs, orders, senders, opt-outs (R-UI-10)."""

import asyncio
import re
from itertools import product

import pytest
from argon2 import PasswordHasher

from relay import installation
from relay.config import load
from relay.core.model.party import Role
from relay.core.model.sender import SenderState
from tests.cli.conftest import REVEAL, Installation

SELLER = ("--role", "seller", "--ref", "S1")
SECOND = """
[[marketplace]]
id = "second"
name = "Second"
domain = "second.example"
mobile_domain = "m.second.example"
operator = "ops@company.example"
help_url = "https://second.example/help"
locales = ["ja"]
"""


def test_marketplaces_are_shown(installation: Installation) -> None:
    assert installation.json("marketplace", "list") == [{"id": "shop", "name": "Marketplace", "domain": "shop.example"}]
    assert installation.json("marketplace", "show")["authentication"] == "hold"
    assert 'no marketplace "none"' in installation.relay("marketplace", "show", "none", exit_code=2).stderr


def test_a_party_is_added_once_and_changed_in_place(seeded: Installation) -> None:
    again = seeded.json("party", "add", "--role", "buyer", "--ref", "B1", "--name", "花子", "--locale", "ja")
    changed = seeded.json("party", "set", "--role", "buyer", "--ref", "B1", "--state", "suspended")
    assert changed == again | {"state": "suspended"}
    assert changed["name"] == "花子"
    assert len(seeded.json("party", "list")) == 2
    assert len(seeded.json("party", "list", "--role", "seller")) == 1


def test_a_party_needs_what_only_the_marketplace_knows(installation: Installation) -> None:
    refused = [
        (["party", "add", "--role", "buyer", "--ref", "B9"], 2, "a new party needs --mailbox"),
        (["party", "add", "--role", "buyer", "--ref", "B9", "--mailbox", "nobody"], 2, "not one mail address"),
        (["party", "add", "--role", "buyer", "--ref", "B9", "--mailbox", "a@b.example", "--locale", "fr"], 2, "speaks"),
        (["party", "set", "--role", "buyer", "--ref", "B9", "--state", "closed"], 1, 'shop has no buyer "B9"'),
        (["party", "show", "--role", "buyer", "--ref", "B9"], 1, 'shop has no buyer "B9"'),
    ]
    for arguments, exit_code, said in refused:
        assert said in installation.relay(*arguments, exit_code=exit_code).stderr
    assert installation.json("party", "list") == []


def test_a_real_address_is_shown_on_request_only(seeded: Installation) -> None:
    seller = ["--role", "seller", "--ref", "S1"]
    seeded.relay("sender", "add", *seller, "staff@private.example")
    seeded.relay("order", "add", "O-1", "--buyer", "B1", "--seller", "S1")
    verbs = (
        ["party", "list"],
        ["party", "show", *seller],
        ["party", "set", *seller, "--mailbox", "new@private.example"],
        ["pair", "list"],
        ["order", "list"],
        ["order", "show", "O-1"],
        ["order", "export"],
        ["sender", "list", *seller],
        ["sender", "block", *seller, "staff@private.example"],
        ["queue", "list"],
    )
    for verb, form in product(verbs, ([], ["--json"])):
        if form and verb == ["order", "export"]:
            continue
        result = seeded.relay(*verb, *form)
        for name in ("owner", "new", "staff", "hanako"):
            assert f"{name}@" not in result.stdout + result.stderr, verb
    assert seeded.json("party", "show", *seller, *REVEAL)["mailbox"] == "new@private.example"
    assert "hanako@private.example" in seeded.relay("party", "list", *REVEAL).output
    assert {one["address"] for one in seeded.json("sender", "list", *seller, *REVEAL)} == {
        "owner@private.example",
        "new@private.example",
        "staff@private.example",
    }


@pytest.mark.parametrize(
    ("keep", "again", "states"),
    [
        (False, [], {"o…r@private.example": "retired", "n…@private.example": "approved"}),
        (True, [], {"o…r@private.example": "approved", "n…@private.example": "approved"}),
        (False, ["Owner@private.example"], {"o…r@private.example": "approved", "n…@private.example": "retired"}),
    ],
)
def test_a_mailbox_that_a_party_has_left_writes_no_more_for_it(
    seeded: Installation, keep: bool, again: list[str], states: dict[str, str]
) -> None:  # R-ADR-04
    if keep:
        seeded.configure(lambda text: text.replace("[[marketplace]]", "[[marketplace]]\nkeep_former_mailbox = true"))
    for mailbox in ("new@private.example", *again):
        seeded.relay("party", "set", *SELLER, "--mailbox", mailbox)
    assert {one["address"]: one["state"] for one in seeded.json("sender", "list", *SELLER)} == states


def test_a_former_mailbox_that_somebody_has_added_or_blocked_keeps_its_state(seeded: Installation) -> None:
    seeded.relay("sender", "add", *SELLER, "owner@private.example", "--by", "ann")
    seeded.relay("party", "set", *SELLER, "--mailbox", "new@private.example")
    seeded.relay("sender", "block", *SELLER, "new@private.example")
    seeded.relay("party", "set", *SELLER, "--mailbox", "third@private.example")
    states = {one["address"]: one["state"] for one in seeded.json("sender", "list", *SELLER)}
    assert (states["o…r@private.example"], states["n…@private.example"]) == ("approved", "blocked")


def test_addresses_can_be_told_apart_without_being_read(seeded: Installation) -> None:
    # R-SND-01: an entry, and a typing error in its domain, are found without a case and a reason
    seller = ["--role", "seller", "--ref", "S1"]
    seeded.relay("sender", "add", *seller, "@agency.example")
    assert seeded.json("sender", "add", *seller, "sato@pottery.exmaple")["address"] == "s…o@pottery.exmaple"
    shown = ["o…r@private.example", "@agency.example", "s…o@pottery.exmaple"]
    assert [one["address"] for one in seeded.json("sender", "list", *seller)] == shown
    assert seeded.json("party", "show", *seller)["mailbox"] == "o…r@private.example"
    assert all(shown[0] in seeded.relay(*verb, *seller).stdout for verb in (["party", "show"], ["sender", "list"]))


def test_a_pending_address_can_be_told_apart_without_being_read(seeded: Installation) -> None:
    async def wait() -> None:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            party = await store.parties.by_ref("shop", Role.SELLER, "S1")
            assert party is not None
            await store.senders.put(party.id, "sato@agency.example", SenderState.UNKNOWN)

    asyncio.run(wait())
    pending = ["sender", "pending", "--role", "seller", "--ref", "S1"]
    assert [one["address"] for one in seeded.json(*pending)] == ["s…o@agency.example"]
    assert [one["address"] for one in seeded.json(*pending, *REVEAL)] == ["sato@agency.example"]


def test_a_closed_pair_is_opened_again_by_new_aliases_only(seeded: Installation) -> None:  # R-ADR-02
    (first,) = seeded.json("pair", "list")
    closed = seeded.json("pair", "close", first["id"], "--by", "ann")
    assert closed == first | {"closed": True}
    assert seeded.json("pair", "add", "--buyer", "B1", "--seller", "S1") == closed
    seeded.relay("order", "add", "O-1", "--buyer", "B1", "--seller", "S1")
    assert seeded.json("pair", "show", first["id"]) == closed
    renewed = seeded.json("pair", "renew", first["id"])
    assert not renewed["closed"]
    sides = ("buyer_alias", "seller_alias")
    assert not {renewed[side] for side in sides} & {first[side] for side in sides}
    again = seeded.json("pair", "renew", first["id"], "--role", "seller")
    assert again["buyer_alias"] == renewed["buyer_alias"]
    assert again["seller_alias"] not in {renewed["seller_alias"], first["seller_alias"]}
    assert {line["action"] for line in seeded.json("audit", "list", "--all")} >= {"pair_closed", "aliases_renewed"}
    assert "there is no pair" in seeded.relay("pair", "close", "nothing", exit_code=1).stderr


def test_an_order_is_cancelled_and_its_pair_stays(seeded: Installation) -> None:
    seeded.relay("order", "add", "O-1", "--buyer", "B1", "--seller", "S1", "--item", "SKU-1", "--state", "shipped")
    assert seeded.json("order", "cancel", "O-1", "--by", "ann")["state"] == "cancelled"
    shown = seeded.json("order", "show", "O-1")
    assert (shown["state"], shown["items"]) == ("cancelled", ["SKU-1"])
    assert not seeded.json("pair", "list")[0]["closed"]
    assert "there is no order" in seeded.relay("order", "cancel", "O-9", exit_code=1).stderr


def test_a_pair_keeps_its_aliases(seeded: Installation) -> None:
    # R-ADR-01
    (first,) = seeded.json("pair", "list")
    assert seeded.json("pair", "add", "--buyer", "B1", "--seller", "S1") == first
    assert seeded.json("pair", "show", first["id"]) == first
    assert re.fullmatch(r"[a-z2-7]{16}@shop\.example", first["buyer_alias"])
    assert first["buyer_alias"] != first["seller_alias"]


def test_a_party_at_a_carrier_gets_an_alias_in_the_mobile_domain(installation: Installation) -> None:
    # R-ADR-03
    installation.configure(lambda text: text + SECOND)
    at = ["-m", "second"]
    installation.relay("party", "add", *at, "--role", "buyer", "--ref", "B1", "--mailbox", "a..b@docomo.ne.jp")
    installation.relay("party", "add", *at, "--role", "seller", "--ref", "S1", "--mailbox", "s@pc.example")
    pair = installation.json("pair", "add", *at, "--buyer", "B1", "--seller", "S1")
    assert pair["buyer_alias"].endswith("@m.second.example")
    assert pair["seller_alias"].endswith("@second.example")
    assert installation.json("party", "show", *at, "--role", "buyer", "--ref", "B1")["locale"] == "ja"


def test_two_marketplaces_do_not_see_each_other(seeded: Installation) -> None:
    # R-ADR-09
    seeded.configure(lambda text: text + SECOND)
    assert "say which with --marketplace" in seeded.relay("party", "list", exit_code=2).stderr
    assert seeded.json("party", "list", "-m", "second") == []
    assert len(seeded.json("party", "list", "-m", "shop")) == 2
    result = seeded.relay("pair", "add", "-m", "second", "--buyer", "B1", "--seller", "S1", exit_code=1)
    assert 'second has no buyer "B1"' in result.stderr


def test_an_unknown_pair_or_order_is_told(installation: Installation) -> None:
    assert "there is no pair x" in installation.relay("pair", "show", "x", exit_code=1).stderr
    assert "there is no order x" in installation.relay("order", "show", "x", exit_code=1).stderr


def test_an_order_is_added_once_and_stays_its_pairs(seeded: Installation) -> None:
    order = ["order", "add", "O-1", "--buyer", "B1", "--seller", "S1"]
    seeded.relay(*order, "--item", "JAN1", "--item", "JAN2")
    changed = seeded.json(*order, "--item", "JAN1", "--state", "shipped", "--fulfilled-by", "operator")
    assert (changed["items"], changed["state"], changed["fulfilled_by"]) == (["JAN1"], "shipped", "operator")
    assert seeded.json("order", "list") == [changed]
    seeded.relay("party", "add", "--role", "buyer", "--ref", "B2", "--mailbox", "b2@private.example")
    taken = seeded.relay("order", "add", "O-1", "--buyer", "B2", "--seller", "S1", exit_code=1)
    assert "another buyer's or seller's already" in taken.stderr


def test_an_app_password_is_shown_once_and_two_are_live(seeded: Installation) -> None:
    # R-IN-02
    add = ["party", "password", "add", "--ref", "S1"]
    made = [seeded.json(*add, "--label", label) for label in ("old", "new", "newest")]
    assert len({one["password"] for one in made}) == 3
    stored = b"".join(path.read_bytes() for path in seeded.var.glob("relay.db*"))
    assert all(one["password"].encode() not in stored for one in made)
    assert f"there is no live app password {made[0]['id']}" in (
        seeded.relay("party", "password", "revoke", made[0]["id"], exit_code=1).stderr
    )
    assert "is revoked" in seeded.relay("party", "password", "revoke", made[1]["id"]).output
    seeded.relay("party", "password", "revoke", made[2]["id"])
    seeded.relay("party", "password", "revoke", made[2]["id"], exit_code=1)


def test_an_app_password_comes_with_all_that_a_mail_program_asks_for(seeded: Installation) -> None:
    made = seeded.json("party", "password", "add", "--ref", "S1")
    assert (made["server"], made["username"]) == ("localhost", "S1")
    assert made["security"] == "STARTTLS 0, TLS 0"  # the ports of this configuration


def test_one_order_with_mailboxes_makes_its_parties(seeded: Installation) -> None:
    order = ["order", "add", "O-9", "--buyer", "B9", "--seller", "S9"]
    assert 'has no buyer "B9"' in seeded.relay(*order, exit_code=1).stderr
    mailboxes = ["--buyer-mailbox", "b9@private.example", "--seller-mailbox", "s9@pots.example"]
    assert seeded.json(*order, *mailboxes)["order"] == "O-9"
    refs = {(one["role"], one["ref"]) for one in seeded.json("party", "list")}
    assert {("buyer", "B9"), ("seller", "S9")} <= refs


def test_an_order_that_is_refused_adds_and_changes_no_party(seeded: Installation) -> None:
    seeded.relay("order", "add", "O-1", "--buyer", "B1", "--seller", "S1")
    before = seeded.json("party", "list", *REVEAL)
    refused = [
        (("O-2", "--buyer", "B9", "--seller", "S9", "--buyer-mailbox", "b9@private.example"), 'no seller "S9"'),
        (("O-2", "--buyer", "B9", "--seller", "S9", "--seller-mailbox", "s9@pots.example"), 'no buyer "B9"'),
        (("O-1", "--buyer", "B9", "--seller", "S1", "--buyer-mailbox", "b9@private.example"), "another buyer's"),
    ]
    for order, said in refused:
        assert said in seeded.relay("order", "add", *order, exit_code=1).stderr
    assert seeded.json("party", "list", *REVEAL) == before


def test_an_app_password_opens_the_door_that_it_is_for(seeded: Installation) -> None:
    made = seeded.json("party", "password", "add", "--ref", "S1")

    async def stored() -> list[str]:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            return [password_hash for _, password_hash in await store.app_passwords.of_username(made["username"])]

    (password_hash,) = asyncio.run(stored())
    assert PasswordHasher().verify(password_hash, made["password"])


def test_senders_are_flipped_and_never_deleted(seeded: Installation) -> None:
    # R-SND-01, R-SND-03
    seller = ["--role", "seller", "--ref", "S1"]
    added = seeded.json("sender", "add", *seller, "@Agency.Example", "--label", "agency", "--by", "ann", "--shared")
    assert (added["scope"], added["state"], added["added_by"]) == ("domain", "approved", "ann")
    seeded.relay("sender", "add", *seller, "bob@private.example")
    for verb, state in (("block", "blocked"), ("approve", "approved"), ("retire", "retired")):
        flipped = seeded.json("sender", verb, *seller, "@agency.example", "BOB@private.example")
        assert [one["state"] for one in flipped] == [state, state]
    (agency,) = [one for one in seeded.json("sender", "list", *seller) if one["scope"] == "domain"]
    assert (agency["label"], agency["shared"], agency["added_by"]) == ("agency", True, "ann")
    assert len(seeded.json("sender", "list", *seller)) == 3


def test_a_flip_of_someone_unlisted_flips_nobody(seeded: Installation) -> None:
    seller = ["--role", "seller", "--ref", "S1"]
    result = seeded.relay("sender", "block", *seller, "owner@private.example", "x@y.example", exit_code=1)
    assert "does not list each of these addresses" in result.stderr
    assert [one["state"] for one in seeded.json("sender", "list", *seller)] == ["approved"]


@pytest.mark.parametrize("address", ["nobody", "@", "@a b.example", "a@b@c"])
def test_a_sender_is_an_address_or_a_domain(seeded: Installation, address: str) -> None:
    result = seeded.relay("sender", "add", "--role", "seller", "--ref", "S1", address, exit_code=2)
    assert "not one mail address, nor @domain" in result.stderr


@pytest.mark.parametrize("kind", ["other", "reply"])
def test_nobody_opts_out_of_a_kind_that_says_nothing(seeded: Installation, kind: str) -> None:
    # R-POL-02
    result = seeded.relay("opt-out", "set", "--buyer", "B1", "--kind", kind, exit_code=2)
    assert f"nobody can opt out of mail of the kind {kind}" in result.stderr
    assert seeded.json("opt-out", "list", "--buyer", "B1") == []
    seeded.relay("opt-out", "clear", "--buyer", "B1", "--kind", kind)


def test_opt_outs_are_set_and_cleared_by_scope(seeded: Installation) -> None:
    # R-POL-02
    scopes: tuple[list[str], ...] = ([], ["--seller", "S1"], ["--kind", "promotion"])
    for scope in scopes:
        seeded.relay("opt-out", "set", "--buyer", "B1", *scope)
        seeded.relay("opt-out", "set", "--buyer", "B1", *scope)
    found = seeded.json("opt-out", "list", "--buyer", "B1")
    assert sorted((one["seller"], one["kind"]) for one in found) == [
        ("S1", "all"),
        ("all", "all"),
        ("all", "promotion"),
    ]
    seeded.relay("opt-out", "clear", "--buyer", "B1")
    assert len(seeded.json("opt-out", "list", "--buyer", "B1")) == 2
    for scope in scopes:
        seeded.relay("opt-out", "clear", "--buyer", "B1", *scope)
    assert "no opt-out" in seeded.relay("opt-out", "list", "--buyer", "B1").stderr


OWN = ("x@shop.example", "X@Shop.EXAMPLE", "x@m.second.example", "x@日本.example", "x@mx.company.example")


@pytest.fixture
def ours(seeded: Installation) -> Installation:
    """With a second marketplace, an international domain, and a name of the server."""
    seeded.configure(
        lambda text: "".join(
            (
                'hostname = "mx.company.example"\n',
                "\n".join(line for line in text.splitlines() if not line.startswith("hostname")),
                SECOND.replace('domain = "second.example"', 'domain = "日本.example"', 1),
            )
        )
    )
    return seeded


@pytest.mark.parametrize("address", OWN)
def test_no_address_of_the_relay_becomes_a_mailbox_or_a_sender(ours: Installation, address: str) -> None:  # R-OUT-08
    shop, said = ["-m", "shop"], "is at a domain of the relay itself"
    seller = [*shop, "--role", "seller", "--ref"]
    before = ours.json("party", "list", *shop, *REVEAL)
    for verb in (
        ["party", "add", *seller, "S2", "--mailbox", address],
        ["party", "set", *seller, "S1", "--mailbox", address],
        ["sender", "add", *seller, "S1", address],
        ["sender", "add", *seller, "S1", address[1:]],
    ):
        assert said in ours.relay(*verb, exit_code=2).stderr
    for column in ("buyer_mailbox", "seller_mailbox"):
        mailboxes = {"buyer_mailbox": "", "seller_mailbox": "", column: address}
        report = f"order_id,buyer_ref,seller_ref,{','.join(mailboxes)}\nO-1,B1,S1,{','.join(mailboxes.values())}\n"
        for form in ([], ["--dry-run"]):
            result = ours.relay("order", "import", *shop, *form, "-", stdin=report.encode(), exit_code=1)
            assert f"line 2, {column}: {said}" in result.stderr
    assert ours.json("party", "list", *shop, *REVEAL) == before
    assert len(ours.json("sender", "list", *seller, "S1")) == 1


def test_a_subdomain_that_is_not_configured_may_write(ours: Installation) -> None:
    ours.relay("sender", "add", "-m", "shop", "--role", "seller", "--ref", "S1", "@office.shop.example")


@pytest.mark.parametrize("address", ["x@shop.example", "@shop.example"])
def test_what_an_old_list_holds_of_ours_is_retired_or_blocked_and_never_approved(
    seeded: Installation, address: str
) -> None:  # R-SND-03
    async def put_before_the_rule() -> None:
        async with installation.opened(load(seeded.config), seeded.directory) as store:
            party = await store.parties.by_ref("shop", Role.SELLER, "S1")
            assert party is not None
            await store.senders.put(party.id, address, SenderState.UNKNOWN)

    asyncio.run(put_before_the_rule())
    seller = ["--role", "seller", "--ref", "S1"]
    refused = seeded.relay("sender", "approve", *seller, "owner@private.example", address, exit_code=2)
    assert "is at a domain of the relay itself" in refused.stderr
    for verb, state in (("block", "blocked"), ("retire", "retired")):
        assert [one["state"] for one in seeded.json("sender", verb, *seller, address)] == [state]
