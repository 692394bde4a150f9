"""The way in: what the receiving edge asks and tells, and who says who is writing."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from relay.core.model.facts import Authentication, Scan
from relay.core.model.message import Incoming, Peer
from relay.core.model.reply import Reply


class UnavailableError(Exception):
    """A thing outside is away for now: answer 451, keep nothing, try again later."""


class StoreFault(StrEnum):
    """Why the store takes no writes, as `/readyz` and `relay check` call it."""

    UNAVAILABLE = "store_unavailable"
    READ_ONLY = "store_read_only"
    """The database, or our role in it, allows no writes."""
    FULL = "store_full"


class StoreUnavailableError(UnavailableError):
    """The database said, of itself, that it cannot do this now. `words` is the first line of what it said, `code` its
    SQLSTATE, the name of an SQLite error, or that of an error of the connection."""

    def __init__(self, words: str, *, code: str, fault: StoreFault = StoreFault.UNAVAILABLE) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.fault = fault

    def copy(self) -> "StoreUnavailableError":
        """The same error, to be raised in another place: a traceback belongs to one."""
        return StoreUnavailableError(self.words, code=self.code, fault=self.fault)


class OvertakenError(UnavailableError):
    """Another took the last place of a quota meanwhile: the message is to be judged again."""


class Intake(Protocol):
    """What the receiving edge asks and tells; `intake` answers. Any exception is the caller's 451."""

    async def login(self, username: str, password: str) -> str | None:
        """The party id that this app password proves, or None. Constant-time in the password."""
        ...

    async def mail_from(self, peer: Peer, address: str) -> Reply:
        """Answers MAIL FROM; `address` is as written, "" for the null sender."""
        ...

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        """Answers RCPT TO; `address` is as written and grammatically valid. 550 5.1.1 is "unknown alias"."""
        ...

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        """One reply per accepted recipient, in order, after the commit. The SMTP edge folds them into one (all 250
        when any is), LMTP gives them all. Must not be cancelled once begun: the edge shields it."""
        ...


class Authenticator(Protocol):
    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:
        """Who wrote this, for a folded From address. DNS faults that could change the answer raise UnavailableError."""
        ...


class Scanner(Protocol):
    async def scan(self, content: bytes) -> Scan | None:
        """What the scanner says of a whole message. When it is away, its setting decides: None is `pass`, a Scan with
        AWAY is `hold`, UnavailableError is `tempfail`."""
        ...
