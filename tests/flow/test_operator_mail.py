"""Mail to the operator costs a client, or a party, a bounded part of the disk each day (R-IN-06, R-IN-10)."""

import asyncio
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from relay.core.model.message import Incoming, MessageState, Peer, Port
from relay.core.model.operator_limits import OperatorLimits
from relay.core.model.order import FulfilledBy, OrderUpdate
from relay.core.model.party import Role
from relay.core.model.reply import Reply
from relay.store.store import SqlStore
from tests.support.market_env import BUYER, DOMAIN, SELLER, MarketEnv

STRANGER = "198.51.100.7"


@pytest.fixture
def market(market: MarketEnv) -> MarketEnv:
    limits = OperatorLimits(message_bytes=1_000, messages_per_client=3, bytes_per_client=2_000)
    market.services.settings = replace(market.services.settings, operator_mail=limits)
    return market


async def write(
    market: MarketEnv,
    *names: str,
    size_bytes: int = 100,
    client_ip: str = STRANGER,
    port: Port = Port.MX,
    mail_from: str = "x@y.example",
    login: Role | None = None,
    trusted: bool = False,
    is_front: bool = False,
) -> list[Reply]:
    """Sends a mail of this size to the operator's addresses and returns the replies."""
    party_id = market.pair.side(login).party.id if login else None
    rights: dict[str, Any] = {"login_party_id": party_id, "trusted": trusted, "is_front": is_front}
    peer = Peer(port=port, client_ip=client_ip, helo="h", tls=True, **rights)
    header = f"From: {mail_from}\r\nSubject: x\r\n\r\n".encode()
    incoming = Incoming(
        peer=peer,
        mail_from=mail_from,
        rcpt_to=tuple(f"{name}@{DOMAIN}" for name in names or ("postmaster",)),
        smtputf8=False,
        content=header + b"y" * (size_bytes - len(header) - 2) + b"\r\n",
        received_at=market.clock.now(),
    )
    return list(await market.intake.data(incoming))


async def codes(market: MarketEnv, number: int, **fields: Any) -> list[int]:
    return [(await write(market, **fields))[0].code for _ in range(number)]


async def test_a_client_may_send_so_many_a_day(market: MarketEnv) -> None:
    assert await codes(market, 3) == [250] * 3
    [reply] = await write(market, "abuse")
    assert (reply.code, reply.enhanced) == (452, "4.7.1")
    assert "(operator_mail_limit)" in reply.text
    assert "again from 2026-11-23 15:00 UTC" in reply.text
    assert len(await market.deliver_due()) == 3
    assert (await codes(market, 1, client_ip="198.51.100.8")) == [250]
    market.clock.forward(86_400)
    assert await codes(market, 1) == [250]


async def test_the_addresses_of_one_mail_count_once(market: MarketEnv) -> None:
    for _ in range(3):
        assert {reply.code for reply in await write(market, "abuse", *["postmaster+1"] * 10)} == {250}


async def test_a_client_may_send_so_many_bytes_a_day(market: MarketEnv) -> None:
    assert await codes(market, 3, size_bytes=900) == [250, 250, 452]
    assert await codes(market, 1) == [250]


async def test_a_whole_network_of_ipv6_is_one_client(market: MarketEnv) -> None:
    found = [(await codes(market, 1, client_ip=f"2001:db8::{number}"))[0] for number in range(4)]
    assert found == [250, 250, 250, 452]
    assert await codes(market, 1, client_ip="2001:db8:0:1::1") == [250]


async def test_without_a_login_a_message_may_not_be_big(market: MarketEnv) -> None:
    [reply] = await write(market, size_bytes=1_001)
    assert (reply.code, reply.enhanced) == (552, "5.3.4")
    assert "1000 bytes at most" in reply.text
    [summary] = await market.store.records.messages()
    stored = await market.store.records.message(summary.id)
    assert stored is not None
    assert (summary.state, stored.original) == (MessageState.REFUSED, b"")
    assert await codes(market, 1, size_bytes=1_001, login=Role.SELLER) == [250]
    assert await codes(market, 1, size_bytes=1_001, trusted=True) == [250]


