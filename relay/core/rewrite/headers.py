"""The pass that makes the outgoing header: builds From, and keeps only listed fields, each in its plainest form.

A list of fields to remove would always be incomplete, so this module lists the fields that may pass (R-REW-02).
Dispatch adds To and Received when the mailbox is known. `threads` adds Message-ID, In-Reply-To and References. Reply-To
is dropped, because its value would equal From.
"""

import re
from collections.abc import Callable
from typing import Final

from relay.core.mail import date, guess, head, mime, words
from relay.core.mail.head import Automatic
from relay.core.mail.header_end import HeaderField
from relay.core.mail.mime import Part, raw_value
from relay.core.rewrite.plan import NOT_LISTED, Change, Draft, Plan

_MAX_NAME: Final = 128
_LONGEST_KEPT: Final = 900  # below 998 (RFC 5322 §2.1.1): leaves space for the name, and for scrubbing
_PLAIN: Final = re.compile(rb"(?>(?:[\t ]*+[!-~][\t -~]*+\r\n)+)\Z")
_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_UNPRINTABLE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_COMMENT: Final = re.compile(rb"(?<![ \t])[ \t]*+(?:\([^()]*+\)[ \t]*+)+")

_WORD: Final = re.compile(rb"(?i:high|normal|low|urgent|non-urgent|[1-5])\Z")
_LANGUAGES: Final = re.compile(rb"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8})*(?:[ \t]*,[ \t]*[A-Za-z0-9-]{1,35}){0,9}\Z")
_ENCODING: Final = re.compile(rb"[A-Za-z0-9-]{1,40}\Z")
_DOMAIN: Final = re.compile(rb"[A-Za-z0-9.-]{1,253}\Z")

_AUTO_SUBMITTED: Final = {Automatic.REPLY: "auto-replied", Automatic.BULK: "auto-generated"}

