"""An outgoing envelope as SMTP commands: only this module turns addresses into bytes of the protocol.

The addresses are first checked by the strict grammar of `core.mail.address`. It allows no control character, no
unquoted space and no angle bracket, so that no address can end a command or add a parameter.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from relay.core.mail import address
from relay.edge.smtp_client import ClientSession, Phase
from relay.ports import Delivery, Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The sender, the recipient and the content of one SMTP transaction.

    `mail_from` and `rcpt_to` are in the form in which they are sent, without angle brackets. `domain` is the folded
    domain of the recipient. `downgrade` makes the content for a server that lacks an extension which the content needs
    (`Outgoing.downgraded`).
    """

    mail_from: str
    rcpt_to: str
    domain: str
    needs_smtputf8: bool
    has_8bit: bool
    content: bytes
    downgrade: Callable[[bool], Awaitable[bytes]] | None = None

    @classmethod
    def of(cls, outgoing: Outgoing) -> "Envelope | Delivery":
        """Returns the envelope, or a failed Delivery if one of the addresses is not valid.

        The enhanced code is 5.1.7 for the sender's address and 5.1.3 for the recipient's address (RFC 3463).
        """
        try:
            mail_from = _wire_form(outgoing.mail_from) if outgoing.mail_from else ""  # RFC 5321 §4.5.5
        except address.AddressError as error:
            return _unsendable("mail", 553, "5.1.7", str(error))
        try:
            rcpt_to = _wire_form(outgoing.rcpt_to)
        except address.AddressError as error:
            return _unsendable("rcpt", 553, "5.1.3", str(error))
        return cls(
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            domain=rcpt_to.rpartition("@")[2],
            needs_smtputf8=not (mail_from + rcpt_to).isascii(),
            has_8bit=not outgoing.content.isascii(),
            content=outgoing.content,
            downgrade=outgoing.downgraded,
        )

    def fits(self, offers: dict[str, str]) -> bool:
        """Returns whether the content may be sent unchanged to a server with these extensions."""
        return self.downgrade is None or not self.has_8bit or "smtputf8" in offers

    async def fitted(self, offers: dict[str, str]) -> "Envelope":
        """Returns the envelope with content that fits the server's extensions; `self` if nothing has to change.

        Raises the errors of `Outgoing.downgraded`.
        """
        if self.downgrade is None or self.fits(offers):
            return self
        content = await self.downgrade("8bitmime" in offers)
        return self if content is self.content else replace(self, content=content, has_8bit=not content.isascii())

    def unfit(self, session: ClientSession) -> Delivery | None:
        """Returns the refusal that is certain from the server's extensions; None if the message may be sent."""
        if self.needs_smtputf8 and "smtputf8" not in session.offers:
            return _unsendable("mail", 550, "5.6.7", "the server does not accept international addresses", session)
        most = session.offers.get("size", "")
        # RFC 1870 §3: a missing number and 0 both mean "no fixed limit".
        if most.isdecimal() and 0 < int(most[:19]) < len(self.content):
            return _unsendable("mail", 552, "5.3.4", f"the server accepts messages of up to {most[:19]} bytes", session)
        return None

    def mail(self, offers: dict[str, str]) -> bytes:
        """Returns the MAIL command without its line end, with the parameters that the server offers."""
        command = f"MAIL FROM:<{self.mail_from}>".encode()
        if "size" in offers:
            command += b" SIZE=%d" % len(self.content)
        if self.has_8bit and "8bitmime" in offers:
            command += b" BODY=8BITMIME"
        if self.needs_smtputf8:
            command += b" SMTPUTF8"
        return command

    def rcpt(self) -> bytes:
        """Returns the RCPT command without its line end."""
        return f"RCPT TO:<{self.rcpt_to}>".encode()


def _wire_form(text: str) -> str:
    """Returns the address with its domain in A-labels (RFC 5890). Raises AddressError."""
    local, domain = address.split(text)
    return f"{address.sendable_local_part(local)}@{address.fold_domain(domain)}"


def _unsendable(phase: Phase, code: int, enhanced: str, text: str, session: ClientSession | None = None) -> Delivery:
    return Delivery(
        accepted=False,
        permanent=True,
        code=code,
        enhanced=enhanced,
        text=text,
        phase=phase,
        host=session.host if session else "",
        tls=session.tls if session else "",
    )
