"""A demo without its daemon: real mailboxes on disk, a record of plain values, and a mailer that records."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from relay.core.mail.address import fold
from relay.core.model.event import AttemptData, DecisionData, Event, EventData, EventType, ReceivedData
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState, Port
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.core.rewrite.plan import Change
from relay.demo.daemon import ReadyPorts
from relay.demo.demo_parties import BY_REF, OPERATOR, OPERATOR_MAILBOX, PARTIES, PURCHASES, DemoParty
from relay.demo.mail_program import Attachment, DisplayedMail
from relay.demo.sink import Sink
from relay.demo.smtp_client import Dialogue, Line, SmtpServer
from relay.ports import MessageSummary, RecordAction, RecordDetail, RecordedReason, StoredMessage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

MAIL = b"""\
From: Harbour Books <seller2alice2xxx@demo.example>\r
To: bob@mail.example\r
Subject: Your order 250-1001\r
Message-ID: <m1@demo.example>\r
Date: Sun, 01 Mar 2026 12:00:00 +0000\r
Content-Type: text/plain; charset=utf-8\r
\r
Hello,\r
\r
your parcel leaves tomorrow.\r
"""

NOTICE = b"""\
From: Demo Market <postmaster@demo.example>\r
To: alice@harbour-books.example\r
Subject: Could not deliver: New arrivals\r
Auto-Submitted: auto-replied\r
Message-ID: <n1@demo.example>\r
\r
The buyer takes no mail that is not about an order.\r
"""


class FakeRecord:
    """The part of the store that the page reads, with plain values."""

    def __init__(self) -> None:
        self.stored: list[StoredMessage] = []
        self.known_pairs: dict[str, SimpleNamespace] = {}
        self.records = self.pairs = self.holds = self
        self.released: list[tuple[str, str]] = []

    def add(self, seller: str, buyer: str, subject: str, state: MessageState, reasons: tuple[str, ...] = ()) -> str:
        """Adds a message from the seller to the buyer, and returns its id."""
        number = len(self.stored)
        pair_id = f"{seller}-{buyer}"
        sides = {Role.SELLER: seller, Role.BUYER: buyer}
        self.known_pairs[pair_id] = SimpleNamespace(
            side=lambda role: SimpleNamespace(party=SimpleNamespace(external_ref=sides[role]))
        )
        at = NOON + timedelta(seconds=number)
        steps = {MessageState.RETURNED: EventType.RETURNED, MessageState.HELD: EventType.HELD}
        events: list[tuple[EventType, EventData]] = [
            (EventType.RECEIVED, ReceivedData(port=Port.SUBMISSION, size_bytes=812, tls=1)),
            (steps.get(state, EventType.QUEUED), DecisionData(reasons=",".join(reasons), policy="builtin-1")),
        ]
        if state is MessageState.ACCEPTED:
            events.append((EventType.ACCEPTED, AttemptData(code=250, phase="end_of_data", host="127.0.0.1")))
        summary = MessageSummary(
            id=f"{number:026}",
            marketplace_id="demo",
            pair_id=pair_id,
            author_role=Role.SELLER,
            order_external_id=None,
            kind=Kind.OTHER,
            state=state,
            received_at=at,
            size_bytes=812,
            policy_version="builtin-1",
            detail=RecordDetail(
                action=RecordAction.RELAY,
                reasons=tuple(RecordedReason(code=ReasonCode(reason), rule="R-POL-03") for reason in reasons),
            ),
        )
        self.stored.append(
            StoredMessage(
                summary=summary,
                subject=subject,
                mail_from="",
                client_ip="",
                original_message_id="",
                original=b"",
                header=None,
                edits=(),
                changes=(Change("address", "1", 0, 9, "own address"), Change("address", "1", 20, 29, "own address")),
                events=tuple(
                    Event(id=f"{number}-{n}", message_id=summary.id, at=at, type=kind, data=data)
                    for n, (kind, data) in enumerate(events)
                ),
            )
        )
        return summary.id

    async def messages(self, limit: int = 50) -> list[MessageSummary]:
        return [stored.summary for stored in reversed(self.stored)][:limit]

    async def message(self, message_id: str) -> StoredMessage:
        return next(stored for stored in self.stored if stored.summary.id == message_id)

    async def get(self, pair_id: str) -> SimpleNamespace:
        return self.known_pairs[pair_id]

    async def release(self, message_id: str, by: str) -> None:
        self.released.append((message_id, by))


class RecordingMailer:
    """Records the mails, and gives the reply `reply`, as the relay does by default."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, str, str, str, DisplayedMail | None]] = []
        self.attached: list[Attachment | None] = []
        self.reply = "250 2.0.0 abc recorded"

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
        self.written.append((writer.ref, to, subject, text, from_address, answers))
        self.attached.append(attachment)
        lines = [Line("S", "220 relay.demo.example ESMTP"), Line("C", f"RCPT TO:<{to}>"), Line("S", self.reply)]
        return Dialogue(SmtpServer(name="submission", port=2587), lines, self.reply)


def put_mail(directory: Path, mailbox: str, content: bytes) -> None:
    folder = directory / mailbox
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{len(list(folder.iterdir())) + 1:04}.eml").write_bytes(content)


def fake_demo(directory: Path, web: int = 8081) -> Any:
    """Returns the demo that `relay.demo.page.build` takes. Mailboxes are in `directory`, links lead to the port `web`."""
    aliases = {}
    for purchase in PURCHASES:
        domain = "m.demo.example" if BY_REF[purchase.buyer].mobile else "demo.example"
        aliases[purchase.seller, purchase.buyer] = f"{purchase.buyer}2{purchase.seller}2xxxx@{domain}"
        aliases[purchase.buyer, purchase.seller] = f"{purchase.seller}2{purchase.buyer}2xxx@demo.example"
    mailboxes = {fold(character.mailbox): character.ref for character in PARTIES} | {OPERATOR_MAILBOX: OPERATOR}
    gone = frozenset(fold(character.mailbox) for character in PARTIES if character.gone)
    return SimpleNamespace(
        market=SimpleNamespace(aliases=aliases),
        ports=ReadyPorts(mx=2525, submission=2587, web=web),
        sink=Sink(directory, mailboxes, gone),
        store=FakeRecord(),
        mailer=RecordingMailer(),
    )
