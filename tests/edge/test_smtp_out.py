"""The courier's transactions against a real server over loopback: what is said when, and what comes of each answer."""

import asyncio

import pytest

from tests.support.courier import CONTENT, courier, outgoing, route
from tests.support.fakes import CountingObserver
from tests.support.sink import CLOSE, EXTENSIONS, HANG, RESET, Say, Sink

WITHOUT_PIPELINING = [extension for extension in EXTENSIONS if extension != "PIPELINING"]
ENDLESS = b"250-still\r\n" * 10_000


async def test_a_message_arrives_byte_for_byte_with_its_envelope() -> None:
    # R-OUT-01
    async with Sink() as sink, courier(route(sink)) as out:
        delivery = await out.deliver(outgoing())
        received = await sink.mail()
    assert (delivery.accepted, delivery.permanent, delivery.code, delivery.enhanced) == (True, False, 250, "2.0.0")
    assert (delivery.phase, delivery.text, delivery.host, delivery.tls) == ("end_of_data", "taken", "127.0.0.1", "")
    assert (received.mail_from, received.rcpt_to, received.content) == (
        "b.1@relay.example",
        ["buyer@shop.example"],
        CONTENT,
    )
    assert received.helo == "relay.example"
    assert received.params == f"SIZE={len(CONTENT)}"


async def test_null_sender_goes_out_as_empty_path() -> None:
    # R-OUT-08
    async with Sink() as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing(mail_from=""))).accepted
        assert (await sink.mail()).mail_from == ""


async def test_configured_helo_is_said() -> None:
    async with Sink() as sink, courier(route(sink), helo="out.example") as out:
        await out.deliver(outgoing())
        assert (await sink.mail()).helo == "out.example"


@pytest.mark.parametrize("extensions", [EXTENSIONS, WITHOUT_PIPELINING])
@pytest.mark.parametrize(
    ("phase", "line", "expected"),
    [
        ("mail", "550 5.7.1 no thanks", (True, 550, "5.7.1", "no thanks", "mail")),
        ("mail", "451 4.3.0 later", (False, 451, "4.3.0", "later", "mail")),
        ("rcpt", "550 5.1.1 no such user", (True, 550, "5.1.1", "no such user", "rcpt")),
        ("rcpt", "450 greylisted", (False, 450, "", "greylisted", "rcpt")),
        ("rcpt", "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", (True, 550, "5.1.1", "no such user", "rcpt")),
        ("data", "554 5.7.0 no data from you", (True, 554, "5.7.0", "no data from you", "data")),
        ("end_of_data", "554 5.7.1 spam", (True, 554, "5.7.1", "spam", "end_of_data")),
        ("end_of_data", "452 4.3.1 disk full", (False, 452, "4.3.1", "disk full", "end_of_data")),
        ("end_of_data", "552", (True, 552, "", "", "end_of_data")),
    ],
)
async def test_a_refusal_is_reported_with_its_phase_and_the_connection_serves_the_next(
    extensions: tuple[str, ...], phase: str, line: str, expected: tuple[bool, int, str, str, str]
) -> None:
    # R-OUT-01, R-OUT-03
    async with Sink(extensions=extensions) as sink, courier(route(sink)) as out:
        sink.say(phase, line, times=1)
        delivery = await out.deliver(outgoing())
        assert not delivery.accepted
        assert (delivery.permanent, delivery.code, delivery.enhanced, delivery.text, delivery.phase) == expected
        assert (await out.deliver(outgoing("next@shop.example"))).accepted
        assert [received.rcpt_to for received in sink.mails] == [["next@shop.example"]]
        assert sink.sessions == 1


async def test_data_accepted_although_the_recipient_was_refused_is_ended_by_an_empty_message() -> None:
    # RFC 2920 §3.1
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", "550 5.1.1 no such user", to="gone@shop.example")
        sink.say("data", "354 go on")
        delivery = await out.deliver(outgoing("gone@shop.example"))
        assert (delivery.code, delivery.phase) == (550, "rcpt")
        assert (await out.deliver(outgoing())).accepted
        assert [received.content for received in sink.mails] == [CONTENT]
        assert sink.sessions == 1


@pytest.mark.parametrize("afterwards", [CLOSE, RESET, b"nonsense\r\n", b"250 why not\r\n"])
async def test_a_refused_recipient_stays_refused_whatever_comes_after(afterwards: Say) -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", "550 5.1.1 no such user", to="gone@shop.example")
        sink.say("data", afterwards, times=1)
        delivery = await out.deliver(outgoing("gone@shop.example"))
        assert (delivery.permanent, delivery.code, delivery.phase) == (True, 550, "rcpt")
        assert (await out.deliver(outgoing())).accepted


async def test_a_server_that_refuses_rset_is_called_anew() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", "550 5.1.1 no such user", times=1)
        sink.say("rset", "502 5.5.1 what is that")
        assert (await out.deliver(outgoing())).code == 550
        assert (await out.deliver(outgoing())).accepted
        assert sink.sessions == 2


