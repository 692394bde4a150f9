"""Sends mail as a party: sellers log in on the submission port, buyers deliver to the MX port."""

from datetime import UTC, datetime

from relay.core.model.party import Role
from relay.demo import smtp_client
from relay.demo.daemon import ReadyPorts
from relay.demo.demo_parties import DemoParty
from relay.demo.mail_program import Attachment, DisplayedMail, NewMail, compose
from relay.demo.market import DemoMarket
from relay.demo.smtp_client import Dialogue, SmtpServer


class Mailer:
    """Sends the mails of all parties to the running daemon."""

    def __init__(self, market: DemoMarket, ports: ReadyPorts) -> None:
        self._market = market
        self.mx = SmtpServer(name="MX", port=ports.mx)
        self._submission_port = ports.submission

    def server_for(self, writer: DemoParty) -> SmtpServer:
        """Returns the server to which the writer's mail program sends mail."""
        if writer.role is Role.BUYER:
            return self.mx
        return SmtpServer(
            name="submission",
            port=self._submission_port,
            login=(writer.mailbox, writer.password),
            ca_file=str(self._market.certificate),
        )

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
        """Sends a mail to the alias `to` and returns the SMTP dialogue.

        If `from_address` is set, it replaces the writer's mailbox in the envelope and in From.
        """
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
        return await smtp_client.send(self.server_for(writer), address, to, compose(draft, datetime.now(UTC)))

    def alias(self, writer: DemoParty, to: DemoParty) -> str:
        """Returns the address at which `writer` reaches `to`."""
        return self._market.aliases[writer.ref, to.ref]


def misspelt(alias: str) -> str:
    """Returns the alias with its first letter changed, so that its check code no longer fits (R-ADR-02)."""
    return ("b" if alias[0] != "b" else "c") + alias[1:]
