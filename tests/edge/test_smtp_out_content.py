"""Addresses and content on the wire: nothing in them can become a command, and every byte arrives."""

import asyncio

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay import config
from tests.support.courier import CONTENT, courier, outgoing, route
from tests.support.sink import CLOSE, RESET, Act, Sink


@pytest.mark.parametrize(
    ("mail_from", "rcpt_to", "phase"),
    [
        ("a@relay.example\r\nRCPT TO:<x@evil.example>", "b@shop.example", "mail"),
        ("a@relay.example> SIZE=1", "b@shop.example", "mail"),
        ("a@relay.example", "b@shop.example>\r\nDATA", "rcpt"),
        ("a@relay.example", "b@shop.example\n", "rcpt"),
        ("a@relay.example", '"b\r\n"@shop.example', "rcpt"),
        ("a@relay.example", "b\0@shop.example", "rcpt"),
        ("a@relay.example", "", "rcpt"),
    ],
)
async def test_no_address_can_add_a_command(mail_from: str, rcpt_to: str, phase: str) -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        delivery = await out.deliver(outgoing(rcpt_to, mail_from=mail_from))
        assert (delivery.accepted, delivery.permanent, delivery.code, delivery.phase) == (False, True, 553, phase)
        assert sink.sessions == 0
        assert "evil" not in delivery.text


@pytest.mark.parametrize("local", ["a..b", "a.", ".a", "a.-b", '"a b"'])
async def test_odd_local_parts_of_carriers_are_quoted_where_the_grammar_needs_it(local: str) -> None:
    # R-ADR-03
    async with Sink() as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing(f"{local}@docomo.example"))).accepted
        expected = local if local in {"a.-b", '"a b"'} else f'"{local}"'
        assert (await sink.mail()).rcpt_to == [f"{expected}@docomo.example"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r\n.\r\n", b"a", b".\r\n", b"\r\n.\r\nMAIL FROM:<x@y>\r\n"])))
def test_any_content_arrives_as_it_was_and_as_one_message(pieces: list[bytes]) -> None:
    # R-IN-03
    content = b"".join(pieces) + b"\r\n"

    async def cross() -> list[bytes]:
        async with Sink() as sink, courier(route(sink)) as out:
            assert (await out.deliver(outgoing(content=content))).accepted
            return [received.content for received in sink.mails]

    assert asyncio.run(cross()) == [content]


@pytest.mark.parametrize("size", [65_534, 65_535, 65_536, 65_537, 131_072])
@pytest.mark.parametrize("line", [b"\r\n.", b".\r\n", b".", b"\r\n"])
async def test_dots_at_the_borders_of_pieces_are_stuffed(size: int, line: bytes) -> None:
    content = b"x" * (size - len(line)) + line + b".\r\n.\r\nrest\r\n"
    async with Sink() as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing(content=content))).accepted
        assert (await sink.mail()).content == content


async def test_a_bare_line_feed_cannot_end_the_data_at_a_lax_server() -> None:
    wire = b""

    async def lax(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal wire
        writer.write(b"220 x\r\n")
        for reply in (b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(reply)
        wire = await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 ok\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(lax, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, courier(config.Route(domain="*", host=host, port=port)) as out:
        assert (await out.deliver(outgoing(content=b"a\n.\nMAIL FROM:<x@y>\n.\r\nb\r\n"))).accepted
    assert wire == b"a\n..\nMAIL FROM:<x@y>\n..\r\nb\r\n.\r\n"


async def test_content_without_a_final_line_end_gets_one() -> None:
    async with Sink() as sink, courier(route(sink)) as out:
        await out.deliver(outgoing(content=b"no end"))
        await out.deliver(outgoing(content=b""))
        assert [received.content for received in sink.mails] == [b"no end\r\n", b""]


async def test_a_large_message_never_holds_the_loop() -> None:
    # design: "own DATA sending where it blocks the loop"
    loop = asyncio.get_running_loop()
    content = (b"0123456789" * 7 + b"\r\n") * 140_000
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Sink(extensions=["PIPELINING"]) as sink, courier(route(sink)) as out:
        counter = loop.create_task(count())
        assert (await out.deliver(outgoing(content=content))).accepted
        counter.cancel()
        assert (await sink.mail()).content == content
    assert turns > len(content) / 65_536


def test_all_of_it_works_on_uvloop() -> None:
    # The daemon runs on uvloop where it exists, whose transports are not asyncio's.
    content = (b"." * 70 + b"\r\n") * 20_000

    async def cross() -> None:
        async with Sink() as sink, courier(route(sink)) as out:
            sink.say("rcpt", "550 5.1.1 no", times=1)
            assert (await out.deliver(outgoing())).code == 550
            assert (await out.deliver(outgoing(content=content))).accepted
            sink.drop_connections()
            assert (await out.deliver(outgoing())).accepted
            sink.say("end_of_data", RESET)
            assert (await out.deliver(outgoing())).phase == "end_of_data"
            assert [received.content for received in sink.mails] == [content, CONTENT]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(cross())


async def test_a_refusal_in_the_middle_of_the_content_is_heard() -> None:
    content = b"x" * 70 + b"\r\n"
    async with Sink(extensions=["PIPELINING"]) as sink, courier(route(sink)) as out:
        sink.say("content", b"552 5.3.4 enough\r\n", times=1)
        delivery = await out.deliver(outgoing(content=content * 200_000))
        assert (delivery.accepted, delivery.permanent, delivery.code, delivery.phase) == (False, True, 552, "data")
        assert not sink.mails


@pytest.mark.parametrize("act", [CLOSE, RESET])
async def test_a_connection_lost_in_the_middle_of_the_content_is_temporary(act: Act) -> None:
    content = b"x" * 70 + b"\r\n"
    async with Sink(extensions=["PIPELINING"]) as sink, courier(route(sink)) as out:
        sink.say("content", act)
        delivery = await out.deliver(outgoing(content=content * 200_000))
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "data")
