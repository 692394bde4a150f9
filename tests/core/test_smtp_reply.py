"""Reading replies of other servers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.smtp_reply import RemoteReply, ReplyError, ReplyReader


def read(*chunks: bytes) -> list[RemoteReply]:
    reader = ReplyReader()
    return [reply for chunk in chunks for reply in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"250 2.1.0 ok\r\n", RemoteReply(250, "2.1.0", "ok")),
        (b"250 ok\r\n", RemoteReply(250, "", "ok")),
        (b"250\r\n", RemoteReply(250, "", "")),
        (b"250 \n", RemoteReply(250, "", "")),
        (b"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n", RemoteReply(550, "5.1.1", "no such user")),
        (b"550-no\r\n550 5.1.1 user\r\n", RemoteReply(550, "5.1.1", "no user")),
        (b"550 4.7.1 codes disagree\r\n", RemoteReply(550, "", "4.7.1 codes disagree")),
        (b"550 5.1.1\r\n", RemoteReply(550, "5.1.1", "")),
        (b"550 5.1.1x\r\n", RemoteReply(550, "", "5.1.1x")),
        ("550 だめ\r\n".encode(), RemoteReply(550, "", "だめ")),
        (b"550 \xff\r\n", RemoteReply(550, "", "\ufffd")),
    ],
)
def test_a_reply_is_read(wire: bytes, expected: RemoteReply) -> None:
    # R-OUT-01
    assert read(wire) == [expected]
    assert read(*(wire[i : i + 1] for i in range(len(wire)))) == [expected]


@given(st.lists(st.integers(0, 60)))
def test_replies_come_out_the_same_however_they_are_cut(cuts: list[int]) -> None:
    wire = b"250-a\r\n250 b\r\n550 5.1.1 c\r\n354 d\r\n"
    borders = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    assert read(*(wire[a:b] for a, b in itertools.pairwise(borders))) == read(wire)


@pytest.mark.parametrize(
    "wire", [b"what?\r\n", b"\r\n", b"25 ok\r\n", b"2500 ok\r\n", b"150 ok\r\n", b"650 ok\r\n", b"250-a\r\n550 b\r\n",
             b"250 a\rb\r\n", b"+250 a\r\n", b"250-a\r\n\r\n", "２５０ ok\r\n".encode()])  # fmt: skip
def test_what_is_no_reply_is_an_error(wire: bytes) -> None:
    # R-OUT-01
    with pytest.raises(ReplyError):
        read(wire)


@pytest.mark.parametrize("piece", [b"250-still going\r\n", b"x"])
def test_an_endless_reply_is_an_error_before_it_fills_memory(piece: bytes) -> None:
    # R-OUT-01
    with pytest.raises(ReplyError):
        read(*([piece * 100] * 1_000))


def test_good_replies_before_an_error_are_heard() -> None:
    replies = ReplyReader().feed(b"250 ok\r\n550 no\r\nnonsense\r\n")
    assert [next(replies).code, next(replies).code] == [250, 550]
    with pytest.raises(ReplyError):
        next(replies)


@given(st.binary())
def test_any_bytes_are_replies_or_an_error(data: bytes) -> None:
    try:
        replies = read(data, b"\r\n")
    except ReplyError:
        return
    assert all(200 <= reply.code < 600 for reply in replies)
