"""The attacks. Each is bounded in time and in bytes, and takes the daemon's ports and aliases from the target.

The addresses of the attackers are below 127.1.0.0/16; the other users come from 127.9.0.0/16.
"""

import base64
import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench.hostile.client import Client, greeted
from bench.hostile.target import PASSWORD, SELLER, Target

_MB: Final = 1_000_000
STRANGER_DOMAIN: Final = "evil.test"

Attack = Callable[[Target, "Deadline"], str]
"""Attacks until it is done or the deadline has passed. Returns a few words about what the daemon answered."""


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def rest_s(self) -> float:
        return max(0.1, self._end - time.monotonic())


def operator_bomb(target: Target, deadline: Deadline) -> str:
    """One mail of 8 MB to a hundred spellings of the operator's address."""
    tags = [f"postmaster+{number}@relay.test" for number in range(100)]
    return _one(target.mx, "127.1.0.1", f"a@{STRANGER_DOMAIN}", tags, _text(_noise(8 * _MB)), deadline)


def tag_bomb(target: Target, deadline: Deadline) -> str:
    """One mail of 190 KB of open style elements to a hundred tags of one alias."""
    local, _, domain = target.seller_alias.partition("@")
    tags = [f"{local}+{number}@{domain}" for number in range(100)]
    return _one(target.mx, "127.1.0.2", f"a@{STRANGER_DOMAIN}", tags, _html(b"<style>" * 27_000), deadline)


def heavy_mail(target: Target, deadline: Deadline) -> str:
    """Eight mails of 12 MB of open style elements at once, by a seller who is logged in."""

    def send(number: int) -> str:
        with _logged_in(target, f"127.1.1.{number + 1}", deadline) as client:
            return client.send(SELLER, [target.buyer_alias], _html(b"<style>\n" * 1_500_000, sender=SELLER))

    return _counted(_side_by_side(send, 8))


def long_lines(target: Target, deadline: Deadline) -> str:
    """Command lines of twelve thousand blanks, from a session that is logged in, again and again."""
    answers = []
    for number in range(10):
        if deadline.passed():
            break
        with contextlib.suppress(OSError), _logged_in(target, f"127.1.2.{number + 1}", deadline) as client:
            lines = b"".join(b"MAIL FROM:<a@b> x" + b" " * 12_200 + b"x\r\n" for _ in range(15))
            client.socket.sendall(lines)
            answers += [client.reply() for _ in range(15)]
    return _counted(answers)


def silent_connections(target: Target, deadline: Deadline) -> str:
    """Four hundred connections of one client to each port that say nothing."""
    with contextlib.ExitStack() as stack:
        opened = {
            port: sum(_open(stack, port, "127.1.3.1") for _ in range(400))
            for port in (target.implicit, target.mx, target.submission)
        }
        time.sleep(min(8, deadline.rest_s()))
    return f"{sum(opened.values())} connected"


def idle_sessions(target: Target, deadline: Deadline) -> str:
    """Sessions of twenty hosts, fifty each, that greet and then wait."""
    with contextlib.ExitStack() as stack:
        opened = 0
        for host in range(20):
            opened += sum(_open(stack, target.mx, f"127.1.4.{host + 1}", b"EHLO x\r\n") for _ in range(50))
        time.sleep(min(8, deadline.rest_s()))
    return f"{opened} connected"


def slow_readers(target: Target, deadline: Deadline) -> str:
    """Clients that send commands without end and never read the answers."""
    with contextlib.ExitStack() as stack:
        for number in range(40):
            with contextlib.suppress(OSError):
                one = stack.enter_context(_small_window(target.mx, f"127.1.5.{number + 1}"))
                one.settimeout(0.5)
                with contextlib.suppress(OSError):
                    one.sendall(b"EHLO x\r\n" * 375_000)
        time.sleep(min(5, deadline.rest_s()))
    return "40 clients"


def web_connections(target: Target, deadline: Deadline) -> str:
    """Three hundred web connections that send nothing, or half a header."""
    with contextlib.ExitStack() as stack:
        opened = 0
        for number in range(300):
            opened += _open(stack, target.web, "127.1.6.1", b"GET / HTTP/1.1\r\nHost:" if number % 2 else b"")
        time.sleep(min(10, deadline.rest_s()))
    return f"{opened} connected"


