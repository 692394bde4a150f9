"""Actions: each is logged with its actor, and refused to an actor without the right, with nothing changed."""

import inspect
import pkgutil
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest

from relay import actions
from relay.actions import holds, opt_outs, orders, parties, senders
from relay.actions.actor import Actor, InvalidValueError, NotAllowedError, NotFoundError, Right
from relay.actions.orders import OrderValues
from relay.actions.parties import PartyUpdate
from relay.core.model.event import EventType
from relay.core.model.facts import Scan, ScanOutcome
from relay.core.model.message import MessageState
from relay.core.model.party import PartyState, Role
from relay.core.model.sender import SenderState
from relay.ports.audit import AuditAction, Way
from tests.actions.action_env import CASES, HELPER, ActionEnv, Case, action_env
from tests.support.market_env import SELLER, market_env

DANA = Actor.admin("dana")


@pytest.fixture
async def env(tmp_path: Path) -> AsyncIterator[ActionEnv]:
    async with action_env(tmp_path) as the_env:
        yield the_env


def named(case: Case) -> str:
    return f"{case.action.__module__}.{case.action.__name__}"


def test_the_table_of_cases_has_every_action_and_every_word_of_the_log() -> None:
    found = set()
    for module in pkgutil.iter_modules(actions.__path__, "relay.actions."):
        for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction):
            acts = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            first = next(iter(inspect.signature(function).parameters.values()), None)
            if acts and function.__module__ == module.name and first is not None and first.annotation is Actor:
                found.add(f"{module.name}.{name}")
    parts = {"relay.actions.messages.subject", "relay.actions.keys._make", "relay.actions.keys._activate"}
    parts |= {name for name in found if name.endswith(("put_unrecorded", "_record_reading", "_note_view"))}
    assert found - parts == {named(case) for case in CASES}
    assert {word for case in CASES for word in case.logged} == set(AuditAction)


async def test_each_action_is_logged_with_its_actor_and_way(env: ActionEnv) -> None:
    for case in CASES:
        before = await env.market.store.audit_log.newest(limit=1_000)
        await case.run(DANA, env)
        entries = (await env.market.store.audit_log.newest(limit=1_000))[: -len(before) or None]
        assert sorted(one.action for one in entries) == sorted(case.logged), named(case)
        assert all((one.actor, one.way) == ("dana", Way.COMMAND_LINE) for one in entries), named(case)
        assert all(one.at == env.market.clock.now() for one in entries)
        assert {one.marketplace_id for one in entries} <= {"market", None}
        is_of_all = case.action.__module__.endswith(".queue")  # the queue is the whole installation's
        assert all(one.party_id or one.subject_id for one in entries) or is_of_all, named(case)


async def test_an_actor_without_the_right_changes_nothing(env: ActionEnv) -> None:
    before = await env.snapshot()
    for case in CASES:
        others = frozenset(Right) - {case.right}
        for actor in (
            Actor(name="dana", way=Way.API, rights=others),
            Actor(name="p", way=Way.LINK, rights=others, party_id=env.buyer.id),
            Actor(name="p", way=Way.LINK, rights=others, party_id=env.seller.id),
        ):
            with pytest.raises(NotAllowedError, match="not allowed"):
                await case.run(actor, env)
    assert await env.snapshot() == before


async def test_a_party_acts_on_its_own_things_only(env: ActionEnv) -> None:
    before = await env.snapshot()
    for case in CASES:
        ids = {Role.BUYER: env.buyer.id, Role.SELLER: env.seller.id}
        owners = {case.owner} - {None}
        own = set(ids.values()) if case.right is Right.REOPEN_THREADS else {ids[one] for one in Role if one in owners}
        for party_id in {*ids.values(), "nobody"} - own:
            actor = Actor(name=party_id, way=Way.LINK, rights=frozenset(Right), party_id=party_id)
            with pytest.raises(NotAllowedError, match="not allowed"):
                await case.run(actor, env)
    assert await env.snapshot() == before


async def test_a_party_may_do_what_its_link_offers(env: ActionEnv) -> None:
    for case in CASES:
        if case.owner is not None:
            party = env.buyer if case.owner is Role.BUYER else env.seller
            await case.run(Actor.party(party.id, case.right, Way.LINK), env)
            newest = await env.market.store.audit_log.newest(limit=1 if case.logged else 0)
            assert all((one.actor, one.way) == (party.id, Way.LINK) for one in newest), named(case)
            assert {one.action for one in newest} <= set(case.logged)


async def test_an_author_cannot_release_a_message_that_a_scanner_holds(tmp_path: Path) -> None:  # R-IN-09
    async with market_env(tmp_path) as market:
        market.services.scanners = (Finding(),)
        await market.send(SELLER, market.buyer_alias, trusted=False)
        [held] = await market.store.records.messages(state=MessageState.HELD)
        author = Actor.party(market.pair.seller.party.id, Right.DECIDE_HOLDS, Way.LINK)
        with pytest.raises(NotAllowedError, match="waits for a decision of the marketplace too"):
            await holds.release(author, market.services, held.id)
        assert [one.id for one in await market.store.records.messages(state=MessageState.HELD)] == [held.id]
        assert await holds.release(DANA, market.services, held.id)


