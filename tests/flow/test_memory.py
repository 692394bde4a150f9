"""Addresses and names of people do not stay in the memory of a process that runs for months."""

import gc
import re
import secrets
from collections.abc import Sequence

from relay.core.model.item import Item, ItemState
from relay.core.model.pair import Side
from relay.core.model.party import Role
from relay.core.rewrite.scrub.find import Addresses
from relay.core.rewrite.scrub.names import Names
from relay.flow import dispatch
from relay.housekeeping import Housekeeping
from relay.ports import Delivery, Outgoing, StoredContent
from relay.steps.lanes import LaneLimits, ProcessLanes
from tests.support.claims import claimed
from tests.support.daemon import eventually
from tests.support.market_env import DOMAIN, SELLER, IdleDispatcher, MarketEnv


def kept(word: str) -> set[str]:
    """The kinds of objects in this process that hold the word."""
    gc.collect()
    found = set()
    for each in gc.get_objects():
        if isinstance(each, re.Pattern):
            if word in str(each.pattern):
                found.add("pattern")
        elif isinstance(each, Side):
            if word in f"{each.mailbox} {each.party.display_name}":
                found.add("side")
        elif isinstance(each, (Addresses, Names)) and word in repr(gc.get_referents(*gc.get_referents(each))):
            found.add(type(each).__name__)
    return found


async def write(market: MarketEnv, address: str, name: str) -> None:
    """The buyer gets another mailbox and name, and writes to the seller, with the name in the text."""
    await market.set_marketplace(hide_names_in_text=True)
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox=address, display_name=name)
    await market.send(
        f"{name} <{address}>", market.seller_alias, login=Role.BUYER, body=f"Good day, {name} of {DOMAIN}"
    )
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == SELLER


async def test_an_address_is_gone_from_memory_after_a_while(market: MarketEnv) -> None:
    local, name = f"p{secrets.token_hex(8)}", f"Zoe X{secrets.token_hex(4)}"
    await write(market, f"{local}@phone.example", name)
    assert {"Addresses", "side"} <= kept(local)
    assert {"side"} <= kept(name)
    housekeeping = Housekeeping()
    housekeeping.start(market.services, 3_600, kept_s=0.01)
    try:
        await eventually(lambda: not kept(local) and not kept(name))
    finally:
        await housekeeping.stop()


async def test_an_old_address_is_gone_from_the_store_when_the_new_one_is_read(market: MarketEnv) -> None:
    old, new = (f"p{secrets.token_hex(8)}@phone.example" for _ in range(2))
    await write(market, old, "Zoe Alone")
    assert "side" in kept(old)
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox=new)
    assert await market.store.pairs.get(market.pair.id) is not None
    assert "side" not in kept(old)
    assert "side" in kept(new)


class RecordingDispatcher(IdleDispatcher):
    """A dispatcher that takes everything and begins with nothing."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Item, StoredContent | None]] = []

    def has_capacity(self, destination: str) -> bool:
        return True

    def submit(self, submitted: Sequence[tuple[Item, StoredContent | None]]) -> None:
        self.waiting += submitted


async def test_a_big_mail_that_waits_for_a_connection_is_not_in_memory(market: MarketEnv) -> None:  # R-IN-06
    market.services.dispatcher = waiting = RecordingDispatcher()
    big = "The table is ready.\n" * 15_000
    await market.send(SELLER, market.buyer_alias, f"postmaster@{DOMAIN}", body=big)
    await market.send(SELLER, market.buyer_alias)
    assert [stored is None for _, stored in waiting.waiting] == [True, True, False]
    for item, stored in waiting.waiting:
        assert (await dispatch(market.services, item, stored)).state is ItemState.ACCEPTED
    texts = [mail.content.count(b"The table is ready.") for mail in market.courier.taken]
    assert texts == [15_000, 15_000, 0]


async def test_big_mails_are_in_memory_for_delivery_one_after_the_other(market: MarketEnv) -> None:  # R-IN-06
    market.services.lanes = ProcessLanes(LaneLimits(memory_bytes=500_000), market.clock, market.services.observer)
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias, body="The table is ready.\n" * 15_000)
    await market.send(SELLER, market.buyer_alias)
    items = await claimed(market.store.queue, "test", market.clock.now())
    deliver = market.courier.deliver
    ended: list[ItemState] = []

    class NestedCourier:
        """It begins the next items while it delivers the first."""

        async def deliver(self, outgoing: Outgoing) -> Delivery:
            market.services.courier = market.courier
            ended.extend([(await dispatch(market.services, item, None)).state for item in items[1:]])
            return await deliver(outgoing)

        async def close(self) -> None:
            pass

    market.services.courier = NestedCourier()
    ended.append((await dispatch(market.services, items[0], None)).state)
    assert ended == [ItemState.DEFERRED, ItemState.ACCEPTED, ItemState.ACCEPTED]
    assert (await dispatch(market.services, items[1], None)).state is ItemState.ACCEPTED
