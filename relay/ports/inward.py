"""The ports of incoming mail: questions of the SMTP server about a transaction, and checks that need other programs."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from relay.core.bounce.origin import ReportOrigin
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Scan
from relay.core.model.message import Incoming, Peer
from relay.core.model.reply import Reply


class UnavailableError(Exception):
    """Raised if a service that the relay depends on cannot be used now.

    The client gets the reply 451, or 454 for AUTH, and tries again later.
    """


class BusyError(UnavailableError):
    """Raised if too many tasks of this kind wait already, so that a further one is refused."""


class StoreFault(StrEnum):
    """The cause for which the store accepts no writes, under the name that `/readyz` and `relay check` show."""

    UNAVAILABLE = "store_unavailable"
    READ_ONLY = "store_read_only"
    """The database allows no writes, or the relay's database role has no right to write."""
    FULL = "store_full"


class StoreUnavailableError(UnavailableError):
    """Raised if the database reports that it cannot carry out this operation now.

    `words` is the first line of the database's error text. `code` is the SQLSTATE, the name of an SQLite error, or the
    name of a connection error. `fault` is the cause in the words of the status page.
    """

    def __init__(self, words: str, *, code: str, fault: StoreFault = StoreFault.UNAVAILABLE) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.fault = fault

    def copy(self) -> "StoreUnavailableError":
        """Returns an equal error, so that each caller raises an object of its own, with a traceback of its own."""
        return StoreUnavailableError(self.words, code=self.code, fault=self.fault)


class OvertakenError(UnavailableError):
    """Raised if a concurrent transaction has changed a value on which the judgement was based.

    For example, that transaction took the last place of a quota, or brought a message with the same signature. The
    message must be judged again.
    """


class Intake(Protocol):
    """Answers the questions of the SMTP server at each command of a transaction.

    If a method raises an exception, the server replies 451; if the command is AUTH and the exception is
    UnavailableError, it replies 454.
    """

    async def remembered_login(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose app password this is, if `login` has accepted the password recently.

        Returns None otherwise. The method costs one look-up and no slow hash; therefore the caller needs neither a
        limit nor a queue before the call. Raises UnavailableError.
        """
        ...

    async def login(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose app password this is; None for a wrong user name or password.

        The check of an unknown user name takes the same work as the check of a user name with one or two passwords, so
        that the time does not show which names exist. Raises UnavailableError; BusyError, which is a kind of it, if too
        many passwords wait for their check.
        """
        ...

    async def mail_from(self, peer: Peer, address: str) -> Reply:
        """Returns the reply to MAIL FROM. `address` is as the client wrote it, and "" for the null sender."""
        ...

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        """Returns the reply to RCPT TO. `address` is as the client wrote it, and is grammatically valid.

        The reply 550 5.1.1 means that the alias is unknown. Raises UnavailableError.
        """
        ...

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        """Stores the message of a transaction, and returns one reply for each accepted recipient, in their order.

        The result is committed before the method returns. The SMTP server merges the replies into one, which is 250 if
        one of them is 250; the LMTP server sends all of them. A cancellation ends this method, unless the message is
        being written. After it, and after UnavailableError, the client sends the whole message again, but bounce
        reports in the transaction may be stored already.
        """
        ...


class Authenticator(Protocol):
    """Proves that the owner of the address in the From field wrote a message. Several calls may run at once."""

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        """Returns the proofs that the owner of the folded address `from_address` wrote the message.

        `root` is the message as the relay reads it; it is used to find out whether a signature covers the fields and
        parts that have an effect. Raises UnavailableError if a DNS look-up failed that could change the result.
        """
        ...

    async def origin(self, incoming: Incoming, domain: str, *, by_dns: bool) -> ReportOrigin:
        """Returns the origin of a report about a message to `domain`, which is a folded domain or "".

        Raises nothing. A property whose DNS look-up takes longer than half a minute is not proven. If `by_dns` is
        False, nothing is looked up, and the origin has only the client's IP address.
        """
        ...


class Scanner(Protocol):
    """Examines messages for viruses or spam. Several calls may run at once."""

    async def scan(self, content: bytes) -> Scan | None:
        """Returns the scanner's result for a whole message.

        If the scanner is unavailable, the result depends on the scanner's setting. With `pass` the method returns None.
        With `hold` it returns a Scan with the result AWAY (unavailable). With `tempfail` it raises UnavailableError.

        A message that is too big for the scanner gets None under `pass`, and a Scan with AWAY under the other two
        settings, because the message would be too big at the next attempt also. No other error is raised.
        """
        ...