async def test_envelope_leaves_in_one_piece_only_where_pipelining_is_offered() -> None:
    async with Sink(extensions=WITHOUT_PIPELINING) as sink, courier(route(sink)) as out:
        sink.say("rcpt", "550 no")
        await out.deliver(outgoing())
        assert [line.split(" ")[0] for line in sink.commands] == ["EHLO", "MAIL", "RCPT"]
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", "550 no")
        await out.deliver(outgoing())
        assert [line.split(" ")[0] for line in sink.commands] == ["EHLO", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("answer", [CLOSE, RESET, b"what?\r\n", b"99 what\r\n", b"250 no\r", ENDLESS, b"x" * 99_999])
@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "end_of_data"])
async def test_whatever_a_server_does_is_a_temporary_failure(phase: str, answer: Say) -> None:
    # R-OUT-01
    async with Sink() as sink, courier(route(sink), command_timeout_s=0.5) as out:
        sink.say(phase, answer)
        delivery = await out.deliver(outgoing())
        assert not delivery.accepted
        assert not delivery.permanent
        assert delivery.code == 0
        assert delivery.phase == {"ehlo": "connect"}.get(phase, phase)
        assert delivery.text


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "end_of_data"])
async def test_silence_ends_in_a_temporary_failure(phase: str) -> None:
    async with Sink() as sink, courier(route(sink), command_timeout_s=0.1) as out:
        sink.say(phase, HANG)
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.text) == (False, False, "the server did not answer in time")


async def test_a_reply_that_trickles_in_for_ever_ends_at_the_time_out() -> None:
    async with Sink(extensions=[]) as sink, courier(route(sink), command_timeout_s=0.2) as out:
        sink.say("mail", b"250-")
        delivery = await out.deliver(outgoing())
    assert (delivery.phase, delivery.text) == ("mail", "the server did not answer in time")


@pytest.mark.parametrize(
    ("phase", "line"), [("mail", "354 go on"), ("rcpt", "334 go on"), ("data", "250 ok"), ("end_of_data", "354 more")]
)
async def test_a_reply_of_the_wrong_class_is_a_temporary_failure(phase: str, line: str) -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say(phase, line)
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.code, delivery.phase) == (False, False, 0, phase)


async def test_acceptance_said_before_the_end_of_data_does_not_count() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("data", b"354 go on\r\n250 2.0.0 taken already\r\n")
        delivery = await out.deliver(outgoing())
    assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "data")


# ---------------------------------------------------------------- kept connections


async def test_connections_are_kept_and_end_after_their_share() -> None:
    # R-OUT-01
    async with Sink() as sink, courier(route(sink), messages_per_connection=3) as out:
        for _ in range(7):
            assert (await out.deliver(outgoing())).accepted
        assert [received.session for received in sink.mails] == [1, 1, 1, 2, 2, 2, 3]
        assert sink.commands.count("QUIT") == 2


async def test_an_idle_connection_says_quit_by_itself() -> None:
    async with Sink() as sink, courier(route(sink), idle_connection_s=0.05) as out:
        await out.deliver(outgoing())
        async with asyncio.timeout(5):
            while sink.open_sessions:
                await asyncio.sleep(0.01)
        assert sink.commands[-1] == "QUIT"
        assert (await out.deliver(outgoing())).accepted


@pytest.mark.parametrize("answer", ["221 bye", HANG, CLOSE])
async def test_close_says_quit_on_connections_at_rest_and_leaves_none(answer: Say) -> None:
    async with Sink() as sink:
        sink.say("quit", answer)
        async with courier(route(sink)) as out:
            await out.deliver(outgoing())
            (resting,) = out._pool._resting.values()
        assert resting[0][0].ended.done() or answer is HANG
        assert sink.commands[-1] == "QUIT"


async def test_a_connection_dropped_while_at_rest_is_replaced() -> None:
    # R-OUT-01
    async with Sink() as sink, courier(route(sink)) as out:
        await out.deliver(outgoing())
        sink.drop_connections()
        assert (await out.deliver(outgoing())).accepted
        assert [received.session for received in sink.mails] == [1, 2]


@pytest.mark.parametrize("answer", [CLOSE, RESET, "421 4.4.2 idle too long", b"421 4.4.2 bye\r\n"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, WITHOUT_PIPELINING])
async def test_a_kept_connection_that_ends_at_mail_costs_no_attempt(answer: Say, extensions: tuple[str, ...]) -> None:
    # R-OUT-01
    async with Sink(extensions=extensions) as sink, courier(route(sink)) as out:
        await out.deliver(outgoing())
        sink.say("mail", answer, times=1)
        delivery = await out.deliver(outgoing())
        assert delivery.accepted
        assert [received.session for received in sink.mails] == [1, 2]


async def test_a_kept_connection_is_given_up_for_a_fresh_one_only_once() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        await out.deliver(outgoing())
        sink.say("mail", CLOSE)
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "mail")
        assert sink.sessions == 2


