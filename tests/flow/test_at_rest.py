"""What real traffic leaves in clear in the store and the log: no private domain, no remote host, no client's address."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.core.model.event import EventType
from relay.core.model.item import Item
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.ports import Delivery, ServerAnswer
from tests.support.claims import claimed
from tests.support.market_env import ACCEPTED, BUYER, SELLER, MarketEnv
from tests.support.narrowing import not_none
from tests.support.reports import delivery_report

CLIENT = "203.0.113.77"
REFUSED = replace(
    ACCEPTED,
    accepted=False,
    permanent=True,
    code=550,
    enhanced="5.1.1",
    text="mx7.yamada.example [203.0.113.9] has no such user, ask relay.yamada.example",
    phase="rcpt",
    host="mx7.yamada.example",
    ip="203.0.113.9",
)
LATER = replace(REFUSED, permanent=False, code=451, enhanced="4.3.0", text="greylisted by gate.tanaka.example")
TOOK = replace(ACCEPTED, host="mx7.yamada.example", ip="203.0.113.9", text="queued as 4F2C at mx7.yamada.example")
OF_A_PROVIDER = replace(LATER, host="mx.google.com", ip="203.0.113.10", text="mx.google.com is busy")
PRIVATE = (
    *("phone.example", "pottery.example", "operator.example", "yamada", "tanaka", "evil.example"),
    *(CLIENT, "203.0.113.9", "203.0.113.10", "desk.home.example"),
)


def on_disk(directory: Path) -> str:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir())).decode("latin-1").lower()


async def write(market: MarketEnv, to: str, sender: str = SELLER, *, mail_from: str | None = None) -> str:
    """Hands a mail in from `CLIENT`, and returns the id of its record."""
    content = f"From: {sender}\r\nTo: {to}\r\nSubject: About the table\r\n\r\nGood day\r\n".encode()
    [reply] = await market.send_raw(content, sender if mail_from is None else mail_from, to, client_ip=CLIENT)
    assert reply.code == 250
    return reply.text.split()[0]


async def answered(market: MarketEnv, *answers: Delivery) -> str:
    """Writes to the buyer, whose server gives these answers, and returns the id of the record."""
    record_id = await write(market, market.buyer_alias)
    for answer in answers:
        market.courier.answers[BUYER] = answer
        await market.deliver_due()
        market.clock.forward(7_200)
    return record_id


async def test_neither_disk_nor_log_has_a_private_domain_or_host_or_a_clients_address(
    market: MarketEnv, tmp_path: Path
) -> None:  # R-REC-04, R-UI-11
    with capture_logs() as log:
        bounced = await answered(market, LATER, REFUSED)
        await answered(market, TOOK)
        path = market.courier.taken[-1].mail_from
        report = delivery_report(path, sender="postmaster@evil.example", text="gone, says mx7.yamada.example")
        await market.send_raw(report, "", path, client_ip=CLIENT, helo="mx.evil.example", trusted=False)
        await write(market, "postmaster@market.example", "asker@evil.example")
        await market.store.parties.put("market", Role.BUYER, "B1", mailbox="hanako@gmail.com")
        market.courier.answers["hanako@gmail.com"] = OF_A_PROVIDER
        of_a_provider = await answered(market)
        await market.deliver_due()
    seen = on_disk(tmp_path)
    assert bounced in seen
    assert [word for word in PRIVATE if word in seen] == []
    assert [word for word in PRIVATE if word in str(log).lower()] == []
    assert "gmail.com" in seen, "a provider is found by its name"
    [line] = [one for one in await market.store.queue.lines() if one.destination == "gmail.com"]
    assert line.count == 1
    [deferred] = [one for one in await market.store.records.history(of_a_provider) if one.type is EventType.DEFERRED]
    assert dict(deferred.data)["text"] == "mx.google.com is busy"
    assert await market.store.records.answers(of_a_provider) == {}


async def test_the_sealed_hosts_of_a_message_come_back(market: MarketEnv) -> None:  # R-REC-01
    record_id = await answered(market, LATER, REFUSED)
    assert not_none(await market.store.records.message(record_id)).client_ip == CLIENT
    events = {event.type: event for event in await market.store.records.history(record_id)}
    assert dict(events[EventType.BOUNCED].data)["text"] == "[host] [[host]] has no such user, ask [host]"
    assert await market.store.records.answers(record_id) == {
        events[EventType.DEFERRED].id: ServerAnswer(host=LATER.host, ip=LATER.ip, text=LATER.text),
        events[EventType.BOUNCED].id: ServerAnswer(host=REFUSED.host, ip=REFUSED.ip, text=REFUSED.text),
    }


async def queued(market: MarketEnv) -> Item:
    await write(market, market.buyer_alias)
    [item] = await claimed(market.store.queue, "test", market.clock.now())
    return item


@pytest.mark.parametrize("mailbox", [BUYER, "hanako@mail.docomo.ne.jp", "hanako@docomo.ne.jp", "hanako@花.example"])
async def test_a_domain_is_found_by_its_destination_after_the_mailbox_has_changed(
    market: MarketEnv, mailbox: str
) -> None:  # R-ADR-04, R-OUT-04
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox=mailbox)
    item = await queued(market)
    domain = mailbox.partition("@")[2].replace("花", "xn--jh1a")
    assert await market.store.queue.domain(item) == domain
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox="new@elsewhere.example")
    assert await market.store.queue.domain(item) == domain
    assert await market.store.queue.domain(replace(item, destination="~unknown")) == ""


async def test_mail_in_the_queue_follows_the_mailbox(market: MarketEnv) -> None:  # R-ADR-04, R-OUT-01
    record_id = await write(market, market.buyer_alias)
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox="new@elsewhere.example")
    [line] = await market.store.queue.lines()
    assert line.destination == market.services.destination_of(BUYER)
    await market.deliver_due()
    assert market.courier.taken[-1].rcpt_to == "new@elsewhere.example"
    summary = not_none(await market.store.records.summary(record_id))
    assert summary.state is MessageState.ACCEPTED
    assert market.clock.now() - summary.received_at < timedelta(seconds=1)
