"""The other users during an attack: short sessions, whole messages and health checks, each timed.

Runs as a process of its own, so that the attackers' Python does not stand between an answer and its clock. It prints
one JSON object when its standard input is closed.
"""

import contextlib
import http.client
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final

from bench.hostile.client import Client, greeted

_HEALTH_S: Final = 1.0
"""A health answer that takes longer counts as lost."""
_PAUSE_S: Final = 0.1


class Others:
    def __init__(self, mx: int, web: int, alias: str, writer: str) -> None:
        self._mx, self._web, self._alias, self._writer = mx, web, alias, writer
        self._stop = threading.Event()
        self.answers_ms: list[float] = []
        self.messages_ms: list[float] = []
        self.health_ms: list[float] = []
        self.lost = {"session": 0, "message": 0, "health": 0}
        self._numbers = iter(range(1, 1_000_000))

    def run(self) -> None:
        rounds: list[Callable[[], None]] = [self._session, self._message, self._health]
        threads = [threading.Thread(target=self._repeat, args=(one,)) for one in rounds]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._stop.set()
        for thread in threads:
            thread.join()

    def report(self) -> dict[str, object]:
        return {
            "answer_p99_ms": _percentile(self.answers_ms),
            "answer_max_ms": round(max(self.answers_ms, default=0)),
            "answers": len(self.answers_ms),
            "message_p50_ms": round(statistics.median(self.messages_ms)) if self.messages_ms else None,
            "message_max_ms": round(max(self.messages_ms, default=0)),
            "health_max_ms": round(max(self.health_ms, default=0)),
            "lost": self.lost,
        }

    def _repeat(self, one: Callable[[], None]) -> None:
        while not self._stop.wait(_PAUSE_S):
            one()

    def _source(self) -> str:
        return f"127.9.{next(self._numbers) % 250}.1"

    def _session(self) -> None:
        """Times each answer of a session that sends no message."""
        try:
            started = time.perf_counter()
            with Client(self._mx, self._source()) as client:
                self._timed(started, client.reply())
                for command in ("EHLO client.test", "MAIL FROM:<a@buyer.test>", "NOOP", "RSET", "QUIT"):
                    started = time.perf_counter()
                    self._timed(started, client.ask(command))
        except OSError:
            self.lost["session"] += 1

    def _timed(self, started: float, answer: str) -> None:
        self.answers_ms.append((time.perf_counter() - started) * 1_000)
        if not answer.startswith("2"):
            self.lost["session"] += 1

    def _message(self) -> None:
        """Times the answer to a whole message of a proven writer."""
        message = EmailMessage()
        message["From"], message["To"] = self._writer, self._alias
        message["Subject"], message["Message-ID"] = "A question", make_msgid(domain="buyer.test")
        message.set_content("How deep is the table?\n" * 100)
        try:
            with greeted(self._mx, self._source()) as client:
                started = time.perf_counter()
                answer = client.send(self._writer, [self._alias], message.as_bytes().replace(b"\n", b"\r\n"))
                self.messages_ms.append((time.perf_counter() - started) * 1_000)
                if not answer.startswith("250"):
                    self.lost["message"] += 1
        except OSError:
            self.lost["message"] += 1

    def _health(self) -> None:
        started = time.perf_counter()
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._web, timeout=_HEALTH_S, source_address=("127.9.255.1", 0)
        )
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/healthz")
                good = connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                good = False
        self.health_ms.append((time.perf_counter() - started) * 1_000)
        if not good:
            self.lost["health"] += 1


def _percentile(values: list[float]) -> float | None:
    return round(statistics.quantiles(values, n=100)[98]) if len(values) > 1 else None


if __name__ == "__main__":
    others = Others(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
    others.run()
    print(json.dumps(others.report()))
