"""Servers that hold connections and do not answer stop no mail but their own: the worker, the courier and real sockets.

The order of events is what counts here: mail arrives while the connections that do not answer are open.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from relay.config import DeliverySection
from relay.core.model.party import Role
from relay.edge.smtp_out import SmtpOut
from relay.ports import MxHost
from relay.steps.lanes import LaneLimits, ProcessLanes
from relay.worker import Worker
from tests.store.cluster import free_port
from tests.support.courier import HostResolver
from tests.support.daemon import eventually
from tests.support.fakes import CountingObserver, LoopClock
from tests.support.market_env import DOMAIN, SELLER, MarketEnv, market_env
from tests.support.sink import DRIP, HANG, Sink


@dataclass
class Net:
    """A relay whose mail finds its way by DNS, and sinks on loopback addresses with one port."""

    market: MarketEnv
    names: HostResolver
    port: int
    stack: AsyncExitStack
    aliases: dict[str, str]

    @property
    def counts(self) -> CountingObserver:
        assert isinstance(self.market.services.observer, CountingObserver)
        return self.market.services.observer

    async def sink(self, number: int, *domains: str) -> Sink:
        """Starts a server on an address of its own, to which the MX of the domains lead."""
        address = f"127.0.1.{number}"
        sink = await self.stack.enter_async_context(Sink(host=address, port=self.port))
        for domain in domains:
            self.names.mx_table[domain] = [MxHost(10, f"mx.{domain}")]
            self.names.hosts[f"mx.{domain}"] = [address]
        return sink

    async def write(self, domain: str, count: int = 1, body: str = "Good day") -> None:
        """Accepts mail for a buyer of this domain."""
        if domain not in self.aliases:
            self.aliases[domain] = await self._buyer(domain)
        for _ in range(count):
            await self.market.send(SELLER, self.aliases[domain], body=body)

    async def _buyer(self, domain: str) -> str:
        store = self.market.store
        buyer = await store.parties.put("market", Role.BUYER, domain, mailbox=f"buyer@{domain}")
        seller_id = self.market.pair.seller.party.id
        return (await store.pairs.put("market", buyer.id, seller_id, dict.fromkeys(Role, DOMAIN))).buyer.alias.address


@asynccontextmanager
async def _net(directory: Path, **limits: Any) -> AsyncIterator[Net]:
    async with market_env(directory) as market, AsyncExitStack() as stack:
        services, names, port = market.services, HostResolver(), free_port()
        most = LaneLimits(**{"concurrency": 8, "per_destination": 4, "slow_after_s": 600, "back_off_s": 600, **limits})
        services.settings = replace(services.settings, poll_s=0.02)
        services.lanes = ProcessLanes(most, LoopClock(), services.observer)
        courier = SmtpOut(
            delivery=DeliverySection(port=port, allowed_networks=("127.0.0.0/8",), command_timeout_s=600),
            hostname="relay.example",
            data_dir=directory,
            resolver=names,
            clock=LoopClock(),
            observer=services.observer,
            lanes=services.lanes,
        )
        services.courier = courier
        stack.push_async_callback(courier.close)
        worker = Worker()
        services.dispatcher = worker
        worker.start(services)
        stack.push_async_callback(worker.stop, 0)
        yield Net(market, names, port, stack, {})


@pytest.fixture
def new_net(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Net]]:
    return lambda **limits: _net(tmp_path, **limits)


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "end_of_data"])
async def test_three_domains_on_one_silent_server_hold_up_nobody(
    new_net: Callable[..., AbstractAsyncContextManager[Net]], phase: str
) -> None:
    # R-OUT-01, R-OUT-02
    tarpits = [f"mail.tar{number}.example" for number in range(3)]
    async with new_net() as net:
        tarpit, good = await net.sink(1, *tarpits), await net.sink(2, "good.example")
        tarpit.say(phase, HANG)
        for domain in tarpits:
            await net.write(domain, 8)
        await eventually(lambda: tarpit.open_sessions)
        await net.write("good.example", 5)
        await good.mail(5)
        assert tarpit.open_sessions == tarpit.busiest == 1
        assert not tarpit.mails


async def test_a_destination_that_answers_is_served_while_any_number_does_not(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-OUT-01, R-OUT-02: nothing has timed out yet, and nothing is slow yet.
    tarpits = [f"mail.tar{number}.example" for number in range(12)]
    async with new_net() as net:
        good = await net.sink(100, "good.example")
        sinks = [await net.sink(number + 1, domain) for number, domain in enumerate(tarpits)]
        await net.write("good.example")
        await good.mail()
        for sink, domain in zip(sinks, tarpits, strict=True):
            sink.say("connect", HANG)
            await net.write(domain, 3)
        await eventually(lambda: sum(sink.open_sessions for sink in sinks) == 6)
        await net.write("good.example", 5)
        await good.mail(6)
        assert sum(sink.open_sessions for sink in sinks) == 6


async def test_a_new_destination_is_served_while_thirty_do_not_answer(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-OUT-01, R-OUT-02: what is slow is cut off, but for a quarter.
    tarpits = [f"mail.tar{number}.example" for number in range(30)]
    async with new_net(slow_after_s=0.05) as net:
        sinks = [await net.sink(number + 1, domain) for number, domain in enumerate(tarpits)]
        for sink, domain in zip(sinks, tarpits, strict=True):
            sink.say("connect", HANG)
            await net.write(domain, 3)
        good = await net.sink(100, "new.example")
        await net.write("new.example", 3)
        await good.mail(3)
        assert sum(sink.open_sessions for sink in sinks) >= 2
        await eventually(lambda: all(sink.sessions for sink in sinks))


async def test_a_new_destination_is_served_while_others_do_not_answer_for_the_whole_mail(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-OUT-01, R-OUT-02: they may have accepted it, so they are not cut off, and no mail is sent twice.
    tarpits, answer = [f"mail.tar{number}.example" for number in range(6)], asyncio.Event()
    async with new_net(slow_after_s=0.1, attempt_s=0.5) as net:
        sinks = [await net.sink(number + 1, domain) for number, domain in enumerate(tarpits)]
        for sink, domain in zip(sinks, tarpits, strict=True):
            sink.say("end_of_data", answer)
            await net.write(domain)
        await eventually(lambda: sum(sink.open_sessions for sink in sinks) == 6)
        good = await net.sink(100, "new.example")
        await net.write("new.example", 3)
        await good.mail(3)
        await asyncio.sleep(0.5)
        assert not net.counts.of("delivery_cuts")
        answer.set()
        await eventually(lambda: net.counts.of("delivery_attempts", outcome="accepted") == 9)
        assert [len(sink.mails) for sink in sinks] == [sink.sessions for sink in sinks] == [1] * 6


@pytest.mark.parametrize("opened", [True, False])
async def test_big_mail_is_served_while_others_take_theirs_slowly(
    new_net: Callable[..., AbstractAsyncContextManager[Net]], opened: bool
) -> None:
    # R-IN-06, R-OUT-01: there is memory for two contents.
    tarpits, big = [f"mail.tar{number}.example" for number in range(3)], "The table is ready.\n" * 10_000
    async with new_net(slow_after_s=0.2, memory_bytes=500_000) as net:
        good = await net.sink(100, "good.example")
        sinks = [await net.sink(number + 1, domain) for number, domain in enumerate(tarpits)]
        for sink, domain in zip(sinks, tarpits, strict=True):
            if opened:
                await net.write(domain)
                await sink.mail()
            sink.say("content", HANG)
            await net.write(domain, 2, big)
        await eventually(lambda: sum(sink.open_sessions for sink in sinks) >= (2 if opened else 1))
        await net.write("good.example", 3, big)

        def has_come() -> bool:
            net.market.clock.forward(1)  # mail without memory is put off for some seconds
            return len(good.mails) == 3

        await eventually(has_come)
        assert sum(len(sink.mails) for sink in sinks) == (3 if opened else 0)


async def test_a_server_that_never_comes_to_an_end_is_left_at_the_deadline(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-OUT-02
    async with new_net(attempt_s=0.3) as net:
        tarpit, good = await net.sink(1, "drip.example"), await net.sink(2, "good.example")
        tarpit.say("rcpt", DRIP)
        await net.write("drip.example", 3)
        await eventually(lambda: net.counts.of("delivery_attempts", outcome="deferred"))
        await net.write("good.example")
        await good.mail()
        assert net.counts.of("delivery_lanes", change="shrunk") == 3
        assert tarpit.sessions == 1, "the lane is closed"


async def test_a_backlog_for_a_slow_server_is_not_put_before_the_mail_to_others(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-OUT-01: a claim takes no more than the lane can hold
    async with new_net() as net:
        slow, good = await net.sink(1, "slow.example"), await net.sink(2, "good.example")
        for domain, sink in (("slow.example", slow), ("good.example", good)):
            await net.write(domain)
            await sink.mail()
        slow.say("end_of_data", HANG)
        await net.write("slow.example", 60)
        await eventually(lambda: slow.open_sessions == 2)
        await net.write("good.example", 3)
        await good.mail(4)
        assert slow.busiest == 2


async def test_a_mailbox_that_has_moved_does_not_use_the_lane_of_the_old_one(
    new_net: Callable[..., AbstractAsyncContextManager[Net]],
) -> None:
    # R-ADR-04, R-OUT-01
    async with new_net() as net:
        old, tarpit = await net.sink(1, "old.example"), await net.sink(2, "tarpit.example")
        await net.write("old.example", 3)
        await old.mail(3)
        tarpit.say("connect", HANG)
        old.say("mail", "451 4.3.0 later", times=2)
        await net.write("old.example", 2)
        counts = net.counts
        await eventually(lambda: counts.of("delivery_attempts", outcome="deferred") == 2)
        await net.market.store.parties.put("market", Role.BUYER, "old.example", mailbox="buyer@tarpit.example")
        await net.market.store.queue.flush()
        net.market.clock.forward(60)
        await eventually(lambda: tarpit.open_sessions)
        lines = {line.destination for line in await net.market.store.queue.lines()}
        assert lines == {net.market.services.destination_of("buyer@tarpit.example")}
        assert tarpit.busiest == 1
