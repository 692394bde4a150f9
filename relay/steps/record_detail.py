"""The parts of a record beside the bytes of its message: ids, codes and numbers, no address and no text (R-REC-01)."""

from collections.abc import Mapping, Sequence
from typing import Any

from relay.core.mail.head import Automatic
from relay.core.model.message import Incoming
from relay.core.model.reason import Reason
from relay.ports import MessageRecord
from relay.steps.outcomes import Judgement
from relay.steps.recipients import OperatorRecipient, PartyRecipient, Recipient


def record_of(incoming: Incoming, recipient: Recipient, **fields: Any) -> MessageRecord:
    """Returns the record of the message for this recipient, with these further `fields` of it."""
    return MessageRecord(
        id=recipient.message_id,
        marketplace_id=recipient.marketplace.id,
        received_at=incoming.received_at,
        mail_from=incoming.mail_from,
        **fields,
    )


def detail(incoming: Incoming, recipient: Recipient, reasons: Sequence[Reason]) -> dict[str, object]:
    """Returns the values that every record has."""
    peer = incoming.peer
    return {
        "port": peer.port,
        "tls": peer.tls,
        "client_ip": peer.client_ip,
        "size_bytes": len(incoming.content),
        "to": _reached(recipient),
        # A tag may be any text, so only the order and the kind that it names are kept.
        "tagged": bool(recipient.tags),
        "reasons": [
            {"code": reason.code, "rule": reason.rule}
            | ({"part": s.part, "start": s.start, "end": s.end} if (s := reason.span) else {})
            for reason in reasons
        ],
    }


def judged_detail(judgement: Judgement, action: str) -> dict[str, object]:
    """Returns the values that the record of a judged message has beside those of `detail`."""
    facts, writer, verdict = judgement.facts, judgement.writer, judgement.verdict
    found: dict[str, object] = {
        "action": action,
        "to_operator": verdict.to_operator,
        "warnings": [reason.code for reason in verdict.warnings],
        "proof": writer.proof,
        "registered": writer.registered,
        "sender_state": facts.sender.state if facts.sender else "unlisted",
        "opted_out": bool(facts.opt_outs),
        "authentication": list(facts.authentication.results),
        "automatic": judgement.mail.automatic is not Automatic.NO,
        "unsolicited": verdict.unsolicited,
    }
    return found | ({"other_tags": list(facts.other_tags)} if facts.other_tags else {})


def _reached(recipient: Recipient) -> str | None:
    match recipient:
        case OperatorRecipient(local_part=name):
            return name
        case PartyRecipient(to=role):
            return role
        case _:
            return None


def received_data(incoming: Incoming) -> dict[str, str | int]:
    """Returns the data of a RECEIVED event."""
    return {"port": incoming.peer.port, "size_bytes": len(incoming.content), "tls": int(incoming.peer.tls)}


def why(reasons: Sequence[Reason], policy_version: str) -> dict[str, str | int]:
    """Returns the data of an event that a decision brings about."""
    codes: Mapping[str, str | int] = {"reasons": ",".join(reason.code for reason in reasons)} if reasons else {}
    return {**codes, "policy": policy_version}
