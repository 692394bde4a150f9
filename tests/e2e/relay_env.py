"""A running relay that delivers to a sink, with one buyer and one seller: the environment of an end-to-end test."""

import asyncio
import re
import signal
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from relay.core.model.pair import Pair
from relay.ports import QueueLine
from tests.support.daemon import PASSWORD, Relay
from tests.support.narrowing import octets
from tests.support.peers import BackgroundLoop, until
from tests.support.sink import ReceivedMail, Sink


@dataclass
class RelayEnv:
    """A running daemon, the sink that it delivers to, one pair, and the loop of the sink."""

    relay: Relay
    sink: Sink
    pair: Pair
    background: BackgroundLoop

    @property
    def buyer_alias(self) -> str:
        return self.pair.buyer.alias.address

    @property
    def seller_alias(self) -> str:
        return self.pair.seller.alias.address

    def mails(self, to: str, subject: str = "") -> list[ReceivedMail]:
        return [one for one in self.sink.mails if to in one.rcpt_to and subject in (read(one)["Subject"] or "")]

    def mail(self, to: str, subject: str = "", number: int = 1) -> ReceivedMail:
        """Waits for the `number`th mail to a mailbox whose subject contains `subject`, and returns it."""
        return until(lambda: self.mails(to, subject)[number - 1 : number])[0]

    def add_pair(self, buyer: str, seller: str) -> Pair:
        """Stores another pair. The references are the local parts of the mailboxes."""
        buyer_ref, seller_ref = buyer.partition("@")[0], seller.partition("@")[0]
        return asyncio.run(self.relay.add_pair(buyer_ref, buyer, seller_ref, seller))

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Opens the store beside the daemon, awaits `question(store)`, and returns its result."""

        async def opened() -> Any:
            async with self.relay.opened() as store:
                return await question(store)

        return asyncio.run(opened())

    def drained(self) -> None:
        """Waits until no item is due or leased."""
        waiting = {"queued", "leased"}

        def leaving() -> list[QueueLine]:
            lines = self.ask(lambda store: store.queue.lines())
            return [one for one in lines if str(one.state) in waiting and one.next_due_at <= datetime.now(UTC)]

        until(lambda: not leaving())

    def state(self, record_id: str) -> str:
        return str(self.ask(lambda store: store.records.summary(record_id)).state)

    def becomes(self, record_id: str, state: str) -> None:
        until(lambda: self.state(record_id) == state, step_s=0.1)

    def policy(self, text: str, *, name: str = "now") -> None:
        """Writes a policy file named `name` and makes the daemon reload."""
        (self.relay.directory / f"policies/{name}.toml").write_text(text, encoding="utf-8")
        self.reload()

    def reload(self) -> None:
        """Makes the daemon read its files again, and waits until it has."""
        said = re.compile('"(reloaded|reload_refused)"')
        before = len(said.findall(self.relay.log()))
        assert self.relay.process is not None
        self.relay.process.send_signal(signal.SIGHUP)
        (word, *_) = until(lambda: said.findall(self.relay.log())[before:])
        assert word == "reloaded", self.relay.log()[-2000:]

    def hand_in(self, user: str, mail_from: str, to: str, *mails: str | bytes) -> list[str]:
        """Submits mails in one session with a login, and returns the reply to each. A `str` is the subject of a mail."""
        answers = []
        with smtplib.SMTP("127.0.0.1", self.relay.submission, timeout=60) as smtp:
            smtp.login(user, PASSWORD)
            for mail in mails:
                content = plain(mail_from, to, mail) if isinstance(mail, str) else mail
                assert smtp.mail(mail_from)[0] == 250
                assert smtp.rcpt(to)[0] == 250
                code, text = smtp.data(content)
                answers.append(f"{code} {text.decode()}")
        return answers

    def events(self, record_id: str) -> list[str]:
        return [str(event.type) for event in self.ask(lambda store: store.records.history(record_id))]


def plain(mail_from: str, to: str, subject: str, text: str = "") -> bytes:
    return f"From: {mail_from}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text or subject}\r\n".encode()


_BUYERS, _SELLERS = "@phone.example", "@(pottery|glass).example"
_MASKED = re.compile(r"\w?…\w?@[\w.-]+")
_URL = re.compile(r"https?://[^\s\"<>]+")


def disclosed(env: RelayEnv) -> Iterator[str]:
    """Yields the places that disclose an address: mails to the other side, URLs, the log, metrics, output of commands."""
    with urlopen(f"http://127.0.0.1:{env.relay.web}/metrics", timeout=10) as page:
        shown = {"log": env.relay.log(), "metrics": page.read().decode()}
    shown["commands"] = _MASKED.sub("", "".join(env.relay.printed))
    yield from (where for where, text in shown.items() if re.search(f"{_BUYERS}|{_SELLERS}", text))
    for received in env.sink.mails:
        (to,) = received.rcpt_to
        if to.endswith("@operator.example"):  # the operator gets mail unchanged
            continue
        mail = read(received)
        del mail["To"]
        texts = [octets(part) for part in mail.walk() if not part.is_multipart()]
        text = "\n".join([*map(str, mail.values()), *(one.decode("utf-8", "replace") for one in texts)])
        urls = " ".join(_URL.findall(text))
        if re.search(_SELLERS if to.endswith(_BUYERS) else _BUYERS, text) or re.search(f"{_BUYERS}|{_SELLERS}", urls):
            yield f"mail to {to}: {mail['Subject']}"


def read(received: ReceivedMail) -> EmailMessage:
    message = message_from_bytes(received.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def running_relay(
    directory: Path, sink: Sink | None = None, *, background: BackgroundLoop | None = None, **changes: Any
) -> Iterator[RelayEnv]:
    """Starts a relay in `directory` and stops it at the end. `changes` are fields of `Relay`."""
    if background is None:
        with BackgroundLoop() as own, running_relay(directory, sink, background=own, **changes) as env:
            yield env
        return
    sink = background.enter(sink or Sink())
    relay = Relay(directory, sink.port, **changes)
    relay.prepare()
    pair = asyncio.run(relay.seed_store())
    relay.start()
    try:
        yield RelayEnv(relay=relay, sink=sink, pair=pair, background=background)
    finally:
        status = relay.stop()
        assert status == 0, relay.log()
    assert "Traceback" not in relay.log()