class Finding:
    """A scanner that finds spam in everything."""

    async def scan(self, content: bytes) -> Scan:
        return Scan(scanner="rspamd", outcome=ScanOutcome.SPAM)


async def test_the_history_of_a_message_names_who_decided(env: ActionEnv) -> None:
    assert await holds.release(DANA, env.services, env.held[0])
    assert not await holds.release(DANA, env.services, env.held[0])
    link = Actor.party(env.seller.id, Right.DECIDE_HOLDS, Way.LINK)
    assert await holds.send_back(link, env.services, env.held[1])
    said = [(await env.market.store.records.history(message_id))[-1] for message_id in env.held[:2]]
    assert [(one.type, dict(one.data)["by"]) for one in said] == [
        (EventType.RELEASED, "dana"),
        (EventType.MARKED, "link"),
    ]
    assert len(await env.market.store.audit_log.newest()) == 2
    with pytest.raises(NotFoundError, match="there is no message nothing"):
        await holds.release(DANA, env.services, "nothing")


@pytest.mark.parametrize(
    ("field", "update", "role"),
    [
        ("mailbox", PartyUpdate(display_name="new, without a mailbox"), Role.BUYER),
        ("mailbox", PartyUpdate(mailbox="nobody"), Role.BUYER),
        ("mailbox", PartyUpdate(mailbox="x@MARKET.example"), Role.BUYER),
        ("locale", PartyUpdate(mailbox="a@b.example", locale="fr"), Role.BUYER),
        ("state", PartyUpdate(mailbox="a@b.example", state=PartyState.ERASED), Role.BUYER),
        ("time_zone", PartyUpdate(mailbox="a@b.example", time_zone="Berlin"), Role.BUYER),
        ("quiet_hours", PartyUpdate(mailbox="a@b.example", quiet_hours="9-5"), Role.BUYER),
        ("quiet_hours", PartyUpdate(mailbox="a@b.example", quiet_hours="off"), Role.SELLER),
        ("product_support", PartyUpdate(mailbox="a@b.example", product_support=False), Role.BUYER),
    ],
)
async def test_a_wrong_value_of_a_party_is_named_and_nothing_is_put(
    env: ActionEnv, field: str, update: PartyUpdate, role: Role
) -> None:
    before = await env.snapshot()
    with pytest.raises(InvalidValueError) as caught:
        await parties.put(DANA, env.services, env.marketplace, role, "new", update)
    assert caught.value.field == field
    assert "--option" in caught.value.worded("--option") or field == "state"
    assert await env.snapshot() == before


async def test_no_address_of_the_relay_is_added_or_approved_as_a_sender(env: ActionEnv) -> None:  # R-OUT-08
    for address in ("x@market.example", "@market.example", "x@mx.market.example"):
        with pytest.raises(InvalidValueError, match="at a domain of the relay itself"):
            await senders.add(DANA, env.services, env.seller, address)
        await env.market.store.senders.put(env.seller.id, address, SenderState.UNKNOWN)
        with pytest.raises(InvalidValueError, match="at a domain of the relay itself"):
            await senders.decide(DANA, env.services, env.seller, [HELPER, address], SenderState.APPROVED)
        [blocked] = await senders.decide(DANA, env.services, env.seller, [address], SenderState.BLOCKED)
        assert blocked.state is SenderState.BLOCKED
    with pytest.raises(InvalidValueError, match="cannot be made unknown"):
        await senders.decide(DANA, env.services, env.seller, [HELPER], SenderState.UNKNOWN)


async def test_an_order_of_other_parties_makes_no_pair_of_these(env: ActionEnv) -> None:
    await orders.put(DANA, env.services, env.marketplace, "A-1", env.buyer, env.seller, OrderValues())
    other = await env.market.store.parties.put("market", Role.BUYER, "B9", mailbox="b9@phone.example")
    before = await env.snapshot()
    with pytest.raises(Exception, match="another buyer's or seller's already"):
        await orders.put(DANA, env.services, env.marketplace, "A-1", other, env.seller, OrderValues())
    with pytest.raises(InvalidValueError, match="neither holds a ;"):
        await orders.put(DANA, env.services, env.marketplace, "A-2", env.buyer, env.seller, OrderValues(items=("a;b",)))
    assert await env.snapshot() == before


async def test_only_a_buyer_opts_out(env: ActionEnv) -> None:
    with pytest.raises(InvalidValueError, match="only a buyer can opt out"):
        await opt_outs.put(DANA, env.services, env.seller, None, None, out=True)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("dana", "dana"),
        ("dana@company.example", "dana"),
        ("Dana ＠company.example", "Dana"),
        ("dana\x1b[2J", "dana [2J"),
        ("x" * 900, "x" * 199 + "…"),
    ],
)
def test_the_name_of_an_actor_holds_no_address(typed: str, kept: str) -> None:
    assert Actor.admin(typed).name == kept


@pytest.mark.parametrize("typed", ["", " ", "@company.example"])
def test_an_actor_has_a_name(typed: str) -> None:
    with pytest.raises(InvalidValueError, match="a name is needed"):
        Actor.admin(typed)