@pytest.mark.parametrize("answer", [CLOSE, RESET, b"nonsense\r\n"])
async def test_after_the_final_dot_nothing_is_sent_again(answer: Say) -> None:
    # R-IN-03: a duplicate is the queue's to risk, never one attempt's
    async with Sink() as sink, courier(route(sink)) as out:
        await out.deliver(outgoing())
        sink.say("end_of_data", answer)
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "end_of_data")
        assert sink.sessions == 1


async def test_an_unasked_reply_on_a_kept_connection_is_not_taken_for_an_answer() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("end_of_data", b"250 2.0.0 taken\r\n250 and another\r\n", times=1)
        assert (await out.deliver(outgoing())).accepted
        await asyncio.sleep(0)
        sink.say("mail", "550 5.7.1 not again")
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.code) == (False, 550)


async def test_a_cancelled_delivery_leaves_no_half_sent_connection_behind() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("rcpt", HANG, times=1)
        task = asyncio.create_task(out.deliver(outgoing()))
        async with asyncio.timeout(5):
            while not any(line.startswith("RCPT") for line in sink.commands):
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await out.deliver(outgoing())).accepted
        assert [received.session for received in sink.mails] == [2]


async def test_no_more_connections_to_a_destination_than_allowed() -> None:
    # R-OUT-01
    async with Sink() as sink, courier(route(sink), concurrency_per_destination=3) as out:
        deliveries = await asyncio.gather(*(out.deliver(outgoing(f"b{i}@shop.example")) for i in range(20)))
        assert all(delivery.accepted for delivery in deliveries)
        assert sink.busiest <= 3
        assert len(sink.mails) == 20


async def test_outcomes_are_counted_without_addresses() -> None:
    tally = CountingObserver()
    async with Sink() as sink, courier(route(sink), observer=tally) as out:
        sink.say("rcpt", "550 5.1.1 no", to="gone@shop.example")
        await out.deliver(outgoing())
        await out.deliver(outgoing("gone@shop.example"))
    assert tally.counts["delivery_attempts", "outcome=accepted", "phase=end_of_data"] == 1
    assert tally.counts["delivery_attempts", "outcome=refused", "phase=rcpt"] == 1
    assert not any("@" in label for key in tally.counts for label in key)


# ---------------------------------------------------------------- what the server offers


async def test_an_international_local_part_needs_smtputf8() -> None:
    # R-REW-11
    without = [extension for extension in EXTENSIONS if extension != "SMTPUTF8"]
    async with Sink(extensions=without) as sink, courier(route(sink)) as out:
        delivery = await out.deliver(outgoing("買い手@例え.jp"))
        assert (delivery.permanent, delivery.code, delivery.enhanced, delivery.phase) == (True, 550, "5.6.7", "mail")
        assert not any(line.startswith("MAIL") for line in sink.commands)
    async with Sink() as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing("買い手@例え.jp"))).accepted
        received = await sink.mail()
        assert received.params.endswith("SMTPUTF8")
        assert received.rcpt_to == ["買い手@xn--r8jz45g.jp"]


async def test_an_international_domain_alone_goes_out_as_a_labels() -> None:
    # R-REW-11
    without = [extension for extension in EXTENSIONS if extension != "SMTPUTF8"]
    async with Sink(extensions=without) as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing("buyer@例え.jp"))).accepted
        assert (await sink.mail()).rcpt_to == ["buyer@xn--r8jz45g.jp"]


@pytest.mark.parametrize(
    ("offer", "refused"), [("SIZE 40", True), ("SIZE 0", False), ("SIZE", False), ("SIZE x", False)]
)
async def test_a_message_above_the_announced_size_is_not_sent(offer: str, refused: bool) -> None:
    async with Sink(extensions=["PIPELINING", offer]) as sink, courier(route(sink)) as out:
        delivery = await out.deliver(outgoing())
        assert delivery.accepted is not refused
        if refused:
            assert (delivery.permanent, delivery.code, delivery.enhanced) == (True, 552, "5.3.4")
            assert not any(line.startswith("MAIL") for line in sink.commands)


async def test_eight_bit_content_is_declared_where_that_is_offered() -> None:
    content = "Subject: x\r\n\r\nこんにちは\r\n".encode()
    async with Sink() as sink, courier(route(sink)) as out:
        await out.deliver(outgoing(content=content))
        assert (await sink.mail()).params == f"SIZE={len(content)} BODY=8BITMIME"
    async with Sink(extensions=[]) as sink, courier(route(sink)) as out:
        await out.deliver(outgoing(content=content))
        received = await sink.mail()
        assert (received.params, received.content) == ("", content)


async def test_a_server_without_ehlo_is_greeted_by_helo() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        sink.say("ehlo", "502 5.5.1 not here")
        assert (await out.deliver(outgoing())).accepted
        assert sink.commands[1] == "HELO relay.example"
