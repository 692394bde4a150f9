"""The detail of a record: the decision about the message and the values that it followed from (R-REC-01).

It holds ids, codes and numbers, no address and no text of the message. The store keeps it as JSON: a new field needs a
default for the rows of earlier versions, and a renamed field or value needs a migration.
"""

from dataclasses import dataclass
from enum import StrEnum

from relay.core.model.facts import Proof
from relay.core.model.message import Port
from relay.core.model.reason import ReasonCode


class RecordAction(StrEnum):
    """The decision about a message: the actions of a verdict, and those of mail that no policy judged."""

    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"
    CHECK = "check"
    """The writer only asked for the verdict (R-POL-19)."""
    REFUSE = "refuse"
    DUPLICATE = "duplicate"
    """The same signature came before, to the same alias (R-IN-09)."""
    OPERATOR = "operator"
    """Mail to a mailbox of the operator goes there as it came (R-IN-10)."""
    LETTER = "letter"
    """The relay itself wrote the message."""


class LetterType(StrEnum):
    """The type of a letter that the relay itself wrote."""

    DIGEST = "digest"
    ANNOUNCEMENT = "announcement"
    REPORT = "report"


class SenderListing(StrEnum):
    """The state of the writer's entry in the list of the party, with a value for writers without an entry."""

    APPROVED = "approved"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    RETIRED = "retired"
    UNLISTED = "unlisted"


class ListedBy(StrEnum):
    """The party on whose list the address of an unlisted writer stands. The record alone says so: no answer does."""

    OTHER_SIDE = "other_side"
    """The party that the mail goes to."""
    ANOTHER = "another"
    """An account of the marketplace that is no party of the pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReason:
    """A reason of the decision: its code, its rule, and its place in the message if it has one, as in `Span`."""

    code: ReasonCode
    rule: str
    part: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetail:
    """The detail of one record. `action` and `to_operator` are columns too, because queries ask for them.

    `action` is None only in rows of versions that did not store it. `port`, `tls`, `client_ip` and `to` describe the
    reception; `port` is None for letters. `to` is the role of the recipient or the name of the operator's mailbox, None
    for an unknown recipient. A tag may be any text, so `tagged` is only whether there was one; `other_tags` are the
    further orders and kinds that the tags named.

    The fields from `warnings` to `unsolicited` belong to judged mail; `proof` is None for mail that was not judged.
    `listed_by` is None for registered writers, and for addresses on no list. `kept_action` and `kept_reasons` are the
    verdict that a limit keeps back until its reset (R-POL-11). `authentication` has `method=result` texts such as
    "spf=pass"; `uncovered` are the names of header fields that act and that no signature covers, where signatures alone
    spoke for the writer (R-IN-09); `duplicate_of` is the record that was made when the same signature came first.
    `letter` is None for all mail but letters.
    """

    action: RecordAction | None = None
    port: Port | None = None
    tls: bool = False
    client_ip: str = ""
    size_bytes: int | None = None
    to: str | None = None
    tagged: bool = False
    other_tags: tuple[str, ...] = ()
    reasons: tuple[RecordedReason, ...] = ()
    authentication: tuple[str, ...] = ()
    warnings: tuple[ReasonCode, ...] = ()
    proof: Proof | None = None
    registered: bool = False
    sender_state: SenderListing = SenderListing.UNLISTED
    opted_out: bool = False
    automatic: bool = False
    to_operator: bool = False
    unsolicited: bool = False
    letter: LetterType | None = None
    uncovered: tuple[str, ...] = ()
    duplicate_of: str | None = None
    listed_by: ListedBy | None = None
    kept_action: RecordAction | None = None
    kept_reasons: tuple[RecordedReason, ...] = ()

    @property
    def reason_codes(self) -> tuple[ReasonCode, ...]:
        """The codes of the reasons, in their order."""
        return tuple(reason.code for reason in self.reasons)
