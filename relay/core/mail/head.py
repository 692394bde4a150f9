"""Reads the header of a message: its From address, its subject, the messages it answers, whether a program wrote it.

A From field that is not exactly one mailbox is an error (HeadError). Any other invalid field is read in a defined way
and is never an error.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core.mail import mailbox, message_ids, words
from relay.core.mail.mime import Part, body_start, field_text, raw_value


class Automatic(StrEnum):
    """Whether a program wrote the message (R-POL-14).

    RFC 3834 and the other common header fields show NO, REPLY or BULK; the thread shows TYPED.
    """

    NO = "no"
    REPLY = "reply"
    """A program wrote the message in reply to another one: an out-of-office reply, a receipt or a bounce."""
    BULK = "bulk"
    """A program sent the message, but not in reply: mail of a list, a newsletter, or mail with `Precedence: bulk`."""
    TYPED = "typed"
    """The message is marked as BULK, but answers a mail of the pair: help desks mark what a person typed.

    It counts as written by a person (`core.policy.automation`), except that it gets no notice.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The values of a message's header that decisions depend on.

    `from_address` is the address of the From field, folded as by `address.fold`; `from_name` is its display name, ""
    if it has none. `subject` is decoded, on one line. `message_id` is without angle brackets, "" if it is missing.
    `references` are the message ids of References, then those of In-Reply-To, as `message_ids.ids` returns them.
    `kind_mark` is the first word of `X-Relay-Kind` in lower case, "" if the field is missing. `own_marks` are the
    addresses in the `X-Relay-Loop` fields, in lower case. `hops` is the number of Received fields.
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
"""The local part of the address in the loop mark of mail to an operator, such as `operator@market.example`."""
KIND_MARK: Final = "x-relay-kind"

