"""The profile follows the mailbox, the alias keeps its domain (R-ADR-03)."""

from relay.core.model.party import Role
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed

_HTML = "<p>The parcel left <b>today</b>.</p>"


async def _kinds(market: MarketEnv, to: str) -> list[str]:
    raw = f"From: {SELLER}\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{_HTML}\r\n"
    await market.send_raw(raw.encode(), SELLER, market.buyer_alias)
    outgoing = next(one for one in await market.deliver_due() if one.rcpt_to == to)
    return [part.get_content_type() for part in parsed(outgoing).walk()]


async def test_text_comes_first_while_the_mailbox_is_at_a_carrier(market: MarketEnv) -> None:
    await market.set_marketplace(footer=False, mobile_carriers=frozenset({"docomo.ne.jp"}))
    assert await _kinds(market, BUYER) == ["text/html"]
    alias = market.buyer_alias
    buyer = market.pair.buyer.party
    for mailbox in ("ha..na@docomo.ne.jp", "hana@mail.docomo.ne.jp"):
        await market.services.store.parties.put("market", Role.BUYER, buyer.external_ref, mailbox=mailbox)
        assert await _kinds(market, mailbox) == ["multipart/alternative", "text/plain", "text/html"]
    await market.services.store.parties.put("market", Role.BUYER, buyer.external_ref, mailbox=BUYER)
    assert await _kinds(market, BUYER) == ["text/html"]
    assert market.buyer_alias == alias
