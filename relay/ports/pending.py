"""The values about mail and senders that wait for the owner of an account: questions, places and limits (R-SND-02)."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.sender import Sender
from relay.core.signed_link import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRequest:
    """A question to the owner of an account, about a pending sender or about an unproven message (R-IN-09).

    `subject_id` is the id of the sender or of the message, as `purpose` says. A question about a sender can be put
    again when no earlier mail of the sender is held.
    """

    subject_id: str
    party_id: str
    pair_id: str
    purpose: Purpose
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A question that has not been put to the owner of the account yet.

    `sender` is the entry for the From address. `held` is the number of messages that wait for the answer; 0 means that
    the question is no longer needed.
    """

    request: OwnerRequest
    sender: Sender
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The limited places for the unlisted senders of a party whose mail may wait for the party's decision.

    - `number` is the number of places, and one of them is kept for senders at the domain of `mailbox`.
    - Mail that was received after `since` counts towards the limits of its writer.
    - All addresses of one organizational domain (the registered domain) take one place together; at a domain in
      `providers`, such as a public mail provider, each address takes a place of its own.
    """

    number: int
    mailbox: str | None
    since: datetime
    providers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimit:
    """The limits within which the mail of one transaction may wait for the owner's decision (R-SND-02).

    `sender_id` is the entry of the writer in the list of senders. `mails` and `size_bytes` are the highest allowed
    number and total size of the writer's mail, as `SenderStore.waiting` counts it.
    """

    party_id: str
    sender_id: str
    places: Places
    mails: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sender that waits for the decision of the account's owner.

    `since` is the start of the wait, and `held` the number of messages that wait for the decision (R-SND-02).
    """

    sender: Sender
    since: datetime
    held: int
