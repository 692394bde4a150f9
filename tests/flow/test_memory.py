"""Addresses and names of people do not stay in the memory of a process that runs for months."""

import gc
import re
import secrets

from relay.core.model.pair import Side
from relay.core.model.party import Role
from relay.core.rewrite.scrub.find import Addresses
from relay.core.rewrite.scrub.names import Names
from relay.housekeeping import Housekeeping
from tests.support.daemon import eventually
from tests.support.market_env import DOMAIN, SELLER, MarketEnv


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
    assert {"pattern", "side"} <= kept(local)
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
