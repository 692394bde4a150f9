"""The limits of one delivery: where it may go, and how long it may take."""

import asyncio
from typing import Any

import pytest

from relay.ports import MxHost
from tests.support.courier import CONTENT, HostResolver, courier, outgoing, route
from tests.support.fakes import CountingObserver
from tests.support.sink import DRIP, HANG, Act, Sink


def names(*addresses: str) -> HostResolver:
    return HostResolver(mx={"shop.example": [MxHost(10, "mx.shop.example")]}, hosts={"mx.shop.example": [*addresses]})


# ---------------------------------------------------------------- where


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.255.255.1", "127.0.0.1"], ["::1", "::ffff:127.0.0.1"]])
async def test_the_dns_of_a_recipient_does_not_lead_into_our_networks(addresses: list[str]) -> None:
    # R-OUT-01, R-UI-15
    async with Sink() as sink, courier(resolver=names(*addresses), port=sink.port, allowed_networks=[]) as out:
        delivery = await out.deliver(outgoing())
        assert (delivery.permanent, delivery.phase, delivery.code) == (True, "dns", 0)
        assert delivery.text == "no mail host of the domain has a public address"
        assert not any(address in delivery.text for address in addresses)
        assert sink.sessions == 0


@pytest.mark.parametrize("networks", [["127.0.0.1/32"], ["10.0.0.0/8", "127.0.0.0/8"]])
async def test_an_allowed_network_takes_the_mail(networks: list[str]) -> None:  # R-UI-15
    async with (
        Sink() as sink,
        courier(resolver=names("192.168.7.7", "127.0.0.1"), port=sink.port, allowed_networks=networks) as out,
    ):
        assert (await out.deliver(outgoing())).accepted


async def test_a_route_of_the_operator_may_lead_anywhere() -> None:  # R-OUT-01
    async with Sink() as sink, courier(route(sink), allowed_networks=[]) as out:
        assert (await out.deliver(outgoing())).accepted


async def test_a_name_in_dns_does_not_get_the_open_connection_of_a_route() -> None:  # R-OUT-01
    resolver = HostResolver(
        mx={"evil.example": [MxHost(10, "internal.example")]}, hosts={"internal.example": ["127.0.0.1"]}
    )
    async with Sink() as sink:
        inside = route(sink, "shop.example", host="internal.example")
        async with courier(inside, resolver=resolver, port=sink.port, allowed_networks=[]) as out:
            assert (await out.deliver(outgoing())).accepted
            assert not (await out.deliver(outgoing("x@evil.example"))).accepted
            assert len(sink.mails) == 1


async def test_a_host_whose_address_may_still_come_is_tried_again() -> None:  # R-OUT-02
    resolver = names("127.0.0.1")
    resolver.hosts["mx.shop.example"].append("2606:4700:4700::1111")
    async with courier(resolver=resolver, ipv6=False, allowed_networks=[]) as out:
        assert not (await out.deliver(outgoing())).permanent


# ---------------------------------------------------------------- how long


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "data"])
async def test_a_server_that_goes_on_for_ever_is_left_at_the_deadline(phase: str) -> None:  # R-OUT-02
    observer = CountingObserver()
    async with (
        Sink() as sink,
        courier(resolver=names("127.0.0.1"), port=sink.port, attempt_timeout_s=0.3, observer=observer) as out,
    ):
        sink.say(phase, DRIP)
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.timed_out) == (False, False, True)
    shrunk = {
        ("delivery_lanes", "change=shrunk", f"lane={lane}"): 1 for lane in ("destination", "organization", "address")
    }
    assert {key: count for key, count in observer.counts.items() if key[0] == "delivery_lanes"} == shrunk


async def test_the_deadline_is_for_all_hosts_together() -> None:  # R-OUT-02
    silent = names(*(f"127.0.0.{number}" for number in range(2, 12)))
    async with (
        Sink(host="0.0.0.0") as sink,
        courier(resolver=silent, port=sink.port, command_timeout_s=0.1, attempt_timeout_s=0.25) as out,
    ):
        sink.say("connect", HANG)
        assert (await out.deliver(outgoing())).timed_out
        assert sink.sessions < 10


async def test_a_route_has_the_deadline_too() -> None:  # R-OUT-02
    async with Sink() as sink, courier(route(sink), attempt_timeout_s=0.3) as out:
        sink.say("rcpt", DRIP)
        assert (await out.deliver(outgoing())).timed_out


async def test_a_greeting_has_a_shorter_limit_than_a_command() -> None:  # R-OUT-02
    async with Sink() as sink, courier(route(sink), command_timeout_s=600, greeting_timeout_s=0.1) as out:
        sink.say("connect", HANG, times=1)
        delivery = await out.deliver(outgoing())
        assert (delivery.phase, delivery.timed_out) == ("connect", True)
        assert (await out.deliver(outgoing())).accepted


