"""What may cost more than a turn of the loop goes to a thread."""

import io
import threading
import zipfile

import pytest

from relay.core.mail.mime import MimeLimits, split
from relay.steps.offload import offload, weight


def packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 1_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("header", "body", "waits"),
    [
        (b"", b"Hello", False),
        (b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n\r\nHello\r\n--b--\r\n", False),
        (b"Content-Type: application/zip\r\n", packed(), True),
        (b"Content-Type: text/plain; name=a.docx\r\n", packed(), True),
        (b"Content-Type: image/jpeg; name=a.jpg\r\n", packed(), True),
        (b"Content-Type: image/jpeg; name=a.jpg\r\n", b"\xff\xd8\xff\xe0" + b"\0" * 9_000, False),
        (b"Content-Type: application/octet-stream; name=a.txt\r\n", b"Hello", False),
        (b"Content-Type: application/octet-stream; name=a.txt\r\n", b" " * 1_000 + b"%PDF-1.7", True),
    ],
)
async def test_a_small_file_that_may_unpack_to_a_big_one_is_not_read_on_the_loop(
    header: bytes, body: bytes, waits: bool
) -> None:  # R-IN-06
    content = header + b"\r\n" + body
    ran_in = await offload(weight(content, split(content, MimeLimits())), threading.current_thread)
    assert (ran_in is not threading.current_thread()) is waits
