"""A running relay with a sink behind it, and one buyer and one seller to begin with: where the tests of a file play."""

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
from tests.support.peers import Aside, until
from tests.support.sink import Letter, Sink


@dataclass
class Scene:
    relay: Relay
    sink: Sink
    pair: Pair
    aside: Aside

    @property
    def buyer_alias(self) -> str:
        return self.pair.buyer.alias.address

    @property
    def seller_alias(self) -> str:
        return self.pair.seller.alias.address

    def letters(self, to: str, subject: str = "") -> list[Letter]:
        return [one for one in self.sink.letters if to in one.rcpt_to and subject in (read(one)["Subject"] or "")]

    def letter(self, to: str, subject: str = "", number: int = 1) -> Letter:
        """The `number`th letter to a mailbox with that in its subject, once it is there."""
        return until(lambda: self.letters(to, subject)[number - 1 : number])[0]

    def introduce(self, buyer: str, seller: str) -> Pair:
        """Another buyer and seller, with the local parts of their mailboxes for references."""
        buyer_ref, seller_ref = buyer.partition("@")[0], seller.partition("@")[0]
        return asyncio.run(self.relay.introduce(buyer_ref, buyer, seller_ref, seller))

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """What the store, opened beside the daemon, answers: `question(store)` is awaited."""

        async def opened() -> Any:
            async with self.relay.opened() as store:
                return await question(store)

        return asyncio.run(opened())

    def drained(self) -> None:
        """Once nothing is on its way out any more."""
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
        """The running daemon judges by this policy from now on; `name` is its file's."""
        (self.relay.directory / f"policies/{name}.toml").write_text(text, encoding="utf-8")
        self.reload()

    def reload(self) -> None:
        """The running daemon has read its files again."""
        said = re.compile('"(reloaded|reload_refused)"')
        before = len(said.findall(self.relay.log()))
        assert self.relay.process is not None
        self.relay.process.send_signal(signal.SIGHUP)
        (word, *_) = until(lambda: said.findall(self.relay.log())[before:])
        assert word == "reloaded", self.relay.log()[-2000:]

    def hand_in(self, user: str, mail_from: str, to: str, *mails: str | bytes) -> list[str]:
        """By a login, in one session: what is answered to each. A text is a subject."""
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
_URL = re.compile(r"https?://[^\s\"<>]+")


def disclosed(scene: Scene) -> Iterator[str]:
    """Where the play has shown an address: of the other side in a mail, of anybody in a URL, in the log, on the metrics
    page, in what commands printed without being told to reveal."""
    with urlopen(f"http://127.0.0.1:{scene.relay.web}/metrics", timeout=10) as page:
        shown = {"log": scene.relay.log(), "metrics": page.read().decode(), "commands": "".join(scene.relay.printed)}
    yield from (where for where, text in shown.items() if re.search(f"{_BUYERS}|{_SELLERS}", text))
    for letter in scene.sink.letters:
        (to,) = letter.rcpt_to
        if to.endswith("@operator.example"):  # gets mail as it came
            continue
        mail = read(letter)
        del mail["To"]
        texts = [octets(part) for part in mail.walk() if not part.is_multipart()]
        text = "\n".join([*map(str, mail.values()), *(one.decode("utf-8", "replace") for one in texts)])
        urls = " ".join(_URL.findall(text))
        if re.search(_SELLERS if to.endswith(_BUYERS) else _BUYERS, text) or re.search(f"{_BUYERS}|{_SELLERS}", urls):
            yield f"mail to {to}: {mail['Subject']}"


def read(letter: Letter) -> EmailMessage:
    message = message_from_bytes(letter.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def played(directory: Path, sink: Sink | None = None, *, aside: Aside | None = None, **changes: Any) -> Iterator[Scene]:
    """`changes` are Relay's fields."""
    if aside is None:
        with Aside() as own, played(directory, sink, aside=own, **changes) as scene:
            yield scene
        return
    sink = aside.enter(sink or Sink())
    relay = Relay(directory, sink.port, **changes)
    relay.prepare()
    pair = asyncio.run(relay.furnish())
    relay.start()
    try:
        yield Scene(relay=relay, sink=sink, pair=pair, aside=aside)
    finally:
        status = relay.stop()
        assert status == 0, relay.log()
    assert "Traceback" not in relay.log()