# Returns the outgoing raw value of a field, with leading space and final CRLF; None if the field is dropped.
_Form = Callable[[bytes, HeaderField, Part], bytes | None]


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft with the first fields of the outgoing header. Runs as the first pass.

    If a field name occurs several times, only the first field that can be read is kept; but all loop marks are kept
    (R-OUT-08). Every dropped field is listed as a `Change`.
    """
    fields: list[tuple[str, bytes]] = [("From", _from(plan))]
    changes: list[Change] = []
    seen: set[str] = set()
    for field in draft.root.fields:
        listed = _ALLOWED.get(field.name)
        value = None
        if listed is None:
            why = _WHY.get(field.name, NOT_LISTED)
        elif field.name in seen:
            why = "may occur only once"
        else:
            value = listed[1](draft.content, field, draft.root)
            why = "cannot be read"
        if listed is None or value is None:
            changes.append(Change("header dropped", field.name, field.start, field.end, why))
            continue
        if field.name != _LOOP_MARK:
            seen.add(field.name)
        if value.strip() != draft.content[field.value_start : field.end].strip():
            changes.append(Change("header rewritten", field.name, field.start, field.end, _PLAINEST))
        fields.append((listed[0], value))
    automatic = _AUTO_SUBMITTED.get(head.automatic(draft.content, draft.root))
    if automatic:
        fields.append(("Auto-Submitted", _line(automatic)))
    fields.append(("MIME-Version", b" 1.0\r\n"))
    fields.append((head.LOOP_MARK, _line(plan.domain)))
    return draft._replace(fields=(*draft.fields, *fields), changes=(*draft.changes, *changes))


def _line(text: str) -> bytes:
    return f" {text}\r\n".encode("ascii")


def _from(plan: Plan) -> bytes:
    """Returns the From value (RFC 5322 §3.4).

    The display name was approved by the marketplace and may contain any character.
    """
    name = _UNPRINTABLE.sub(" ", plan.from_name).strip()[:_MAX_NAME]
    if not name:
        return _line(plan.from_address)
    if not name.isascii():
        return b" " + words.encode(name) + f"\r\n <{plan.from_address}>\r\n".encode("ascii")
    if not _PHRASE.match(name) or "=?" in name:
        name = words.quoted(name)
    fold = "\r\n" if len(name) + len(plan.from_address) > 68 else ""
    return _line(f"{name}{fold} <{plan.from_address}>")


def _is_plain(value: bytes) -> bool:
    """Returns whether the value can pass unchanged.

    Such a value is printable ASCII, and none of its lines is blank or too long.
    """
    return bool(_PLAIN.match(value)) and max(map(len, value.split(b"\r\n"))) <= _LONGEST_KEPT


def _text(content: bytes, field: HeaderField, root: Part) -> bytes | None:
    value = content[field.value_start : field.end]
    if _is_plain(value):
        return value if value[:1] in b" \t" else b" " + value
    raw = raw_value(content, field)
    if not raw.isascii() and b"=?" not in raw and not guess.charset(raw, root.hint.charset):
        return b" " + words.encode_unknown(raw) + b"\r\n"
    text = _UNPRINTABLE.sub(" ", words.decode(raw, root.hint.charset)).strip()
    return b" " + words.encode(text) + b"\r\n" if text else None


def _date(content: bytes, field: HeaderField, _root: Part) -> bytes | None:
    instant = date.read(raw_value(content, field))
    return None if instant is None else _line(date.write(instant))


def _structured(content: bytes, field: HeaderField, root: Part) -> bytes | None:
    """Returns the value of Content-Type or Content-Disposition, unchanged if it is plain; None if it names no type.

    The value is built again from its parameters if it contains comments (which are free text), raw 8-bit octets or a
    line that is too long, or if mail programs read it differently.
    """
    value = content[field.value_start : field.end]
    is_type = field.name == "content-type"
    if is_type and not mime.read_type(raw_value(content, field)):
        return None
    is_disputed = words.are_disputed(raw_value(content, field))
    if b"(" not in value and _is_plain(value) and not is_disputed:
        return value if value[:1] in b" \t" else b" " + value
    kind = root.content_type if is_type else root.disposition
    parameters = root.params if is_type else words.parameters(raw_value(content, field), root.hint.charset)
    if not words.is_token(kind.replace("/", "")):
        return None
    rebuilt = "".join(words.parameter(name, text) for name, text in parameters.items() if words.is_token(name))
    return _line(kind + rebuilt)


def _encoding(_content: bytes, _field: HeaderField, root: Part) -> bytes | None:
    """Returns the transfer encoding as it was read, whatever stands after it."""
    return _line(root.encoding) if _ENCODING.match(root.encoding.encode("latin-1")) else None


def _matching(grammar: re.Pattern[bytes]) -> _Form:
    def form(content: bytes, field: HeaderField, _root: Part) -> bytes | None:
        value = _COMMENT.sub(b"", raw_value(content, field))
        return b" " + value + b"\r\n" if grammar.match(value) else None

    return form


_LOOP_MARK: Final = head.LOOP_MARK.lower()
_ALLOWED: Final[dict[str, tuple[str, _Form]]] = {
    "date": ("Date", _date),
    "subject": ("Subject", _text),
    "content-type": ("Content-Type", _structured),
    "content-transfer-encoding": ("Content-Transfer-Encoding", _encoding),
    "content-disposition": ("Content-Disposition", _structured),
    "content-language": ("Content-Language", _matching(_LANGUAGES)),
    "importance": ("Importance", _matching(_WORD)),
    "priority": ("Priority", _matching(_WORD)),
    "x-priority": ("X-Priority", _matching(_WORD)),
    _LOOP_MARK: (head.LOOP_MARK, _matching(_DOMAIN)),
}
_RECEIPT: Final = "asks the other side for a receipt"
_REBUILT: Final = "replaced by the relay's own"
_PLAINEST: Final = "written in its plainest form"
_WHY: Final = {
    "disposition-notification-to": _RECEIPT,
    "disposition-notification-options": _RECEIPT,
    "return-receipt-to": _RECEIPT,
    "return-receipt-requested": _RECEIPT,
    "x-confirm-reading-to": _RECEIPT,
    "generate-delivery-report": _RECEIPT,
    "from": _REBUILT,
    "to": _REBUILT,
    "auto-submitted": _REBUILT,
    "mime-version": _REBUILT,
    "message-id": _REBUILT,
    "in-reply-to": _REBUILT,
    "references": _REBUILT,
    "received": "names the servers that the mail has passed",
}
