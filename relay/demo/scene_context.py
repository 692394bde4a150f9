"""Gives a scene its tools: to send mail, read mailboxes and the record, print the results, and check them."""

import asyncio
import re
from collections.abc import Callable

from relay.core.model.event import EventData
from relay.demo import browser, record_view
from relay.demo.browser import WebPage
from relay.demo.demo_parties import DemoParty
from relay.demo.mail_program import Attachment, DisplayedMail, own_links, read
from relay.demo.record_view import RecordLine
from relay.demo.running import RunningDemo
from relay.demo.sink import ReceivedMail
from relay.demo.smtp_client import Dialogue

_TIMEOUT_S = 30
_POLL_S = 0.05
_LONG_FIELD = re.compile(r"(?m)^(DKIM-Signature: .*)(?:\r\n[ \t].*)+")


class SceneError(Exception):
    """Raised if a check of a scene fails; the message names the check."""


class SceneContext:
    """The actions that a scene can carry out. `write_line` prints one line of the transcript.

    All methods that check something or wait raise SceneError if the check fails or after 30 s of waiting.
    """

    def __init__(self, demo: RunningDemo, write_line: Callable[[str], None]) -> None:
        self.mailer = demo.mailer
        self._daemon = demo.daemon
        self._links = demo.ports.links
        self._sink = demo.sink
        self._store = demo.store
        self._write_line = write_line
        self._opened: set[tuple[str, int]] = set()

    def narrate(self, text: str) -> None:
        self._write_line("")
        self._write_line(text)

    def check(self, true: bool, what: str) -> None:
        if not true:
            raise SceneError(what)
        self._write_line(f"    ok: {what}")

    async def write(
        self,
        writer: DemoParty,
        to: str,
        subject: str,
        text: str,
        *,
        from_address: str = "",
        answers: DisplayedMail | None = None,
        attachment: Attachment | None = None,
    ) -> Dialogue:
        """Sends a mail over SMTP, shows the dialogue, and returns it."""
        dialogue = await self.mailer.write(
            writer, to, subject, text, from_address=from_address, answers=answers, attachment=attachment
        )
        self._show(f"SMTP dialogue, {dialogue.server.name} port", [str(line) for line in dialogue.lines])
        return dialogue

    async def follow(self, displayed: DisplayedMail, choice: str) -> None:
        """Opens the first of the relay's links in the mail, then presses the button `choice` of its page."""
        link = own_links(self._links).search(displayed.text)
        self.check(link is not None, "the mail has a link")
        assert link
        page = self._page(await browser.show(link[0]))
        self.check(choice in page.buttons, "the page offers it, and opening it has changed nothing")
        self._page(await browser.press(link[0], choice))

    async def unsubscribe(self, displayed: DisplayedMail) -> None:
        """Unsubscribes as a mail program does when a person presses its unsubscribe button, and shows the answer."""
        self._page(await browser.unsubscribe(displayed.unsubscribe))

    def _page(self, page: WebPage) -> WebPage:
        buttons = [f"[ {label} ]" for label in page.buttons.values()]
        self._show("HTTP dialogue, web port", [*map(str, page.dialogue.lines), "", *page.words, *buttons])
        self.check(page.dialogue.accepted, "the relay answered")
        return page

    async def mail(self, party: DemoParty, *, automatic: bool = False) -> tuple[ReceivedMail, DisplayedMail]:
        """Waits for the next unopened mail of a party, shows it with its signatures shortened, and returns it.

        With `automatic` it waits for a notice, otherwise for a mail that is not a notice.
        """

        def wanted(mail: ReceivedMail) -> bool:
            return (mail.mailbox, mail.number) not in self._opened and mail.is_automatic is automatic

        mail = await self._sink.wait(party.ref, wanted, _TIMEOUT_S)
        what = "notice" if automatic else "mail"
        if mail is None:
            raise SceneError(f"no {what} came to {party.ref}'s mailbox within {_TIMEOUT_S} s")
        self._opened.add((mail.mailbox, mail.number))
        displayed = read(mail.content)
        header = _LONG_FIELD.sub(r"\1 ...", mail.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")).split(
            "\r\n"
        )
        body = (displayed.text or displayed.html).splitlines()
        self._show(f"{what} {mail.number} in {party.ref}'s mailbox", [*header, "", *body])
        return mail, displayed

    def mailbox_is_empty(self, party: DemoParty) -> bool:
        return all((mail.mailbox, mail.number) in self._opened for mail in self._sink.mails(party.ref))

    async def record(self) -> RecordLine:
        """Waits until the newest message of the record is settled, shows it with its events, and returns it."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                newest = await self._newest()
                while not newest.is_settled:
                    await asyncio.sleep(_POLL_S)
                    newest = await self._newest()
        except TimeoutError as error:
            raise SceneError(f"the record did not settle within {_TIMEOUT_S} s") from error
        lines = [f"{event.at:%H:%M:%S} {event.type:<14} {_words(event.data)}".rstrip() for event in newest.events]
        who = f"{newest.author} to {newest.recipient}" if newest.author else "a stranger"
        self._show(f"the relay's record: {who}, state {newest.state}", lines)
        return newest

    async def command(self, *arguments: str) -> None:
        """Runs `relay ...` while the daemon runs, and shows its output. Raises DaemonError if the command fails."""
        output = await self._daemon.run(*arguments)
        self._show(f"$ relay {' '.join(arguments)}", output.splitlines())

    async def _newest(self) -> RecordLine:
        found = await record_view.newest_messages(self._store, limit=1)
        while not found:
            await asyncio.sleep(_POLL_S)
            found = await record_view.newest_messages(self._store, limit=1)
        return found[0]

    def _show(self, title: str, lines: list[str]) -> None:
        self._write_line("")
        self._write_line(f"  --- {title}")
        for line in lines:
            self._write_line(f"    {line}".rstrip())


def _words(data: EventData) -> str:
    return " ".join(f"{key}={value}" for key, value in data.items())
