"""The limits of mail to the operator, for each client and day (R-IN-06, R-IN-10).

Everybody may write to `postmaster@` and `abuse@`, and a buyer's question about an order may be sent to the operator.
The store counts this mail, so that the limits hold across processes and nodes.
"""

from datetime import datetime
from typing import Final

from relay.core import keyed
from relay.core.mail.head import hops, operator_marks
from relay.core.model import days
from relay.core.model.facts import QuotaScope
from relay.core.model.message import Incoming
from relay.core.model.operator_limits import OperatorLimits
from relay.core.model.reason import Reason, ReasonCode
from relay.ports import SecretStore, Store, Use
from relay.steps.clients import client_of
from relay.steps.outcomes import ForOperator, Judgement, Refused, Rerouted
from relay.steps.recipients import OperatorRecipient, PartyRecipient

_FRONTS: Final = "fronts"
_CLIENTS_BEHIND_FRONTS: Final = 10
"""The limits for all clients behind mail servers in front of the relay, as a multiple of the limits for one client."""
_LOOP: Final = Reason(code=ReasonCode.LOOP)


async def received(
    store: Store, limits: OperatorLimits, incoming: Incoming, recipient: OperatorRecipient
) -> ForOperator | Refused:
    """Returns the outcome of mail to `postmaster@` or `abuse@`. Raises UnavailableError.

    Mail that cannot be read is accepted (R-IN-10). Mail in a loop (R-OUT-08) and mail above the client's limits are
    refused.
    """
    content, own = incoming.content, recipient.marketplace.domains
    if hops(content) > recipient.policy.limits.hop_limit or any(domain in own for domain in operator_marks(content)):
        return Refused(recipient=recipient, reason=_LOOP)
    used = await uses(store, limits, incoming, recipient)
    if isinstance(used, Reason):
        return Refused(recipient=recipient, reason=used)
    return ForOperator(recipient=recipient, uses=used)


async def rerouted(
    store: Store, limits: OperatorLimits, incoming: Incoming, judgement: Judgement
) -> Rerouted | Refused:
    """Returns the outcome of a buyer's question to the operator, which counts towards the writer's limits.

    Raises UnavailableError.
    """
    recipient, writer = judgement.recipient, judgement.writer
    party_id = recipient.pair.side(writer.role).party.id if writer.registered else None
    used = await uses(store, limits, incoming, recipient, party_id=party_id)
    if isinstance(used, Reason):
        return Refused(recipient=recipient, reason=used)
    return Rerouted(judgement=judgement, uses=used)


async def uses(
    store: Store,
    limits: OperatorLimits,
    incoming: Incoming,
    recipient: OperatorRecipient | PartyRecipient,
    *,
    party_id: str | None = None,
) -> tuple[Use, ...] | Reason:
    """Returns the counts that a message to the operator adds to its client's limits, or the reason to refuse it.

    `party_id` is the id of the writer if the writer is proven. The first message of a day is accepted whatever its
    size. All clients behind mail servers in front of the relay have a common limit too, because the writer chooses the
    domain under which such a client is counted. Raises UnavailableError.
    """
    size_bytes, now = len(incoming.content), incoming.received_at
    party_id = party_id or incoming.peer.login_party_id
    if party_id is None and not incoming.peer.trusted and size_bytes > limits.message_bytes:
        return Reason(code=ReasonCode.OPERATOR_MAIL_TOO_BIG, values=(("limit_bytes", str(limits.message_bytes)),))
    clients = {f"party {party_id}" if party_id else client_of(incoming): 1}
    if party_id is None and incoming.peer.passes_on:
        clients[_FRONTS] = _CLIENTS_BEHIND_FRONTS
    day = days.day_of(now, recipient.policy).isoformat()
    counts: list[Use] = []
    for name, shares in clients.items():
        subject_id = _subject_id(store.secrets, recipient.marketplace.id, name)
        most_messages, most_bytes = shares * limits.messages_per_client, shares * limits.bytes_per_client
        counts += (
            Use(scope=QuotaScope.OPERATOR_MESSAGES, subject_id=subject_id, day=day, limit=max(1, most_messages)),
            Use(
                scope=QuotaScope.OPERATOR_BYTES,
                subject_id=subject_id,
                day=day,
                limit=max(size_bytes, most_bytes),
                amount=size_bytes,
            ),
        )
    used = await store.limits.used(counts)
    if any(number + use.amount > use.limit for number, use in zip(used, counts, strict=True)):
        return _come_again(recipient, now)
    return tuple(counts)


def _come_again(recipient: OperatorRecipient | PartyRecipient, now: datetime) -> Reason:
    reset = days.reset_at(now, recipient.policy).isoformat()
    return Reason(code=ReasonCode.OPERATOR_MAIL_LIMIT, values=(("reset", reset),))


def _subject_id(secrets: SecretStore, marketplace_id: str, name: str) -> str:
    """Returns the id of a client in the counters, from which nobody can compute the client's address (R-REC-04)."""
    return keyed.base32hex(keyed.tag(secrets.get("client"), "operator", marketplace_id, name, size=16))