async def test_a_party_is_counted_wherever_it_logs_in(market: MarketEnv) -> None:
    found = [
        (await codes(market, 1, client_ip=f"198.51.100.{number}", login=Role.SELLER, port=Port.SUBMISSION))[0]
        for number in range(4)
    ]
    assert found == [250, 250, 250, 452]
    assert await codes(market, 1, login=Role.BUYER, port=Port.SUBMISSION) == [250]
    assert await codes(market, 1) == [250]


async def test_what_a_login_sends_again_and_again_is_not_kept_each_time(market: MarketEnv) -> None:
    assert await codes(market, 6, login=Role.SELLER) == [250] * 3 + [452] * 3
    for summary in await market.store.records.messages(state=MessageState.REFUSED):
        stored = await market.store.records.message(summary.id)
        assert stored is not None
        assert stored.original == b""


FRONTS: tuple[dict[str, Any], ...] = ({"port": Port.LMTP}, {"trusted": True}, {"is_front": True})


@pytest.mark.parametrize("front", FRONTS)
async def test_behind_a_server_in_front_each_domain_is_counted_by_itself(
    market: MarketEnv, front: dict[str, Any]
) -> None:
    found = [(await codes(market, 1, mail_from=f"x{n}@y.example", **front))[0] for n in range(4)]
    assert found == [250, 250, 250, 452]
    assert await codes(market, 1, mail_from="x@z.example", **front) == [250]


@pytest.mark.parametrize(("front", "size_bytes"), [(FRONTS[0], 100), (FRONTS[0], 900), (FRONTS[2], 100)])
async def test_behind_a_server_in_front_the_domains_have_a_limit_together(
    market: MarketEnv, front: dict[str, Any], size_bytes: int
) -> None:
    found = [(await codes(market, 1, mail_from=f"x@{n}.example", size_bytes=size_bytes, **front))[0] for n in range(31)]
    most = min(30, 20_000 // size_bytes)
    assert found == [250] * most + [452] * (31 - most)
    assert await codes(market, 1) == [250], "a client of its own"
    assert await codes(market, 1, port=Port.LMTP, login=Role.SELLER) == [250]
    market.clock.forward(86_400)
    assert await codes(market, 1, port=Port.LMTP) == [250]


async def test_a_first_message_is_taken_whatever_its_size(market: MarketEnv) -> None:
    assert await codes(market, 2, size_bytes=2_500, login=Role.SELLER) == [250, 452]


async def test_messages_at_the_same_time_do_not_pass_the_limit_together(market: MarketEnv) -> None:
    replies = await asyncio.gather(*(write(market) for _ in range(8)))
    assert sorted(reply.code for [reply] in replies) == [250] * 3 + [452] * 5
    assert len(await market.store.records.messages(state=MessageState.QUEUED)) == 3


async def test_over_the_limit_a_party_beside_the_operator_still_gets_its_mail(market: MarketEnv) -> None:  # R-IN-05
    assert await codes(market, 3, trusted=True, mail_from=SELLER) == [250] * 3
    replies = await market.send(SELLER, f"postmaster@{DOMAIN}", market.buyer_alias)
    assert [reply.code for reply in replies] == [452, 250]
    assert BUYER in [mail.rcpt_to for mail in await market.deliver_due()]


async def test_a_buyers_questions_to_the_operator_count_for_the_buyer(market: MarketEnv) -> None:  # R-POL-13
    await market.store.orders.put(
        OrderUpdate(
            marketplace_id="market",
            pair_id=market.pair.id,
            external_id="F-1",
            fulfilled_by=FulfilledBy.OPERATOR,
        )
    )
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = BUYER, market.seller_alias
    message["Subject"] = "Order F-1"
    message.set_content("Where is my parcel? It has not arrived.")
    to = market.seller_alias.replace("@", "+F-1@")
    found = [(await market.send_raw(bytes(message), BUYER, to))[0] for _ in range(4)]
    assert [reply.code for reply in found] == [250, 250, 250, 452]
    assert [mail.rcpt_to for mail in await market.deliver_due()].count("ops@operator.example") == 3


async def test_the_counters_hold_no_address(market: MarketEnv) -> None:  # R-REC-04
    await codes(market, 1)
    assert isinstance(market.store, SqlStore)
    rows = await market.store.base.engine.read("SELECT * FROM quota_use")
    assert len(rows) == 2
    assert all(STRANGER not in str(tuple(row)) for row in rows)
