"""CPU and memory for splitting and rewriting one message: `python -m bench.rewrite`.

It prints the CPU milliseconds per message, the median of several rounds. For the large message it also prints the
memory that the rewrite needs in addition to the message.
"""

import base64
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Final

from bench.messages import SIZES, _message
from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.plan import Plan
from relay.core.rewrite.rewrite import rewrite

_ROUNDS: Final = 7
_LIMITS: Final = mime.MimeLimits()
_ALIAS: Final = "7kq2m5x4tn3wd6pa@market.example"
_PLAN: Final = Plan(
    domain="market.example",
    from_address=_ALIAS,
    from_name="buyer-7F3K2M9Q (Example Market)",
    disguise={"alice.buyer@example.net": _ALIAS, "shop@seller.example": "abcdefghijklmnop@market.example"},
    message_id="m1@market.example",
    thread_ids={},
    thread_key=b"k" * 32,
    hidden_hosts=frozenset({"out49.mail.example.net", "192.0.2.49"}),
    disguise_domains={"seller.example": "abcdefghijklmnop@market.example"},
    hidden_names={"Alice Buyer": "buyer-7F3K2M9Q", "山田 花子": "buyer-7F3K2M9Q"},
)
_JAPANESE: Final = (
    "先日注文した机の引き出しの深さを教えてください。土曜日に受け取りに行けますでしょうか。よろしくお願いいたします。"
)


def main() -> None:
    english = _message(SIZES["5k"], random.Random(7)).replace("\n", "\r\n").encode()
    cases = {
        "5 KB, text and HTML": english,
        "5 KB, text and HTML, Japanese": _japanese("utf-8", html=True),
        "5 KB, text, ISO-2022-JP": _japanese("iso-2022-jp", html=False),
        "5 KB, with the writer's address in a quote": english.replace(
            b"--alt1--", b"=40 alice.buyer=40example.net\r\n--alt1--"
        ),
    }
    for name, content in cases.items():
        split, rewritten = _cost(content, 300)
        print(f"{name:45} {len(content):>10,} bytes  split {split:.3f} ms  rewrite {rewritten:.3f} ms")
    big = _with_photo(english)
    split, rewritten = _cost(big, 5)
    print(f"{'10 MB that nothing touches':45} {len(big):>10,} bytes  split {split:.3f} ms  rewrite {rewritten:.3f} ms")
    print(f"{'':45} beside the message {_peak(big) / 1024:,.0f} KB of memory at most")


def _cost(content: bytes, times: int) -> tuple[float, float]:
    root = mime.split(content, _LIMITS)
    return _median(lambda: mime.split(content, _LIMITS), times), _median(lambda: rewrite(content, root, _PLAN), times)


def _median(work: Callable[[], object], times: int) -> float:
    figures = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        for _ in range(times):
            work()
        figures.append((time.process_time() - start) / times * 1_000)
    return statistics.median(figures)


def _peak(content: bytes) -> int:
    tracemalloc.start()
    result = rewrite(content, mime.split(content, _LIMITS), _PLAN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(assemble.assemble(content, mime.body_start(content), result.header, result.edits)) > len(content) // 2
    return peak


def _japanese(charset: str, *, html: bool) -> bytes:
    lines = "\r\n".join([_JAPANESE] * (9 if html else 30))
    head = (
        "From: =?utf-8?b?5bGx55Sw?= <alice.buyer@example.net>\r\nSubject: =?utf-8?b?5rOo5paH?=\r\nMIME-Version: 1.0\r\n"
    )
    encoded = base64.encodebytes(lines.encode(charset)).replace(b"\n", b"\r\n")
    kind = f"; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    if not html:
        return f"{head}Content-Type: text/plain{kind}".encode() + encoded
    page = "".join(f'<p style="margin:0">{line}<br></p>\r\n' for line in lines.split("\r\n")).encode(charset)
    parts = (
        b"--alt\r\nContent-Type: text/plain" + kind.encode() + encoded,
        b"--alt\r\nContent-Type: text/html" + kind.encode() + base64.encodebytes(page).replace(b"\n", b"\r\n"),
    )
    return (
        head.encode()
        + b"Content-Type: multipart/alternative; boundary=alt\r\n\r\n"
        + b"\r\n".join(parts)
        + b"--alt--\r\n"
    )


def _with_photo(message: bytes) -> bytes:
    photo = base64.encodebytes(random.Random(7).randbytes(7_500_000)).replace(b"\n", b"\r\n")
    head, kind, body = message.partition(b"Content-Type: multipart/alternative")
    mixed = b"Content-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n"
    image = b"\r\n--mix\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return b"".join((head, mixed, kind, body, image, photo, b"--mix--\r\n"))


if __name__ == "__main__":
    main()
