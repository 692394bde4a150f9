"""What is written down of a message beside its bytes: words and numbers, no address and no text (R-REC-01)."""

from collections.abc import Mapping, Sequence
from typing import Any

from relay.core.model.message import Incoming
from relay.core.model.reason import Reason
from relay.ports import MessageRecord
from relay.steps.judgement import RecipientResult


def record_of(incoming: Incoming, judged: RecipientResult, **fields: Any) -> MessageRecord:
    """A record of this recipient's message: who it is about and when, and `fields`."""
    return MessageRecord(
        id=judged.message_id,
        marketplace_id=judged.target.marketplace.id,
        received_at=incoming.received_at,
        mail_from=incoming.mail_from,
        **fields,
    )


def detail(incoming: Incoming, judged: RecipientResult, reasons: Sequence[Reason]) -> dict[str, object]:
    peer = incoming.peer
    return {
        "port": peer.port,
        "tls": peer.tls,
        "client_ip": peer.client_ip,
        "size_bytes": len(incoming.content),
        "to": judged.target.local_part if judged.target.is_operator else judged.target.to,
        # As typed it may say anything; what it was understood as is the record's order and kind.
        "tagged": bool(judged.target.tag),
        "reasons": [
            {"code": reason.code, "rule": reason.rule}
            | ({"part": s.part, "start": s.start, "end": s.end} if (s := reason.span) else {})
            for reason in reasons
        ],
    }


def received_data(incoming: Incoming) -> dict[str, str | int]:
    return {"port": incoming.peer.port, "size_bytes": len(incoming.content), "tls": int(incoming.peer.tls)}


def why(reasons: Sequence[Reason], policy_version: str) -> dict[str, str | int]:
    codes: Mapping[str, str | int] = {"reasons": ",".join(reason.code for reason in reasons)} if reasons else {}
    return {**codes, "policy": policy_version}
