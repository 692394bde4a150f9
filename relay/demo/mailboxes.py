"""How a party of the town sends mail: sellers by login on the submission port, buyers to the MX port."""

from datetime import UTC, datetime

from relay.core.model.party import Role
from relay.demo import smtp_client
from relay.demo.cast import Character
from relay.demo.daemon import ReadyPorts
from relay.demo.letter import Attachment, NewMail, Reading, compose
from relay.demo.market import Market
from relay.demo.smtp_client import Dialogue, SmtpServer


class Post:
    def __init__(self, town: Market, ports: ReadyPorts) -> None:
        self._town = town
        self.mx = SmtpServer(name="MX", port=ports.mx)
        self._submission_port = ports.submission

    def door(self, writer: Character) -> SmtpServer:
        if writer.role is Role.BUYER:
            return self.mx
        return SmtpServer(
            name="submission",
            port=self._submission_port,
            login=(writer.mailbox, writer.password),
            ca_file=str(self._town.certificate),
        )

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
        """`to` is an alias; `from_address` another address than the registered mailbox, in envelope and header."""
        address = from_address or writer.mailbox
        draft = NewMail(
            name=writer.name,
            address=address,
            to=to,
            subject=subject,
            text=text,
            answers=answers,
            attachment=attachment,
        )
        return await smtp_client.send(self.door(writer), address, to, compose(draft, datetime.now(UTC)))

    def alias(self, writer: Character, to: Character) -> str:
        return self._town.aliases[writer.ref, to.ref]


def misspelt(alias: str) -> str:
    """The alias with one letter wrong, as a person copies it: its check code no longer fits (R-ADR-02)."""
    return ("b" if alias[0] != "b" else "c") + alias[1:]
