"""The way in: the questions of the receiving edge, and the checks of a message that ask another program."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from relay.core.bounce.origin import ReportOrigin
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Scan
from relay.core.model.message import Incoming, Peer
from relay.core.model.reply import Reply


class UnavailableError(Exception):
    """A dependency is temporarily unavailable. The client gets 451, or 454 for AUTH, and tries again later."""


class BusyError(UnavailableError):
    """Too much work of this kind waits already."""


class StoreFault(StrEnum):
    """Why the store takes no writes, as `/readyz` and `relay check` call it."""

    UNAVAILABLE = "store_unavailable"
    READ_ONLY = "store_read_only"
    """The database, or our role in it, allows no writes."""
    FULL = "store_full"


class StoreUnavailableError(UnavailableError):
    """The database said, of itself, that it cannot do this now.

    `words` is the first line of what it said, `code` its SQLSTATE, the name of an SQLite error, or that of an error of
    the connection.
    """

    def __init__(self, words: str, *, code: str, fault: StoreFault = StoreFault.UNAVAILABLE) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.fault = fault

    def copy(self) -> "StoreUnavailableError":
        """Returns the same error, to be raised in another place: a traceback belongs to one place."""
        return StoreUnavailableError(self.words, code=self.code, fault=self.fault)


class OvertakenError(UnavailableError):
    """A concurrent message took the last place of a quota, or came by the same signature: judge the message again."""


class Intake(Protocol):
    """Answers the receiving edge at each step of a transaction.

    For any exception the edge answers 451, but 454 to AUTH for UnavailableError.
    """

    async def remembered_login(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose app password this is, if `login` has lately found it right.

        It costs one look-up and no slow hash, so that neither limits nor a queue need to stand before it. Raises
        UnavailableError.
        """
        ...

    async def login(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose app password this is, or None.

        An unknown user name takes as much work as one with one or two passwords. Raises UnavailableError, which is
        BusyError when too many passwords wait for their check.
        """
        ...

    async def mail_from(self, peer: Peer, address: str) -> Reply:
        """Returns the reply to MAIL FROM; `address` is as it was written, "" for the null sender."""
        ...

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        """Returns the reply to RCPT TO; `address` is as it was written and grammatically valid.

        550 5.1.1 means that the alias is unknown. Raises UnavailableError.
        """
        ...

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        """Returns one reply for each accepted recipient, in their order, after the commit.

        The SMTP edge merges them into one, which is 250 if one of them is; LMTP sends them all. It must not be
        cancelled: the edge shields it. After UnavailableError the client sends all of it again; bounce reports in it
        may be stored already.
        """
        ...


class Authenticator(Protocol):
    """Proves that a message was written by the address in its From field. Several calls may run at once."""

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        """Returns the proofs that the message was written by the folded From address.

        `root` is the message as the relay reads it, for the question whether a signature covers what acts.

        Raises UnavailableError for a DNS fault that could change the result.
        """
        ...

    async def origin(self, incoming: Incoming, destination: str, *, by_dns: bool) -> ReportOrigin:
        """Returns the origin of a report about a message to `destination`, a folded domain or "".

        Nothing is raised: what DNS does not answer within half a minute is not proven. Without `by_dns` nothing is
        looked up, and the origin has the client's address only.
        """
        ...


class Scanner(Protocol):
    """Looks for viruses and spam. Several calls may run at once."""

    async def scan(self, content: bytes) -> Scan | None:
        """Returns the scanner's result for a whole message.

        If the scanner is unavailable, its setting decides: `pass` returns None, `hold` returns a Scan with AWAY, and
        `tempfail` raises UnavailableError. A message that is too big for the scanner gets None under `pass` and a Scan
        with AWAY under the other two, because it would be too big at the next attempt also. Nothing else is raised.
        """
        ...