def password_guesses(target: Target, deadline: Deadline) -> str:
    """Wrong passwords from twelve clients that hang up before the answer."""
    guesses = 0

    def guess(number: int) -> str:
        nonlocal guesses
        while not deadline.passed():
            with (
                contextlib.suppress(OSError),
                greeted(target.submission, f"127.1.7.{number + 1}", timeout_s=5) as client,
            ):
                client.socket.sendall(b"AUTH PLAIN " + _plain(SELLER, "wrong") + b"\r\n")
                time.sleep(0.15)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                guesses += 1
        return ""

    _side_by_side(guess, 12)
    return f"{guesses} guesses"


def data_flood(target: Target, deadline: Deadline) -> str:
    """Forty strangers with 20 MB each, all in DATA at once, who end together."""
    together = threading.Barrier(40, timeout=deadline.rest_s())
    content = _text(_noise(20 * _MB))

    def send(number: int) -> str:
        try:
            with greeted(target.mx, f"127.1.8.{number + 1}") as client:
                client.ask(f"MAIL FROM:<a{number}@{STRANGER_DOMAIN}>")
                client.ask(f"RCPT TO:<{target.seller_alias}>")
                answer = client.ask("DATA")
                if answer.startswith("354"):
                    client.socket.sendall(content)
                    with contextlib.suppress(threading.BrokenBarrierError):
                        together.wait()
                    client.socket.sendall(b"\r\n.\r\n")
                    answer = client.reply()
        except OSError as error:
            return f"closed: {type(error).__name__}"
        finally:
            together.abort()
        return answer

    return _counted(_side_by_side(send, 40))


def trickled_data(target: Target, deadline: Deadline) -> str:
    """Fourteen strangers who send 20 MB each, and then a few bytes a second, before another one sends 10 MB."""
    content = _text(_noise(20 * _MB))
    with contextlib.ExitStack() as stack:

        def fill(number: int) -> str:
            client = stack.enter_context(greeted(target.mx, f"127.1.13.{number + 1}", timeout_s=deadline.rest_s()))
            client.ask(f"MAIL FROM:<a{number}@{STRANGER_DOMAIN}>")
            client.ask(f"RCPT TO:<{target.seller_alias}>")
            client.ask("DATA")
            client.socket.sendall(content)
            for _ in range(5):
                client.socket.sendall(b"x\r\n")
                time.sleep(0.5)
            return "filled"

        filled = _side_by_side(fill, 14)
        sender = f"late@{STRANGER_DOMAIN}"
        late = _text(_noise(10 * _MB), sender=sender)
        answer = _one(target.mx, "127.1.13.99", sender, [target.seller_alias], late, deadline)
    return f"{len(filled)} hold the space; another one gets {answer[:9]}"


def pending_flood(target: Target, deadline: Deadline) -> str:
    """Mail of 5 MB from many addresses of one domain that pass SPF and are on nobody's list."""
    content = _noise(5 * _MB)
    answers = []
    for number in range(60):
        if deadline.passed():
            break
        sender = f"a{number % 12}@{STRANGER_DOMAIN}"
        source = f"127.1.9.{number + 1}"
        answers.append(_one(target.mx, source, sender, [target.seller_alias], _text(content, sender=sender), deadline))
    return _counted(answers)


def refused_mail(target: Target, deadline: Deadline) -> str:
    """Four hundred mails that the rules return, each of which earns its writer a notice."""
    text = b"Call me: 090-1234-5678, or https://shop.seller.test/\r\n"
    answers = []
    with _logged_in(target, "127.1.10.1", deadline) as client:
        for number in range(420):
            if deadline.passed():
                break
            content = _text(text + f"{number}\r\n".encode(), sender=SELLER)
            answers.append(client.send(SELLER, [target.buyer_alias], content))
    return _counted(answers)


def tarpits(target: Target, deadline: Deadline) -> str:
    """Mail for three mailboxes at hosts that accept connections and say nothing; mail for others goes on."""
    answers = []
    for number in range(120):
        if deadline.passed():
            break
        alias = target.tarpit_aliases[number % len(target.tarpit_aliases)]
        content = _text(f"Question {number}\r\n".encode(), sender="alice@buyer.test")
        answers.append(_one(target.mx, f"127.1.11.{number + 1}", "alice@buyer.test", [alias], content, deadline))
    time.sleep(min(10, deadline.rest_s()))
    return _counted(answers)


