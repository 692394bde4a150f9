"""What a writer is told says nothing about the other side's life, nor about an account that is not his."""

from dataclasses import replace

import pytest

from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof, Scan, ScanOutcome
from relay.core.model.message import Incoming
from relay.core.model.party import PartyState, Role, SettingsUpdate
from relay.core.model.policy import Hours, Policy, Quotas
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.notice import smtp_text
from relay.edge.authenticate import SessionAuthenticator
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed

ONE_A_DAY = Policy(quotas=Quotas(seller_per_day=0, pair_per_day=1, buyer_per_day=0))


async def quiet(market: MarketEnv, hours: str) -> None:
    await market.store.parties.put(
        "market", Role.BUYER, "B1", settings=SettingsUpdate(time_zone="Asia/Tokyo", quiet_hours=hours)
    )


async def heard(market: MarketEnv) -> str:
    """All that a seller reads who writes, asks, and writes over his quota."""
    replies = [
        *await market.send(SELLER, market.buyer_alias, body="see https://elsewhere.example/"),
        *await market.send(SELLER, f"check+{market.buyer_alias}"),
        *await market.send(SELLER, market.buyer_alias),
    ]
    notices = [parsed(mail).get_content() for mail in await market.deliver_due() if mail.rcpt_to == SELLER]
    assert len(notices) == 3
    return "\n".join([*(reply.text for reply in replies), *notices])


@pytest.mark.parametrize("delay_s", [0, 3_600])
async def test_nobody_hears_when_a_buyer_sleeps(market: MarketEnv, delay_s: int) -> None:  # R-POL-12 R-POL-19
    await market.set_marketplace(policies=(replace(ONE_A_DAY, hours=Hours(delay_s=delay_s)),))
    await quiet(market, "09:00-12:00")
    said = await heard(market)
    assert "quiet" not in said
    assert "12:00" not in said
    assert "03:00" not in said
    assert ("02:00 UTC" in said) is bool(delay_s)  # the marketplace's own delay
    market.clock.forward(86_400 * 2 + 3 * 3_600)
    assert [mail.rcpt_to for mail in await market.deliver_due()].count(BUYER) == 2


async def test_a_quotas_hold_names_the_reset_and_keeps_the_night(market: MarketEnv) -> None:  # R-POL-11 R-POL-12
    await market.set_marketplace(policies=(ONE_A_DAY,))
    await quiet(market, "22:00-07:00")
    await market.send(SELLER, market.buyer_alias)
    [reply] = await market.send(SELLER, market.buyer_alias)
    assert "held until 2026-11-23 15:00 UTC" in reply.text  # midnight in Tokyo
    await market.deliver_due()
    market.clock.forward(15 * 3_600)
    assert await market.deliver_due() == []
    market.clock.forward(6 * 3_600 + 60)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


class Proven(SessionAuthenticator):
    """An authenticator to whom every From is proven, or none."""

    def __init__(self, proof: Proof) -> None:
        super().__init__()
        self._proof = proof

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        return Authentication(proof=self._proof)


async def test_who_is_on_no_list_does_not_hear_that_an_account_is_away(market: MarketEnv) -> None:  # R-SND-07 R-ADR-07
    market.services.authenticator = Proven(Proof.ALIGNED)
    await market.store.senders.put(market.pair.seller.party.id, "waits@big.example", SenderState.UNKNOWN)
    for state in set(PartyState) - {PartyState.ACTIVE}:
        await market.store.parties.put("market", Role.SELLER, "S1", state=state)
        for address in ("anybody@big.example", "waits@big.example"):
            [reply] = await market.send(address, market.buyer_alias, trusted=False)
            assert reply == smtp_text.reply(ReasonCode.ADDRESS_UNKNOWN, market.services.marketplaces.by_id["market"])
        [reply] = await market.send(SELLER, market.buyer_alias, trusted=False)
        assert "sender_suspended" in reply.text


class Counting:
    def __init__(self) -> None:
        self.asked = 0

    async def scan(self, content: bytes) -> Scan:
        self.asked += 1
        return Scan(scanner="counting", outcome=ScanOutcome.CLEAN)

    async def close(self) -> None: ...


async def test_a_strangers_mail_is_not_scanned_and_a_writers_once(market: MarketEnv) -> None:  # R-POL-17 R-ADR-07
    scanner = Counting()
    market.services.scanners = (scanner,)
    await market.send("stranger@big.example", market.buyer_alias)
    assert scanner.asked == 0
    await market.send(SELLER, market.buyer_alias, market.buyer_alias.replace("@", "+again@"))
    assert scanner.asked == 1
