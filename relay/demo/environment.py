"""Where a scene is played: it writes, looks into mailboxes and the record, prints what it sees, and checks it."""

import asyncio
import re
from collections.abc import Callable

from relay.demo import browser, record_view
from relay.demo.browser import Sheet
from relay.demo.cast import Character
from relay.demo.letter import Attachment, Reading, own_links, read
from relay.demo.life import Life
from relay.demo.record_view import RecordLine
from relay.demo.sink import ReceivedMail
from relay.demo.smtp_client import Dialogue

_PATIENCE_S = 30
_LOOK_AGAIN_S = 0.05
_LONG_FIELD = re.compile(r"(?m)^(DKIM-Signature: .*)(?:\r\n[ \t].*)+")


class SceneError(Exception):
    """Something did not go as told."""


class Stage:
    """`say` takes one line of the transcript."""

    def __init__(self, life: Life, say: Callable[[str], None]) -> None:
        self.post = life.post
        self._daemon = life.daemon
        self._links = life.ports.links
        self._sink = life.sink
        self._store = life.store
        self._say = say
        self._opened: set[tuple[str, int]] = set()

    def tell(self, text: str) -> None:
        self._say("")
        self._say(text)

    def check(self, true: bool, what: str) -> None:
        if not true:
            raise SceneError(what)
        self._say(f"    ok: {what}")

    async def write(
        self,
        writer: Character,
        to: str,
        subject: str,
        text: str,
        *,
        from_address: str = "",
        answers: Reading | None = None,
        attachment: Attachment | None = None,
    ) -> Dialogue:
        """Sends over real SMTP and shows the dialogue."""
        dialogue = await self.post.write(
            writer, to, subject, text, from_address=from_address, answers=answers, attachment=attachment
        )
        self._show(f"SMTP dialogue, {dialogue.door.name} port", [str(line) for line in dialogue.lines])
        return dialogue

    async def follow(self, reading: Reading, choice: str) -> None:
        """The first of the relay's links in the mail: looks at its page, then presses the button `choice`."""
        link = own_links(self._links).search(reading.text)
        self.check(link is not None, "the mail has a link")
        assert link
        page = self._page(await browser.show(link[0]))
        self.check(choice in page.buttons, "the page offers it, and opening it has changed nothing")
        self._page(await browser.press(link[0], choice))

    async def unsubscribe(self, reading: Reading) -> None:
        """As a mail program does when its reader presses the button."""
        self._page(await browser.unsubscribe(reading.unsubscribe))

    def _page(self, sheet: Sheet) -> Sheet:
        buttons = [f"[ {label} ]" for label in sheet.buttons.values()]
        self._show("HTTP dialogue, web port", [*map(str, sheet.dialogue.lines), "", *sheet.words, *buttons])
        self.check(sheet.dialogue.accepted, "the relay answered")
        return sheet

    async def mail(self, box: Character, *, automatic: bool = False) -> tuple[ReceivedMail, Reading]:
        """The next unopened mail of a mailbox, shown as received but for its signatures; `automatic` asks for a
        notice."""

        def wanted(mail: ReceivedMail) -> bool:
            return (mail.box, mail.number) not in self._opened and mail.is_automatic is automatic

        mail = await self._sink.wait(box.ref, wanted, _PATIENCE_S)
        what = "notice" if automatic else "mail"
        if mail is None:
            raise SceneError(f"no {what} came to {box.ref}'s mailbox within {_PATIENCE_S} s")
        self._opened.add((mail.box, mail.number))
        reading = read(mail.content)
        header = _LONG_FIELD.sub(r"\1 ...", mail.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")).split(
            "\r\n"
        )
        body = (reading.text or reading.html).splitlines()
        self._show(f"{what} {mail.number} in {box.ref}'s mailbox", [*header, "", *body])
        return mail, reading

    def mailbox_is_empty(self, box: Character) -> bool:
        return all((mail.box, mail.number) in self._opened for mail in self._sink.mails(box.ref))

    async def record(self) -> RecordLine:
        """The newest message in the record, once nothing more happens to it by itself; shown with its events."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                entry = await self._newest()
                while not entry.is_settled:
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    entry = await self._newest()
        except TimeoutError as error:
            raise SceneError(f"the record did not settle within {_PATIENCE_S} s") from error
        lines = [f"{event.at:%H:%M:%S} {event.type:<14} {_words(event.data)}".rstrip() for event in entry.events]
        who = f"{entry.author} to {entry.recipient}" if entry.author else "a stranger"
        self._show(f"the relay's record: {who}, state {entry.state}", lines)
        return entry

    async def command(self, *arguments: str) -> None:
        """Runs `relay ...` beside the daemon, as staff would."""
        output = await self._daemon.run(*arguments)
        self._show(f"$ relay {' '.join(arguments)}", output.splitlines())

    async def _newest(self) -> RecordLine:
        found = await record_view.entries(self._store, limit=1)
        while not found:
            await asyncio.sleep(_LOOK_AGAIN_S)
            found = await record_view.entries(self._store, limit=1)
        return found[0]

    def _show(self, title: str, lines: list[str]) -> None:
        self._say("")
        self._say(f"  --- {title}")
        for line in lines:
            self._say(f"    {line}".rstrip())


def _words(data: dict[str, str | int]) -> str:
    return " ".join(f"{key}={value}" for key, value in data.items())
