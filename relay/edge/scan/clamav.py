"""The client of ClamAV's daemon, by its command INSTREAM (clamd(8)).

The message is sent in chunks with their lengths, and the daemon gives one answer. Each message has a connection of its
own, because an open session would occupy one of the few threads of clamd.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from relay.core.model.facts import Scan, ScanOutcome
from relay.edge.scan.answer import AnswerError, TooBigError, printable

_CHUNK_BYTES: Final = 65_536
_LONGEST_ANSWER_BYTES: Final = 4_096
_FOUND: Final = re.compile(rb"stream: (.+) FOUND", re.DOTALL)
_TOO_BIG: Final = re.compile(
    # The first is the answer above StreamMaxLength, the second the answer above a limit of the scan (AlertExceedsMax).
    rb"INSTREAM size limit exceeded\. ERROR|stream: Heuristics\.Limits\.Exceeded\S* FOUND"
)


class Clamav:
    """A client of clamd. `address` is `host:port` or `unix:/path`."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def ask(self, content: bytes) -> Scan:
        """Returns the verdict about a message. Raises OSError, AnswerError, TooBigError."""
        with await _connect(self._address) as peer:
            return _verdict(await _converse(peer, content))

    async def close(self) -> None:
        """Does nothing, because no connection stays open."""


async def _connect(address: str) -> socket.socket:
    loop = asyncio.get_running_loop()
    if address.startswith("unix:"):
        return await _dial(socket.AF_UNIX, address.removeprefix("unix:"))
    parts = urlsplit(f"//{address}")
    refused = OSError(f"{address} has no address")
    for family, _, _, _, target in await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM):
        try:
            return await _dial(family, target)
        except OSError as error:
            refused = error
    raise refused


async def _dial(family: int, target: object) -> socket.socket:
    peer = socket.socket(family, socket.SOCK_STREAM)
    try:
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, target)  # type: ignore[arg-type] # each family has its own
    except BaseException:
        peer.close()
        raise
    return peer


async def _converse(peer: socket.socket, content: bytes) -> bytes:
    """Sends the message and returns the answer. Raises OSError, AnswerError.

    If the message is too big, clamd answers before its end and closes the connection. Sending then fails, but the
    answer can still be read.
    """
    loop = asyncio.get_running_loop()
    broken: OSError | None = None
    try:
        for chunk in _command(content):
            await loop.sock_sendall(peer, chunk)
    except OSError as error:
        broken = error
    answer = b""
    while b"\0" not in answer:
        received = await loop.sock_recv(peer, _LONGEST_ANSWER_BYTES)
        answer += received
        if not received or len(answer) > _LONGEST_ANSWER_BYTES:
            raise broken or AnswerError("no end of the answer")
    return answer.partition(b"\0")[0]


def _command(content: bytes) -> Iterator[bytes]:
    yield b"zINSTREAM\0"
    for at in range(0, len(content), _CHUNK_BYTES):
        chunk = content[at : at + _CHUNK_BYTES]
        yield struct.pack("!L", len(chunk)) + chunk
    yield struct.pack("!L", 0)


def _verdict(answer: bytes) -> Scan:
    if answer == b"stream: OK":
        return Scan(scanner="clamav", outcome=ScanOutcome.CLEAN)
    if _TOO_BIG.fullmatch(answer):
        raise TooBigError
    if found := _FOUND.fullmatch(answer):
        return Scan(scanner="clamav", outcome=ScanOutcome.VIRUS, found=printable(found[1].decode("utf-8", "replace")))
    # The answer is not repeated in the log, because another program on that port might send the message back.
    raise AnswerError("no verdict in the answer")