@pytest.mark.parametrize("phase", ["ehlo", "mail", "rcpt", "data", "end_of_data"])
async def test_silence_in_every_phase_is_a_time_out(phase: str) -> None:  # R-OUT-02
    async with Sink() as sink, courier(route(sink), command_timeout_s=0.1) as out:
        sink.say(phase, HANG)
        delivery = await out.deliver(outgoing())
        assert (delivery.permanent, delivery.timed_out) == (False, True)


async def test_a_refusal_is_no_time_out() -> None:  # R-OUT-02
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", "451 4.2.0 later")
        assert not (await out.deliver(outgoing())).timed_out


@pytest.mark.parametrize(
    ("routed", "content"),
    [(False, CONTENT), (True, CONTENT), (False, b"Subject: x\r\n\r\n" + b"A line.\r\n" * 50_000)],
    ids=["by_mx", "by_route", "big"],
)
async def test_a_server_that_may_have_accepted_is_not_left_at_the_deadline(routed: bool, content: bytes) -> None:
    # R-OUT-02: the message would be sent twice.
    observer, answer = CountingObserver(), asyncio.Event()
    limits: dict[str, Any] = {"attempt_timeout_s": 0.5, "slow_after_s": 0.1, "concurrency": 4}
    async with Sink() as sink:
        routes = [route(sink)] if routed else []
        async with courier(
            *routes, resolver=names("127.0.0.1"), port=sink.port, observer=observer, command_timeout_s=9, **limits
        ) as out:
            sink.say("end_of_data", answer)
            delivery = asyncio.create_task(out.deliver(outgoing(content=content)))
            await asyncio.sleep(0.7)
            answer.set()
            assert (await delivery).accepted
            assert len(sink.mails) == 1
            if not routed and content is CONTENT:
                assert out._lanes.room("shop.example") == 1, "a server that answers late is slow"


@pytest.mark.parametrize("say", [HANG, DRIP])
async def test_the_answer_to_the_whole_message_has_a_limit_of_its_own(say: Act) -> None:  # R-OUT-02
    async with (
        Sink() as sink,
        courier(route(sink), command_timeout_s=600, final_reply_timeout_s=0.1) as out,
    ):
        sink.say("end_of_data", say, times=1)
        delivery = await out.deliver(outgoing())
        assert (delivery.phase, delivery.timed_out, delivery.permanent) == ("end_of_data", True, False)
        assert (await out.deliver(outgoing())).accepted


async def test_the_time_of_our_own_work_is_not_that_of_the_server() -> None:  # R-OUT-01, R-OUT-02
    observer, begun, workers = CountingObserver(), asyncio.Event(), asyncio.Event()

    async def downgraded(_eight_bit: bool) -> bytes:
        begun.set()
        await workers.wait()
        return b"Subject: x\r\n\r\nx\r\n"

    limits: dict[str, Any] = {"attempt_timeout_s": 0.5, "slow_after_s": 0.2, "concurrency": 1}
    async with (
        Sink(extensions=["PIPELINING"]) as sink,
        courier(resolver=names("127.0.0.1"), port=sink.port, observer=observer, **limits) as out,
    ):
        mail = outgoing(content=b"Subject: x\r\n\r\n\xe9\r\n", downgraded=downgraded)
        delivery = asyncio.create_task(out.deliver(mail))
        await begun.wait()
        await asyncio.sleep(0.6)
        workers.set()
        assert (await delivery).accepted
        assert not observer.of("delivery_cuts")
        assert out._lanes.room("shop.example") > 1, "the lane has grown"


# ---------------------------------------------------------------- how many


async def test_a_full_address_puts_the_mail_off_and_no_other_host_is_asked() -> None:  # R-OUT-01
    resolver = HostResolver(
        mx={
            "one.example": [MxHost(10, "mx.one.example")],
            "two.example": [MxHost(10, "mx.two.example"), MxHost(20, "backup.two.example")],
        },
        hosts={name: ["127.0.0.1"] for name in ("mx.one.example", "mx.two.example", "backup.two.example")},
    )
    async with Sink() as sink, courier(resolver=resolver, port=sink.port) as out:
        sink.say("connect", HANG)
        first = asyncio.create_task(out.deliver(outgoing("x@one.example")))
        while not sink.sessions:
            await asyncio.sleep(0)
        delivery = await out.deliver(outgoing("x@two.example"))
        assert (delivery.accepted, delivery.permanent, delivery.again_s) == (False, False, 1)
        assert sink.sessions == 1
        first.cancel()
