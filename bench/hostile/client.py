"""A plain SMTP client with a source address of its own: the daemon counts clients by address."""

import contextlib
import socket
from typing import Final, Self

_LARGEST: Final = 65_536


class Client:
    """One session on `port` of 127.0.0.1. Raises OSError when the connection fails."""

    def __init__(self, port: int, source: str, *, timeout_s: float = 30) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s, source_address=(source, 0))
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def reply(self) -> str:
        """Returns the next reply, all its lines; "" when the daemon has closed the connection."""
        lines = []
        while True:
            line, found, rest = self._rest.partition(b"\r\n")
            if not found:
                piece = self.socket.recv(_LARGEST)
                if not piece:
                    return ""
                self._rest += piece
                continue
            self._rest = rest
            lines.append(line.decode("ascii", "replace"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def ask(self, command: str) -> str:
        """Sends one command line and returns its reply."""
        self.socket.sendall(command.encode("ascii") + b"\r\n")
        return self.reply()

    def send(self, sender: str, recipients: list[str], content: bytes) -> str:
        """Sends one message in a greeted session. Returns the reply to its end, or the first refusal."""
        answer = self.ask(f"MAIL FROM:<{sender}>")
        if not answer.startswith("250"):
            return answer
        taken = [answer for one in recipients if (answer := self.ask(f"RCPT TO:<{one}>")).startswith("25")]
        if not taken:
            return answer
        answer = self.ask("DATA")
        if not answer.startswith("354"):
            return answer
        self.socket.sendall(content + b"\r\n.\r\n")
        return self.reply()


def greeted(port: int, source: str, *, timeout_s: float = 30) -> Client:
    """Returns a session after EHLO."""
    client = Client(port, source, timeout_s=timeout_s)
    client.reply()
    client.ask("EHLO client.test")
    return client
