"""The detail of a record: the decision about the message, and the values on which the decision was based (R-REC-01).

The detail holds ids, codes and numbers, and neither an address nor text of the message. The store keeps it as JSON.
Therefore a new field needs a default for the rows of earlier versions, and a renamed field or value needs a migration.
"""

from dataclasses import dataclass
from enum import StrEnum

from relay.core.model.facts import Proof
from relay.core.model.message import Port
from relay.core.model.order import OrderEvidence
from relay.core.model.reason import ReasonCode


class RecordAction(StrEnum):
    """The decision about a message: an action of a verdict, or an action for mail that no policy judged."""

    RELAY = "relay"
    HOLD = "hold"
    RETURN = "return"
    CHECK = "check"
    """The writer only asked for the verdict, by mail to `check+ALIAS` (R-POL-19)."""
    REFUSE = "refuse"
    DUPLICATE = "duplicate"
    """A message with the same signature was sent to the same alias before (R-IN-09)."""
    OPERATOR = "operator"
    """The message is sent unchanged to a mailbox of the operator (R-IN-10)."""
    LETTER = "letter"
    """The relay itself wrote the message."""


class LetterType(StrEnum):
    """The type of a letter that the relay itself wrote."""

    DIGEST = "digest"
    ANNOUNCEMENT = "announcement"
    REPORT = "report"


class SenderListing(StrEnum):
    """The state of the writer's address in the party's list of senders, with a value for an address on no list."""

    APPROVED = "approved"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    RETIRED = "retired"
    UNLISTED = "unlisted"


class ListedBy(StrEnum):
    """The party whose list has the address of an unlisted writer.

    Only the record shows it, never an answer to a client.
    """

    OTHER_SIDE = "other_side"
    """The recipient of the message, which is the other party of the pair."""
    ANOTHER = "another"
    """An account of the marketplace that is no party of the pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReason:
    """A reason of the decision: its code and its rule.

    `part`, `start` and `end` are the place in the message, as in `Span`; they are None for a reason without a place.
    """

    code: ReasonCode
    rule: str
    part: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvidence:
    """A phrase that showed the kind of the message: its topic, its weight, and its place in the message."""

    topic: str
    weight: float
    part: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDetail:
    """The detail of one record. `action` and `to_operator` are also columns of the table, because queries use them.

    - `action` is None only in rows of versions that did not store it.
    - `port`, `tls` and `to` describe the reception. `port` is None for letters. `to` is the role of the
      recipient or the name of the operator's mailbox, and None for an unknown recipient.
    - `tagged` says whether the recipient address had a tag. The tag itself is not kept, because it may be any text.
      `other_tags` are the further orders and kinds that the tags named.
    - `order_evidence` says how the order of the message is known, None for mail about no order. `thread_order` is the
      id of the order that the answered messages are about, if it is another one.
    - The fields from `warnings` to `unsolicited` belong to judged mail. `proof` is None for mail that was not judged.
    - `listed_by` is None for a registered writer, and for an address on no list.
    - `kept_action` and `kept_reasons` are the verdict that takes effect when the limit which holds the message is reset
      (R-POL-11), and for an unregistered writer only after the owner has approved the writer.
    - `evidence` are the phrases from which the kind was inferred (R-POL-21). It is empty if the writer or the thread
      gave the kind, and in records of earlier versions.
    - `authentication` has texts of the form `method=result`, such as "spf=pass".
    - `uncovered` has the names of the header fields that have an effect and that no signature covers, for a message
      whose writer is proven only by signatures (R-IN-09).
    - `duplicate_of` is the id of the record of the first message with the same signature.
    - `letter` is None for all mail except letters.
    """

    action: RecordAction | None = None
    port: Port | None = None
    tls: bool = False
    size_bytes: int | None = None
    to: str | None = None
    tagged: bool = False
    other_tags: tuple[str, ...] = ()
    order_evidence: OrderEvidence | None = None
    thread_order: str | None = None
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
    evidence: tuple[RecordedEvidence, ...] = ()

    @property
    def reason_codes(self) -> tuple[ReasonCode, ...]:
        """Returns the codes of the reasons, in the order of `reasons`."""
        return tuple(reason.code for reason in self.reasons)
