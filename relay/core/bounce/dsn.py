"""Reads delivery reports (RFC 3464), which other servers send by mail about a message of the relay.

Anybody can write a report. So it is cut to a limit of size, and ignored if it has too many parts, before Python's
parser reads it. If the parser raises an exception, the result is None.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from enum import StrEnum
from typing import Final

from relay.core.bounce.reasons import classify
from relay.core.model.reason import ReasonCode
from relay.core.providers import host_class

MOST_BYTES: Final = 131_072
"""The size up to which a report is read.

The report's fields come before the returned message, which may have any size and is not needed.
"""
_MOST_PARTS: Final = 30
_MOST_BLOCKS: Final = 20
_CONTAINER: Final = re.compile(rb"(?:multipart|message)/", re.IGNORECASE)
_GLOBAL: Final = re.compile(rb"message/global-delivery-status", re.IGNORECASE)  # RFC 6533: the same fields in UTF-8
_FEEDBACK: Final = re.compile(rb"^content-type[ \t]*:[ \t]*message/feedback-report", re.IGNORECASE | re.MULTILINE)
_RETURNED: Final = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}  # RFC 6522, RFC 6533
)
_STATUS: Final = re.compile(r"\b([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_CODE: Final = re.compile(r"\b([45][0-9]{2})(?=[ -]|\Z)")
_PHASES: Final = {"rcpt to": "rcpt", "end of data": "end_of_data", "mail from": "mail", "data command": "end_of_data"}


class BounceAction(StrEnum):
    """The actions that a report may contain (RFC 3464 §2.3.3), from the worst to the best."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_ACTIONS: Final = {action.value: action for action in BounceAction}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """The values of a report about one recipient.

    `status` is the enhanced status code (RFC 3463), "" if the report has none. `diagnostic` is the text of the other
    server; it must go through `redact` before it is shown. `remote` is the provider of the host that answered
    (`carrier.host_class`), "" if the report names no host. `reason` is the reason by `reasons.classify`. `returned` is
    the header of the returned message, "" if the report does not contain it.
    """

    action: BounceAction
    status: str
    diagnostic: str
    remote: str
    reason: ReasonCode
    returned: str = ""


def read(content: bytes) -> Bounce | None:
    """Returns the values of the delivery report in a mail, None if the mail contains no report that can be read.

    If the report is about several recipients, the values with the worst action are returned.
    """
    head = _GLOBAL.sub(b"message/delivery-status", content[:MOST_BYTES])
    if b"delivery-status" not in head.lower() or len(_CONTAINER.findall(head)) > _MOST_PARTS:
        return None
    try:
        message = message_from_bytes(head)
        returned = _returned(message)
        bounces = [bounce for block in _blocks(message) if (bounce := _bounce(block, returned))]
    except Exception:  # noqa: BLE001  the standard parser raises any exception on hostile input
        return None
    return min(bounces, key=lambda bounce: list(BounceAction).index(bounce.action), default=None)


def _blocks(message: Message) -> list[Message]:
    for part in message.walk():
        blocks = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(blocks, list):
            return [block for block in blocks[:_MOST_BLOCKS] if isinstance(block, Message)]
    return []


def _returned(message: Message) -> str:
    """Returns the header of the first returned message as text, "" if the report contains none."""
    for part in message.walk():
        if part is not message and part.get_content_type() in _RETURNED:
            inner = part.get_payload()
            if isinstance(inner, list):
                header = [one.items() for one in inner[:1] if isinstance(one, Message)]
                return "\n".join(f"{name}: {value}" for fields in header for name, value in fields)
            octets = part.get_payload(decode=True)
            return octets.decode("ascii", "replace") if isinstance(octets, bytes) else ""
    return ""


def is_feedback(content: bytes) -> bool:
    """Returns whether the mail is a feedback report about unwanted mail (ARF, RFC 5965)."""
    return _FEEDBACK.search(content, 0, MOST_BYTES) is not None


def _bounce(block: Message, returned: str) -> Bounce | None:
    status_match = _STATUS.search(_field(block, "Status"))
    status = status_match[1] if status_match else ""
    action = _action(_field(block, "Action"), status)
    if action is None:
        return None
    diagnostic = _field(block, "Diagnostic-Code").partition(";")[2].strip()
    remote = _field(block, "Remote-MTA").partition(";")[2].strip()
    recipient = _field(block, "Final-Recipient").rpartition("@")[2].strip(" >")
    code_match = _CODE.search(diagnostic)
    lower = diagnostic.lower()
    reason = classify(
        permanent=action is BounceAction.FAILED and not status.startswith("4."),
        phase=next((phase for words, phase in _PHASES.items() if words in lower), ""),
        code=int(code_match[1]) if code_match else 0,
        enhanced=status,
        text=diagnostic,
        host=remote,
        destination=recipient,
    )
    return Bounce(
        action=action,
        status=status,
        diagnostic=diagnostic,
        remote=host_class(remote),
        reason=reason,
        returned=returned,
    )


def _action(text: str, status: str) -> BounceAction | None:
    word = text.lower().split(" ")[0]
    return _ACTIONS.get(word) or (BounceAction.FAILED if status.startswith("5.") else None)


def _field(block: Message, name: str) -> str:
    """Returns the value of a field as one line of at most 2000 characters, "" if the field is missing.

    `str` is needed because the parser returns a Header object for a field with octets that it cannot decode.
    """
    return " ".join(str(block.get(name, "")).split())[:2_000]
