"""Message-ID, In-Reply-To and References as the other side knows them (R-REW-03).

An id of the sender's side names its host; no such id may pass (R-REW-01). What the pair knows is mapped, what it does
not know becomes opaque but stays the same for the same id, so answers to an unknown message still hang together.
Thread-Index and Thread-Topic do not pass: the first holds the time and a GUID of the sender's own mail program.
"""

import re
from typing import Final

from relay.core import keyed
from relay.core.mail.message_ids import ids
from relay.core.rewrite.plan import Draft, Plan

# What may be written as one line of an ASCII header; a writer's program may have given anything for its own id.
_SENDABLE: Final = re.compile(r"[!-;=?-~]{1,900}\Z")
_LINE: Final = 76


def opaque_id(message_id: str, key: bytes, domain: str) -> str:
    """What stands for an id that the pair does not know; without brackets."""
    return f"{keyed.base32(keyed.tag(key, 'thread', message_id, size=15))}@{domain}"


def apply(draft: Draft, plan: Plan) -> Draft:
    """Adds Message-ID, and In-Reply-To and References where the message answers one."""
    fields = [("Message-ID", f" <{plan.message_id}>\r\n".encode("ascii"))]
    answers = ids(draft.content, draft.root, "in-reply-to")
    references = ids(draft.content, draft.root, "references", "in-reply-to")
    if answers:
        fields.append(("In-Reply-To", _listed(answers, plan)))
    if references:
        fields.append(("References", _listed(references, plan)))
    return draft._replace(fields=(*draft.fields, *fields))


def _listed(incoming: tuple[str, ...], plan: Plan) -> bytes:
    """One line while it fits, else an id a line (RFC 5322 §2.2.3)."""
    outgoing = [
        known if _SENDABLE.match(known := plan.thread_ids.get(i, "")) else opaque_id(i, plan.thread_key, plan.domain)
        for i in incoming
    ]
    bracketed = [f"<{i}>" for i in dict.fromkeys(outgoing)]
    line = " ".join(bracketed)
    if len(line) + len("In-Reply-To: ") > _LINE:
        line = "\r\n ".join(bracketed)
    return f" {line}\r\n".encode("ascii")
