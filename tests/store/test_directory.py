"""Who is who: parties, mailboxes, pairs, aliases, orders, senders, opt-outs, app passwords."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from relay.core import alias
from relay.core.mail.address import AddressError
from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.order import FulfilledBy, Order, OrderUpdate
from relay.core.model.party import PartyState, Role
from relay.core.model.sender import SenderState
from relay.store import SqlStore
from tests.store.store_env import BUYER, SELLER, START, Database, StoreEnv, execute, make_pair, select
from tests.support.narrowing import not_none

DOMAINS = {Role.BUYER: "Market.example", Role.SELLER: "market.example"}


async def test_a_party_is_made_once_and_none_leaves_a_value_as_it_is(node: SqlStore) -> None:
    made = await node.parties.put("m", Role.BUYER, "b-1", mailbox=BUYER, locale="ja", display_name="花子")
    again = await node.parties.put("m", Role.BUYER, "b-1", state=PartyState.SUSPENDED)
    assert again == replace(made, state=PartyState.SUSPENDED)
    assert await node.parties.by_ref("m", Role.BUYER, "b-1") == again
    assert await node.parties.mailbox(made.id) == BUYER
    assert (await node.parties.put("m", Role.BUYER, "b-1", display_name="")).display_name == ""


async def test_a_party_is_not_found_under_another_role_or_marketplace(node: SqlStore) -> None:  # R-ADR-09
    await node.parties.put("m", Role.BUYER, "b-1")
    assert await node.parties.by_ref("m", Role.SELLER, "b-1") is None
    assert await node.parties.by_ref("other", Role.BUYER, "b-1") is None
    assert await node.parties.in_marketplace("other") == []
    assert await node.parties.mailbox("nobody") is None


async def test_parties_are_listed_by_role(node: SqlStore) -> None:
    buyer = await node.parties.put("m", Role.BUYER, "b-1")
    seller = await node.parties.put("m", Role.SELLER, "s-1")
    assert await node.parties.in_marketplace("m") == [buyer, seller]
    assert await node.parties.in_marketplace("m", Role.SELLER) == [seller]


async def test_a_bad_mailbox_is_refused_and_nothing_is_written(node: SqlStore) -> None:
    with pytest.raises(AddressError):
        await node.parties.put("m", Role.BUYER, "b-1", mailbox="nobody")
    assert await node.parties.in_marketplace("m") == []


async def test_the_newest_mailbox_counts_and_all_stay_known(env: StoreEnv) -> None:  # R-ADR-04 R-SND-01
    buyer = env.pair.buyer.party
    await env.store.parties.put("m", Role.BUYER, buyer.external_ref, mailbox="New@mail.example")
    pair = await env.store.pairs.get(env.pair.id)
    assert pair is not None
    assert pair.buyer.mailbox == await env.store.parties.mailbox(buyer.id) == "New@mail.example"
    assert pair.buyer.addresses == {"hanako.buyer@mail.example", "new@mail.example"}
    assert pair.buyer.alias == env.pair.buyer.alias
    listed = await env.store.senders.of_party(buyer.id)
    assert [(s.address, s.state) for s in listed] == [
        ("hanako.buyer@mail.example", SenderState.APPROVED),
        ("new@mail.example", SenderState.APPROVED),
    ]


async def test_putting_the_same_mailbox_again_does_not_undo_a_block(env: StoreEnv) -> None:
    seller = env.pair.seller.party
    await env.store.senders.put(seller.id, SELLER, SenderState.BLOCKED)
    await env.store.parties.put("m", Role.SELLER, seller.external_ref, mailbox=SELLER)
    assert [s.state for s in await env.store.senders.of_party(seller.id)] == [SenderState.BLOCKED]


async def test_a_pair_keeps_its_aliases_for_life(env: StoreEnv) -> None:  # R-ADR-01
    buyer, seller = env.pair.buyer, env.pair.seller
    again = await env.store.pairs.put("m", buyer.party.id, seller.party.id, DOMAINS)
    assert again == env.pair
    assert await env.store.pairs.by_alias(buyer.alias.local_part, buyer.alias.domain) == env.pair
    assert await env.store.pairs.alias(seller.alias.local_part, seller.alias.domain) == seller.alias
    assert (buyer.alias.domain, seller.alias.domain) == ("market.example", "m.market.example")


async def test_aliases_carry_the_check_code_and_differ_from_pair_to_pair(env: StoreEnv) -> None:  # R-ADR-01 R-ADR-02
    other = await make_pair(env.store, seller="s-2")
    mine = [side.alias for pair in (env.pair, other) for side in (pair.buyer, pair.seller)]
    assert len({each.local_part for each in mine}) == 4
    key = env.store.secrets.get("alias")
    assert all(alias.is_valid(each.local_part, each.domain, key) for each in mine)


async def test_a_pair_is_found_by_its_two_parties(env: StoreEnv) -> None:
    buyer, seller = env.pair.buyer.party, env.pair.seller.party
    other = await make_pair(env.store, seller="s-2")
    assert await env.store.pairs.between(buyer.id, seller.id) == env.pair
    assert await env.store.pairs.between(buyer.id, other.seller.party.id) == other
    assert await env.store.pairs.between(seller.id, buyer.id) is None
    assert await env.store.pairs.between(buyer.id, "nobody") is None


async def test_an_unknown_alias_has_no_pair(node: SqlStore) -> None:
    assert await node.pairs.alias("7kq2m5x4tn3wd6pa", "market.example") is None
    assert await node.pairs.by_alias("7kq2m5x4tn3wd6pa", "market.example") is None
    assert await node.pairs.get("nothing") is None


async def test_a_pair_is_one_buyer_and_one_seller_of_the_marketplace(env: StoreEnv) -> None:  # R-ADR-09
    buyer, seller = env.pair.buyer.party, env.pair.seller.party
    with pytest.raises(ValueError, match="marketplace"):
        await env.store.pairs.put("other", buyer.id, seller.id, DOMAINS)
    with pytest.raises(ValueError, match="one buyer and one seller"):
        await env.store.pairs.put("m", seller.id, buyer.id, DOMAINS)
    assert await env.store.pairs.in_marketplace("m") == [env.pair]
    assert await env.store.pairs.in_marketplace("other") == []


async def test_a_retired_alias_still_leads_to_its_pair_and_is_never_deleted(
    env: StoreEnv, database: Database
) -> None:  # R-ADR-02
    old = env.pair.buyer.alias
    await execute(env.store, "UPDATE alias SET retired = 1 WHERE local_part = $1", old.local_part)
    assert await env.store.pairs.alias(old.local_part, old.domain) == replace(old, retired=True)
    with pytest.raises(Exception, match=r"never issued again|append-only"):
        await execute(env.store, "DELETE FROM alias")
    assert await env.store.pairs.alias(old.local_part, old.domain) is not None


def order_of(env: StoreEnv, **more: Any) -> OrderUpdate:
    order = OrderUpdate(marketplace_id="m", pair_id=env.pair.id, external_id="A-1", items=("SKU1", "ASIN2"))
    return replace(order, **more)


async def test_an_order_is_put_by_its_external_id(env: StoreEnv) -> None:
    made = await env.store.orders.put(order_of(env))
    assert made.id
    values: dict[str, Any] = {
        "state": "shipped",
        "items": ("SKU1",),
        "fulfilled_by": FulfilledBy.OPERATOR,
        "known": ("150-0001",),
    }
    changed = replace(made, **values)
    assert await env.store.orders.put(order_of(env, **values)) == changed
    assert await env.store.orders.get("m", "A-1") == changed
    assert await env.store.orders.get("other", "A-1") is None  # R-ADR-09


ORDER_VALUES: dict[str, Any] = {
    "items": ("SKU1", "ASIN2"),
    "state": "shipped",
    "fulfilled_by": FulfilledBy.OPERATOR,
    "known": ("150-0001",),
}


def update_of(env: StoreEnv, **values: Any) -> OrderUpdate:
    return OrderUpdate(marketplace_id="m", pair_id=env.pair.id, external_id="A-1", **values)


@pytest.mark.parametrize("name", ORDER_VALUES)
async def test_an_update_of_an_order_changes_the_values_that_it_names(env: StoreEnv, name: str) -> None:  # R-UI-07
    made = await env.store.orders.put(update_of(env))
    assert made == Order(id=made.id, marketplace_id="m", pair_id=env.pair.id, external_id="A-1")
    full = await env.store.orders.put(update_of(env, **ORDER_VALUES))
    assert full == replace(made, **ORDER_VALUES)
    assert await env.store.orders.put(update_of(env)) == full
    default = getattr(made, name)
    cleared = await env.store.orders.put(update_of(env, **{name: default}))
    assert cleared == replace(full, **{name: default})
    assert await env.store.orders.put(update_of(env, **{name: ORDER_VALUES[name]})) == full
    assert await env.store.orders.get("m", "A-1") == full


async def test_updates_of_one_order_at_once_lose_no_value(env: StoreEnv, database: Database) -> None:  # R-UI-07
    async with database.node() as other:
        for number in range(5):
            external_id = f"A-{number}"
            nodes = (env.store, other, env.store, other)
            updates = [
                replace(update_of(env, **{name: v}), external_id=external_id) for name, v in ORDER_VALUES.items()
            ]
            await asyncio.gather(*(node.orders.put(one) for node, one in zip(nodes, updates, strict=True)))
            stored = await env.store.orders.get("m", external_id)
            assert {name: getattr(stored, name) for name in ORDER_VALUES} == ORDER_VALUES


async def test_an_order_stays_with_its_pair_and_marketplace(env: StoreEnv) -> None:  # R-ADR-09
    other = await make_pair(env.store, buyer="b-2")
    foreign = await make_pair(env.store, marketplace="other")
    await env.store.orders.put(order_of(env))
    with pytest.raises(ValueError, match="another pair"):
        await env.store.orders.put(order_of(env, pair_id=other.id))
    with pytest.raises(ValueError, match="own marketplace"):
        await env.store.orders.put(order_of(env, pair_id=foreign.id, external_id="A-2"))
    assert not_none(await env.store.orders.get("m", "A-1")).pair_id == env.pair.id
    assert await env.store.orders.get("m", "A-2") is None


async def test_all_orders_come_with_their_pairs(env: StoreEnv) -> None:
    made = [await env.store.orders.put(order_of(env, external_id=f"A-{n:03}")) for n in range(205)]
    found = [each async for each in env.store.orders.in_marketplace("m")]
    assert found == [(order, env.pair) for order in made]


async def test_the_sender_that_fits_an_address_is_the_exact_one_first(env: StoreEnv) -> None:  # R-SND-01
    seller = env.pair.seller.party.id
    domain = await env.store.senders.put(seller, "@Seller.example", SenderState.APPROVED, shared=True)
    exact = await env.store.senders.put(seller, "Staff@Seller.example", SenderState.BLOCKED, label="x", added_by="y")
    assert (domain.address, domain.is_domain, domain.shared) == ("@seller.example", True, True)
    side = not_none(await env.store.pairs.get(env.pair.id)).seller
    assert side.sender_for("staff@seller.example") == exact
    assert side.sender_for("boss@seller.example") == domain
    assert side.sender_for("boss@elsewhere.example") is None
    assert "@seller.example" not in side.addresses


async def test_a_flip_keeps_label_and_author(env: StoreEnv) -> None:  # R-SND-01
    seller = env.pair.seller.party.id
    made = await env.store.senders.put(seller, "a@b.example", SenderState.UNKNOWN, label="Sato", added_by="mail")
    assert len(await env.store.senders.pending(seller)) == 1
    flipped = await env.store.senders.put(seller, "a@b.example", SenderState.APPROVED)
    assert flipped == replace(made, state=SenderState.APPROVED)
    assert await env.store.senders.pending(seller) == []


async def test_a_sender_of_nobody_is_refused(node: SqlStore) -> None:
    with pytest.raises(ValueError, match="no such party"):
        await node.senders.put("nobody", "a@b.example", SenderState.APPROVED)


async def test_listed_elsewhere_sees_other_parties_of_this_marketplace_only(env: StoreEnv) -> None:  # R-ADR-09 R-IN-02
    await env.store.parties.put("other", Role.SELLER, "s-9", mailbox="far@seller.example")
    seller, buyer = env.pair.seller.party.id, env.pair.buyer.party.id
    assert await env.store.senders.listed_elsewhere("m", buyer, SELLER)
    assert not await env.store.senders.listed_elsewhere("m", seller, SELLER)
    assert not await env.store.senders.listed_elsewhere("m", buyer, "far@seller.example")
    await env.store.senders.put(seller, "pending@x.example", SenderState.UNKNOWN)
    assert not await env.store.senders.listed_elsewhere("m", buyer, "pending@x.example")


async def test_opt_outs_in_force_that_touch_this_seller(env: StoreEnv) -> None:  # R-POL-02
    buyer, seller = env.pair.buyer.party.id, env.pair.seller.party.id
    everyone = OptOut(buyer_id=buyer, seller_id=None, kind=None, source="page", changed_at=START)
    this = replace(everyone, seller_id=seller, kind=Kind.PROMOTION, source="link")
    other = replace(everyone, seller_id="another")
    for each in (everyone, this, other):
        await env.store.opt_outs.put(each, out=True)
    assert set(await env.store.opt_outs.in_force(buyer, seller)) == {everyone, this}
    await env.store.opt_outs.put(replace(everyone, source="staff"), out=False)
    assert await env.store.opt_outs.in_force(buyer, seller) == [this]
    changes = await select(env.store, "SELECT source, in_force FROM opt_out_change ORDER BY id")
    assert [(row["source"], row["in_force"]) for row in changes] == [
        ("page", 1),
        ("link", 1),
        ("page", 1),
        ("staff", 0),
    ]


async def test_two_app_passwords_are_live_at_once(env: StoreEnv) -> None:  # R-IN-02
    seller = env.pair.seller.party.id
    added = [await env.store.app_passwords.add(seller, "laptop", f"hash-{n}") for n in range(3)]
    assert await env.store.app_passwords.of_username("s-1") == [(seller, "hash-1"), (seller, "hash-2")]
    assert await env.store.app_passwords.of_username("SHOP@seller.example") == [
        (seller, "hash-1"),
        (seller, "hash-2"),
    ]
    assert await env.store.app_passwords.revoke(added[1])
    assert not await env.store.app_passwords.revoke(added[1])
    assert not await env.store.app_passwords.revoke("nothing")
    assert await env.store.app_passwords.of_username("s-1") == [(seller, "hash-2")]
    assert await env.store.app_passwords.of_username("b-1") == []
    assert await env.store.app_passwords.of_username("nobody@seller.example") == []


async def test_only_the_current_mailbox_logs_in_and_whoever_is_suspended_hears_so_later(
    env: StoreEnv,
) -> None:  # R-IN-02 R-SND-07
    seller = env.pair.seller.party.id
    await env.store.app_passwords.add(seller, "laptop", "hash")
    await env.store.parties.put("m", Role.SELLER, "s-1", mailbox="new@seller.example")
    assert await env.store.app_passwords.of_username(SELLER) == []
    assert await env.store.app_passwords.of_username("new@seller.example") == [(seller, "hash")]
    await env.store.parties.put("m", Role.SELLER, "s-1", state=PartyState.SUSPENDED)
    assert await env.store.app_passwords.of_username("s-1") == [(seller, "hash")]


async def test_the_same_mailbox_in_two_marketplaces_logs_in_to_both(env: StoreEnv) -> None:
    other = await env.store.parties.put("other", Role.SELLER, "x", mailbox=SELLER)
    await env.store.app_passwords.add(env.pair.seller.party.id, "", "one")
    await env.store.app_passwords.add(other.id, "", "two")
    assert {found for _, found in await env.store.app_passwords.of_username(SELLER)} == {"one", "two"}


async def test_another_node_sees_what_this_one_wrote(env: StoreEnv, database: Database) -> None:  # R-SCL-02
    async with database.node() as other:
        late = await other.parties.put("m", Role.BUYER, "b-2", mailbox="late@mail.example", display_name="Late")
        assert await env.store.parties.by_ref("m", Role.BUYER, "b-2") == late
        assert await env.store.parties.mailbox(late.id) == "late@mail.example"
        assert other.secrets.get("alias") == env.store.secrets.get("alias")
        assert other.secrets.get("verp") != other.secrets.get("alias")


async def test_a_row_that_the_database_refuses_is_a_value_error(env: StoreEnv) -> None:
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.app_passwords.add("nobody", "laptop", "hash")
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.opt_outs.put(
            OptOut(buyer_id="?", seller_id=None, kind=None, source="", changed_at=START), out=True
        )
    await env.store.ping()
