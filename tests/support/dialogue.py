"""An SMTP client that sends exactly the bytes that a test gives it, over a blocking socket.

`play` runs a transcript: it sends the lines `C: ...` with CR LF, and expects the lines `S: ...` as the next replies, with
`*` as a wildcard. All other lines are ignored.
"""

import contextlib
import fnmatch
import socket
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class Dialogue:
    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, preface: bytes = b"") -> None:
        """Connects and sends `preface`, before a TLS handshake. The caller reads the banner."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        if preface:
            self._socket.sendall(preface)
        if tls is not None:
            self.start_tls(tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    # ---------------------------------------------------------------- saying

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def send_bytewise(self, content: bytes) -> None:
        for byte in content:
            self._socket.sendall(bytes((byte,)))

    def say(self, *lines: str) -> None:
        """Sends all lines in one write."""
        self.send("".join(f"{line}\r\n" for line in lines).encode())

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def close_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Ends the connection by RST, as a crash does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    # ---------------------------------------------------------------- hearing

    def line(self) -> str:
        """Returns the next line without its end. Raises EOFError when the server has closed the connection."""
        while b"\r\n" not in self._received:
            self._receive()
        line, _, self._received = self._received.partition(b"\r\n")
        return line.decode()

    def reply(self) -> str:
        """Returns the next reply. The lines of a long one are joined with newlines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def piece(self) -> bytes:
        """Returns the result of one read."""
        self._receive()
        piece, self._received = self._received, b""
        return piece

    def ask(self, line: str) -> str:
        self.say(line)
        return self.reply()

    def rest(self) -> list[str]:
        """Returns all lines until the server closes the connection."""
        with contextlib.suppress(EOFError):
            while True:
                self._receive()
        rest, self._received = self._received, b""
        return rest.decode().splitlines()

    def _receive(self) -> None:
        try:
            piece = self._socket.recv(65_536)
        except (ConnectionResetError, ssl.SSLEOFError):
            piece = b""
        if not piece:
            raise EOFError
        self._received += piece

    # ---------------------------------------------------------------- both

    def play(self, transcript: str) -> None:
        for speaker, words in _steps(transcript):
            if speaker == "C":
                self.say(words)
                continue
            heard = self.line()
            assert fnmatch.fnmatchcase(heard, words), f"expected {words!r}, heard {heard!r}"


def _steps(transcript: str) -> Iterator[tuple[str, str]]:
    for line in transcript.splitlines():
        speaker, colon, words = line.strip().partition(":")
        if colon and speaker in ("C", "S"):
            # A bracket in a reply is a bracket: only * and ? are wildcards.
            yield speaker, words.removeprefix(" ") if speaker == "C" else words.removeprefix(" ").replace("[", "[[]")
