"""The pass that writes Message-ID, In-Reply-To and References with the ids that the other side knows (R-REW-03).

An id of the sender's side names its host, so no such id may pass (R-REW-01). Ids that the pair knows are mapped. An
unknown id is replaced by an opaque id, always by the same one, so that replies to an unknown message stay together.
Thread-Index and Thread-Topic do not pass, because Thread-Index contains the time and a GUID of the sender's mail
program.
"""

import re
from typing import Final

from relay.core import keyed
from relay.core.mail.message_ids import ids
from relay.core.rewrite.plan import Draft, Plan

# Ids that can be written on one line of an ASCII header. A mail program may use any text as an id.
_SENDABLE: Final = re.compile(r"[!-;=?-~]{1,900}\Z")
_LINE: Final = 76


def opaque_id(message_id: str, key: bytes, domain: str) -> str:
    """Returns the id, without brackets, that replaces a `message_id` which the pair does not know.

    The id is a keyed hash of `message_id` at `domain`, so the same message always gets the same id.
    """
    return f"{keyed.base32(keyed.tag(key, 'thread', message_id, size=15))}@{domain}"


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft with Message-ID added.

    In-Reply-To and References are added too if the message answers another message.
    """
    fields = [("Message-ID", f" <{plan.message_id}>\r\n".encode("ascii"))]
    answers = ids(draft.content, draft.root, "in-reply-to")
    references = ids(draft.content, draft.root, "references", "in-reply-to")
    if answers:
        fields.append(("In-Reply-To", _listed(answers, plan)))
    if references:
        fields.append(("References", _listed(references, plan)))
    return draft._replace(fields=(*draft.fields, *fields))


def _listed(incoming: tuple[str, ...], plan: Plan) -> bytes:
    """Returns the mapped ids on one line if they fit, else one id per line (RFC 5322 §2.2.3)."""
    outgoing = [
        known if _SENDABLE.match(known := plan.thread_ids.get(i, "")) else opaque_id(i, plan.thread_key, plan.domain)
        for i in incoming
    ]
    bracketed = [f"<{i}>" for i in dict.fromkeys(outgoing)]
    line = " ".join(bracketed)
    if len(line) + len("In-Reply-To: ") > _LINE:
        line = "\r\n ".join(bracketed)
    return f" {line}\r\n".encode("ascii")
