"""What the relay reads from a message's header before it decides anything."""

from dataclasses import dataclass
from enum import StrEnum


class Automatic(StrEnum):
    """RFC 3834 and the common markers (R-POL-14)."""

    NO = "no"
    REPLY = "reply"
    """Generated in answer to a message: out of office, receipts, bounces."""
    BULK = "bulk"
    """Generated without being asked: lists, newsletters, `Precedence: bulk`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`from_address` is folded, from a From field without defect and with one mailbox; `subject` decoded, unfolded;
    `references` are the ids of References then In-Reply-To without brackets, in order, each once, capped; `kind_mark`
    is the value of `X-Relay-Kind`, lower case, "" when absent; `own_marks` are the ids in our own loop-mark fields;
    `hops` counts Received fields."""

    from_address: str
    from_name: str
    subject: str
    message_id: str
    references: tuple[str, ...]
    automatic: Automatic
    kind_mark: str
    own_marks: tuple[str, ...]
    hops: int
