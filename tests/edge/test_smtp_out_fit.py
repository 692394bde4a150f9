"""Content meets a server that takes less than it needs (R-REW-11)."""

import pytest

from relay.ports import UnavailableError
from tests.support.courier import courier, outgoing, route
from tests.support.sink import EXTENSIONS, Sink


@pytest.mark.parametrize(
    ("lacks", "asked", "sent", "parameter"),
    [
        ([], [], b"\xe9", "BODY=8BITMIME"),
        (["SMTPUTF8"], [True], b"8", "BODY=8BITMIME"),
        (["SMTPUTF8", "8BITMIME"], [False], b"7", ""),
    ],
)
async def test_the_content_is_fitted_to_what_the_server_offers(
    lacks: list[str], asked: list[bool], sent: bytes, parameter: str
) -> None:
    # R-REW-11
    questions = []

    async def downgraded(eight_bit: bool) -> bytes:
        questions.append(eight_bit)
        return b"Subject: x\r\n\r\n" + (b"8\xe9\r\n" if eight_bit else b"7\r\n")

    mail = outgoing(content=b"Subject: x\r\n\r\n\xe9\r\n", downgraded=downgraded)
    async with Sink(extensions=[one for one in EXTENSIONS if one not in lacks]) as sink, courier(route(sink)) as out:
        delivery = await out.deliver(mail)
        assert (delivery.accepted, delivery.downgraded) == (True, bool(asked))
        received = await sink.mail()
        assert sent in received.content
        assert ("BODY=8BITMIME" in received.params) == bool(parameter)
        assert f"SIZE={len(received.content)}" in received.params
        assert questions == asked
        assert (await out.deliver(outgoing(downgraded=downgraded))).accepted  # ASCII goes as it is
        assert questions == asked


async def test_a_failure_to_downgrade_leaves_the_connection_to_the_next_mail() -> None:
    async def away(_eight_bit: bool) -> bytes:
        raise UnavailableError("away")

    without = [one for one in EXTENSIONS if one != "SMTPUTF8"]
    async with Sink(extensions=without) as sink, courier(route(sink)) as out:
        with pytest.raises(UnavailableError):
            await out.deliver(outgoing(content=b"Subject: x\r\n\r\n\xe9\r\n", downgraded=away))
        assert (await out.deliver(outgoing())).accepted
        assert sink.sessions == 1