def unknown_recipients(target: Target, deadline: Deadline) -> str:
    """Guesses of aliases from many clients of one network."""
    answers: list[str] = []
    for number in range(40):
        with contextlib.suppress(OSError), greeted(target.mx, f"127.1.12.{number + 1}", timeout_s=5) as client:
            client.socket.sendall(b"MAIL FROM:<a@evil.test>\r\n")
            client.reply()
            for _ in range(25):
                if deadline.passed():
                    return _counted(answers)
                answers.append(client.ask(f"RCPT TO:<{random.randbytes(8).hex()}@relay.test>"))
    return _counted(answers)


ALL: Final[dict[str, Attack]] = {
    "operator bomb": operator_bomb,
    "tag bomb": tag_bomb,
    "heavy mail": heavy_mail,
    "long lines": long_lines,
    "silent connections": silent_connections,
    "idle sessions": idle_sessions,
    "slow readers": slow_readers,
    "web connections": web_connections,
    "password guesses": password_guesses,
    "DATA flood": data_flood,
    "trickled DATA": trickled_data,
    "pending flood": pending_flood,
    "refused mail": refused_mail,
    "tarpits": tarpits,
    "unknown recipients": unknown_recipients,
}


class Tarpit:
    """Accepts connections on `address` and `port`, and never says a word."""

    def __init__(self, address: str, port: int) -> None:
        self._server = socket.create_server((address, port), backlog=500)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._held.append(self._server.accept()[0])

    def close(self) -> None:
        self._server.close()
        for one in self._held:
            one.close()


# ---------------------------------------------------------------- helpers


def _one(port: int, source: str, sender: str, recipients: Sequence[str], content: bytes, deadline: Deadline) -> str:
    try:
        with greeted(port, source, timeout_s=deadline.rest_s()) as client:
            return client.send(sender, list(recipients), content)
    except OSError as error:
        return f"closed: {type(error).__name__}"


@contextlib.contextmanager
def _logged_in(target: Target, source: str, deadline: Deadline) -> Iterator[Client]:
    with greeted(target.submission, source, timeout_s=deadline.rest_s()) as client:
        client.ask("AUTH PLAIN " + _plain(SELLER, PASSWORD).decode("ascii"))
        yield client


def _plain(user: str, password: str) -> bytes:
    return base64.b64encode(f"\0{user}\0{password}".encode())


def _open(stack: contextlib.ExitStack, port: int, source: str, first: bytes = b"") -> bool:
    """Opens one connection that stays until the stack ends. Returns whether that worked."""
    try:
        one = socket.create_connection(("127.0.0.1", port), 2, source_address=(source, 0))
        stack.callback(one.close)
        one.sendall(first)
    except OSError:
        return False
    return True


def _small_window(port: int, source: str) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_304)
    one.bind((source, 0))
    one.connect(("127.0.0.1", port))
    return one


def _side_by_side(one: Callable[[int], str], count: int) -> list[str]:
    """Calls `one` with each number in a thread of its own. Returns what they return."""
    answers: list[str] = []

    def run(number: int) -> None:
        try:
            answers.append(one(number))
        except OSError as error:
            answers.append(f"closed: {type(error).__name__}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _counted(answers: Sequence[str]) -> str:
    kinds: dict[str, int] = {}
    for answer in answers:
        key = answer if answer.startswith("closed") else answer[:9]
        kinds[key or "closed"] = kinds.get(key or "closed", 0) + 1
    return ", ".join(f"{count} x {key}" for key, count in sorted(kinds.items(), key=lambda item: -item[1]))


def _noise(size: int) -> bytes:
    return base64.encodebytes(random.Random(7).randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")


def _text(body: bytes, *, sender: str = "a@evil.test") -> bytes:
    return _header(sender, "text/plain") + body


def _html(body: bytes, *, sender: str = "a@evil.test") -> bytes:
    return _header(sender, "text/html") + b"".join(body[i : i + 896] + b"\r\n" for i in range(0, len(body), 896))


def _header(sender: str, content_type: str) -> bytes:
    lines = (
        f"From: {sender}",
        "To: undisclosed-recipients:;",
        "Subject: Hello",
        "Date: Mon, 23 Nov 2026 10:00:00 +0000",
        f"Message-ID: <{random.randbytes(8).hex()}@evil.test>",
        "MIME-Version: 1.0",
        f"Content-Type: {content_type}; charset=utf-8",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")