_MAX_WORD: Final = 255
_MAX_TEXT: Final = 10_000
_TRACE_BYTES: Final = 262_144
"""The number of octets in which trace fields are searched. Servers write trace fields at the top of the header, and no
real mail has a longer header."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_RECEIVED: Final = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OPERATOR_MARK: Final = re.compile(
    rf"^{LOOP_MARK}[ \t]*:[ \t]*{OPERATOR}@([a-z0-9.-]{{1,255}})".encode(), re.IGNORECASE | re.MULTILINE
)
_FIRST_WORD: Final = re.compile(r"[\s;(]")

# Fields of automatic replies and of bulk mail, besides Auto-Submitted (RFC 3834). X-Auto-Response-Suppress is not in
# the list, because Outlook adds it to mail that people write.
_REPLY_FIELDS: Final = frozenset(
    {
        "x-autoreply",
        "x-autorespond",
        "x-autoresponder",
        "x-failed-recipients",
        "x-mail-autoreply",
        "x-ms-exchange-generated-message-source",
    }
)
_BULK_FIELDS: Final = frozenset({"list-id", "list-unsubscribe", "list-post", "x-mailing-list"})
_PRECEDENCE: Final = {
    "auto_reply": Automatic.REPLY,
    "auto-reply": Automatic.REPLY,
    "bulk": Automatic.BULK,
    "list": Automatic.BULK,
    "junk": Automatic.BULK,
}
_VACATION: Final = re.compile(
    r"""
    [\[【［(（]?
    (?: automatic\ reply | auto[-\ ]?reply | out\ of\ (?:the\ )? office (?:\ reply)?
      | automatische\ antwort | réponse\ automatique | respuesta\ automática | risposta\ automatica
      | 自動応答 | 自動返信 | 不在応答 )
    (?: [:：\]】］)）] | \Z )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""The subjects of vacation replies, as mail servers and mail programs begin them."""
_RECEIPTS: Final = frozenset(
    {
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/delivery-status",
        "message/global-delivery-status",
    }
)
_MARKERS: Final = _REPLY_FIELDS | _BULK_FIELDS | {"auto-submitted", "precedence"}


class HeadError(ValueError):
    """The From field is missing, occurs several times, or is not exactly one mailbox.

    The error message may be used in the text of an SMTP reply.
    """


def read_head(content: bytes, root: Part) -> Head:
    """Returns the values of the header that decisions depend on; `root` is the result of `mime.split`.

    Raises HeadError if the From field is missing, occurs several times, or is not exactly one mailbox.
    """
    writer = _writer(content, root)
    own_ids = message_ids.ids(content, root, "message-id")
    subject = root.first("subject")
    kind = root.first(KIND_MARK)
    decoded = _one_line(words.decode(raw_value(content, subject), root.hint.charset)) if subject else ""
    return Head(
        from_address=writer.address,
        from_name=_one_line(writer.name),
        subject=decoded,
        message_id=own_ids[0] if own_ids else "",
        references=message_ids.ids(content, root, "references", "in-reply-to"),
        automatic=Automatic.REPLY if _VACATION.match(decoded) else automatic(content, root),
        kind_mark=_first_word(field_text(content, kind)) if kind else "",
        own_marks=loop_marks(content, root),
        hops=sum([field.name == "received" for field in root.fields]),
    )


def without(root: Part, names: frozenset[str]) -> Part:
    """Returns the root part of a message without the header fields called one of `names` (lower case)."""
    return root._replace(fields=tuple(field for field in root.fields if field.name not in names))


def hops(content: bytes) -> int:
    """Returns how many servers a mail has passed: the number of its Received fields (RFC 5321 §6.3).

    This works for invalid mail too, because only its header is searched.
    """
    return len(_RECEIVED.findall(content, 0, min(body_start(content), _TRACE_BYTES)))


def operator_marks(content: bytes) -> tuple[str, ...]:
    """Returns the alias domains to whose operator the relay has already sent this mail.

    They are found in the loop marks by a search of the header, so this works for invalid mail too. Mail to an operator
    is not rewritten. It may also be relayed mail that a party reports, so only this mark shows that it is in a loop.
    """
    found = _OPERATOR_MARK.findall(content, 0, min(body_start(content), _TRACE_BYTES))
    return tuple(domain.decode("ascii").lower() for domain in found)


def automatic(content: bytes, root: Part) -> Automatic:
    """Returns whether a program wrote the message (RFC 3834 §5, R-POL-14).

    Receipts and delivery reports count as replies.
    """
    if root.content_type == "multipart/report" or is_receipt(root):
        return Automatic.REPLY
    found = Automatic.NO
    for field in root.fields:
        if field.name in _MARKERS:
            said = _said(field.name, _first_word(field_text(content, field)))
            if said is Automatic.REPLY:
                return said
            found = found if said is Automatic.NO else said
    return found


def is_receipt(root: Part) -> bool:
    """Returns whether the message is a read receipt or a delivery receipt (RFC 8098, RFC 3464, RFC 6533).

    A mailing list or a gateway may have put the report into another multipart. A forwarded receipt does not count: a
    person who forwards a report attaches it as a message, or attaches its parts.
    """
    if root.content_type == "multipart/report":
        names = {
            f"message/{root.params.get('report-type', '').lower()}",
            *(part.content_type for part in root.children),
        }
        return not names.isdisjoint(_RECEIPTS)
    is_alone = not root.path and root.content_type in _RECEIPTS
    return is_alone or (root.content_type.startswith("multipart/") and any(map(is_receipt, root.children)))


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
    """Returns the addresses in the message's `X-Relay-Loop` fields, in lower case; they show a mail loop (R-OUT-08)."""
    name = LOOP_MARK.lower()
    return tuple(_first_word(field_text(content, field)) for field in root.fields if field.name == name)


def _writer(content: bytes, root: Part) -> mailbox.Mailbox:
    fields = [field for field in root.fields if field.name == "from"]
    if len(fields) != 1:
        raise HeadError("the message has no From field" if not fields else "the message has several From fields")
    try:
        return mailbox.read(raw_value(content, fields[0]), root.hint.charset)
    except mailbox.MailboxError as error:
        raise HeadError(f"the From field is not one mailbox: {error}") from error


def _one_line(text: str) -> str:
    """Returns the first `_MAX_TEXT` characters, with each run of control characters and line ends replaced by a space.

    An encoded word may contain such characters, and they must not get into stored texts and notices.
    """
    return _CONTROL.sub(" ", text[:_MAX_TEXT]).strip()


def _first_word(text: str) -> str:
    return _FIRST_WORD.split(text.strip().lower(), maxsplit=1)[0][:_MAX_WORD]
