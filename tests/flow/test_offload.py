"""Heavy mail goes to a worker, light mail does not (R-IN-06)."""

import io
import zipfile
from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest

from relay.core.mail.mime import MimeLimits, split
from relay.steps.offload import (
    ThreadWorkers,
    is_heavy_to_judge,
    is_heavy_to_read,
    is_heavy_to_read_report,
    is_heavy_to_split,
)
from tests.support.market_env import SELLER, MarketEnv
from tests.support.reports import delivery_report

A = TypeVarTuple("A")
T = TypeVar("T")


def packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 1_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("header", "body", "heavy"),
    [
        (b"", b"Hello", False),
        (b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n\r\nHello\r\n--b--\r\n", False),
        (b"Content-Type: application/zip\r\n", packed(), True),
        (b"Content-Type: text/plain; name=a.docx\r\n", packed(), True),
        (b"Content-Type: image/jpeg; name=a.jpg\r\n", packed(), True),
        (b"Content-Type: image/jpeg; name=a.jpg\r\n", b"\xff\xd8\xff\xe0" + b"\0" * 5_000, False),
        (b"Content-Type: application/octet-stream; name=a.txt\r\n", b"Hello", False),
        (b"Content-Type: application/octet-stream; name=a.txt\r\n", b" " * 1_000 + b"%PDF-1.7", True),
    ],
)
def test_a_small_file_that_may_unpack_to_a_big_one_is_heavy(header: bytes, body: bytes, heavy: bool) -> None:
    assert is_heavy(header, body) is heavy


def is_heavy(header: bytes, body: bytes, parties: int = 1) -> bool:
    content = header + b"\r\n" + body
    return is_heavy_to_judge(content, split(content, MimeLimits()), parties)


HTML = b"Content-Type: text/html\r\n"
JIS = b"Content-Type: text/plain; charset=iso-2022-jp\r\n"
BASE64 = b"Content-Transfer-Encoding: base64\r\n"
WORDS = b"Good day, the table is ready.\r\n"
NUMBERS = b"09012345678\r\n"


@pytest.mark.parametrize(
    ("header", "body", "parties", "heavy"),
    [
        (b"", WORDS * 160, 1, False),
        (b"", WORDS * 160, 15, False),
        (b"", WORDS * 160, 30, True),
        (b"", WORDS * 400, 1, True),
        (HTML, WORDS * 150, 1, False),
        (HTML, WORDS * 300, 1, True),
        (b"Content-Type: text/html\r\n", NUMBERS * 30, 1, False),
        (b"", NUMBERS * 50, 1, False),
        (b"", NUMBERS * 400, 1, True),
        (BASE64, b64encode(NUMBERS * 50), 1, False),
        (BASE64, b64encode(NUMBERS * 400), 1, True),
        (JIS, ("ご注文の机は出来上がりました。\r\n" * 120).encode("iso-2022-jp"), 1, False),
        (JIS, ("０９０１２３４５６７８\r\n" * 250).encode("iso-2022-jp"), 1, True),
        (JIS, "机\r\n".encode("iso-2022-jp") + NUMBERS * 400, 1, True),
        (b"Content-Transfer-Encoding: quoted-printable\r\n", b"=30" * 2_000, 1, True),
    ],
)
def test_a_text_is_heavy_by_the_time_that_the_worst_of_its_kind_takes(
    header: bytes, body: bytes, parties: int, heavy: bool
) -> None:
    assert is_heavy(header, body, parties) is heavy


def test_many_parts_and_a_long_header_are_heavy() -> None:
    assert not is_heavy_to_split(WORDS * 20_000)
    assert is_heavy_to_split(WORDS * 40_000)
    assert is_heavy_to_split(b"\r\n--b\r\n" * 150)
    light, heavy = (split(b"Subject: " + b"a " * size + b"\r\n\r\nx", MimeLimits()) for size in (5_000, 20_000))
    assert (is_heavy_to_read(light), is_heavy_to_read(heavy)) == (False, True)


@pytest.mark.parametrize("piece", [b"a:b\r\n", b"Status: 5.1.1\r\n\r\n", b" folded\r\n", b"a*0=b;", b'";'])
def test_a_report_is_heavy_by_what_slows_its_parser(piece: bytes) -> None:
    usual = delivery_report("b.x@market.example", returned="Received: by x\r\n" * 200)
    assert not is_heavy_to_read_report(usual)
    assert is_heavy_to_read_report(b"Content-Type: message/delivery-status; " + piece * 2_000)


async def test_a_heavy_report_is_read_by_a_worker(market: MarketEnv) -> None:
    used: list[str] = []

    class Noted(ThreadWorkers):
        async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
            used.append(getattr(work, "__name__", ""))
            return await super().run(party, content, work, *args)

    market.services.workers = Noted()
    await market.send(SELLER, market.buyer_alias)
    path = (await market.deliver_due())[-1].mail_from
    for more in ("", "x: y\r\n" * 2_000):
        [reply] = await market.send_raw(delivery_report(path, text=more), "", path)
        assert reply.code == 250
    assert used == ["read"]
