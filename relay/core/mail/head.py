"""Reads the header of a message: its writer, its subject, the messages it answers, and whether a program wrote it.

Raises HeadError if the writer is not beyond doubt; everything else that is broken has a defined reading.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core.mail import mailbox, message_ids
from relay.core.mail.mime import Part, body_start, field_text, raw_value


class Automatic(StrEnum):
    """Whether a program wrote the message: RFC 3834 and the common markers (R-POL-14)."""

    NO = "no"
    REPLY = "reply"
    """A program wrote it in reply to a message: out of office, receipts, bounces."""
    BULK = "bulk"
    """A program sent it unasked: lists, newsletters, `Precedence: bulk`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The header fields that decisions depend on.

    `from_address` is folded; it comes from a From field without defect and with one mailbox. `subject` is decoded and
    unfolded. `references` are the ids of References, then of In-Reply-To, without brackets, in order, each once; a long
    list is shortened. `kind_mark` is the value of `X-Relay-Kind` in lower case, "" if it is absent. `own_marks` are the
    ids in our own loop-mark fields. `hops` is the number of Received fields.
    """

    from_address: str
    from_name: str
    subject: str
    message_id: str
    references: tuple[str, ...]
    automatic: Automatic
    kind_mark: str
    own_marks: tuple[str, ...]
    hops: int


LOOP_MARK: Final = "X-Relay-Loop"
OPERATOR: Final = "operator"
"""The local part in the loop mark of mail to an operator, as in `operator@market.example`."""
KIND_MARK: Final = "x-relay-kind"

_MAX_WORD: Final = 255
_MAX_TEXT: Final = 10_000
_TRACE_BYTES: Final = 262_144
"""Servers write their trace fields at the top; a header that is longer than this is no mail's."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_RECEIVED: Final = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OPERATOR_MARK: Final = re.compile(
    rf"^{LOOP_MARK}[ \t]*:[ \t]*{OPERATOR}@([a-z0-9.-]{{1,255}})".encode(), re.IGNORECASE | re.MULTILINE
)
_FIRST_WORD: Final = re.compile(r"[\s;(]")

# Markers of automatic replies and of bulk mail, beside the field of RFC 3834. X-Auto-Response-Suppress is not among
# them, because Outlook writes it into mail of people.
_REPLY_FIELDS: Final = frozenset({"x-autoreply", "x-autorespond", "x-autoresponder", "x-failed-recipients"})
_BULK_FIELDS: Final = frozenset({"list-id", "list-unsubscribe", "list-post", "x-mailing-list"})
_PRECEDENCE: Final = {
    "auto_reply": Automatic.REPLY,
    "auto-reply": Automatic.REPLY,
    "bulk": Automatic.BULK,
    "list": Automatic.BULK,
    "junk": Automatic.BULK,
}
_MARKERS: Final = _REPLY_FIELDS | _BULK_FIELDS | {"auto-submitted", "precedence"}


class HeadError(ValueError):
    """The header does not say beyond doubt which mailbox wrote it.

    The message of the error can stand in a reply's text.
    """


def read_head(content: bytes, root: Part) -> Head:
    """Returns the header fields that decisions depend on. Raises HeadError."""
    writer = _writer(content, root)
    own_ids = message_ids.ids(content, root, "message-id")
    subject = root.first("subject")
    kind = root.first(KIND_MARK)
    return Head(
        from_address=writer.address,
        from_name=_one_line(writer.name),
        subject=_one_line(field_text(content, subject)) if subject else "",
        message_id=own_ids[0] if own_ids else "",
        references=message_ids.ids(content, root, "references", "in-reply-to"),
        automatic=automatic(content, root),
        kind_mark=_first_word(field_text(content, kind)) if kind else "",
        own_marks=loop_marks(content, root),
        hops=sum(field.name == "received" for field in root.fields),
    )


def without(root: Part, names: frozenset[str]) -> Part:
    """Returns the message as if its header had no fields of these names (lower case)."""
    return root._replace(fields=tuple(field for field in root.fields if field.name not in names))


def hops(content: bytes) -> int:
    """Returns how many servers a mail has passed, also for a mail that cannot be read otherwise (RFC 5321 §6.3)."""
    return len(_RECEIVED.findall(content, 0, min(body_start(content), _TRACE_BYTES)))


def operator_marks(content: bytes) -> tuple[str, ...]:
    """Returns the domains whose operator has had this mail already, also for a mail that cannot be read otherwise.

    Mail to an operator is not rewritten, and may be relayed mail that a party reports: only this mark ends its loops.
    """
    found = _OPERATOR_MARK.findall(content, 0, min(body_start(content), _TRACE_BYTES))
    return tuple(domain.decode("ascii").lower() for domain in found)


def automatic(content: bytes, root: Part) -> Automatic:
    """Returns whether a program wrote this (RFC 3834 §5, R-POL-14). Receipts and delivery reports are replies."""
    if root.content_type == "multipart/report":
        return Automatic.REPLY
    found = Automatic.NO
    for field in root.fields:
        if field.name in _MARKERS:
            said = _said(field.name, _first_word(field_text(content, field)))
            if said is Automatic.REPLY:
                return said
            found = found if said is Automatic.NO else said
    return found


def _said(name: str, word: str) -> Automatic:
    if word == "no":
        return Automatic.NO
    if name in _REPLY_FIELDS:
        return Automatic.REPLY
    if name in _BULK_FIELDS:
        return Automatic.BULK
    if name == "precedence":
        return _PRECEDENCE.get(word, Automatic.NO)
    if word == "auto-replied":
        return Automatic.REPLY
    return Automatic.BULK if word else Automatic.NO


def loop_marks(content: bytes, root: Part) -> tuple[str, ...]:
    """Returns the domains of the relays that this message has passed (R-OUT-08)."""
    name = LOOP_MARK.lower()
    return tuple(_first_word(field_text(content, field)) for field in root.fields if field.name == name)


def _writer(content: bytes, root: Part) -> mailbox.Mailbox:
    fields = [field for field in root.fields if field.name == "from"]
    if len(fields) != 1:
        raise HeadError("the message has no From field" if not fields else "the message has several From fields")
    try:
        return mailbox.read(raw_value(content, fields[0]))
    except mailbox.MailboxError as error:
        raise HeadError(f"the From field is not one mailbox: {error}") from error


def _one_line(text: str) -> str:
    """Returns at most `_MAX_TEXT` characters, with each run of control characters and line ends as one space.

    Encoded-words can contain such characters, and the result is stored and quoted.
    """
    return _CONTROL.sub(" ", text[:_MAX_TEXT]).strip()


def _first_word(text: str) -> str:
    return _FIRST_WORD.split(text.strip().lower(), maxsplit=1)[0][:_MAX_WORD]
