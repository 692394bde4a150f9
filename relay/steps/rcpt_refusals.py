"""The record of recipients that are refused at RCPT to a client that has logged in (R-REC-01).

The login proves the writer, so the refusal is that party's attempt to write, and is found with its other mail. A client
without a login may only be guessing addresses, and leaves no record. The records of one party are limited for each day,
because a command costs the client less than a record costs the relay (R-IN-06).
"""

from typing import Final

from relay.core.model import days
from relay.core.model.event import Event, EventType, RefusalData
from relay.core.model.facts import QuotaScope
from relay.core.model.message import MessageState, Peer
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.ports import Acceptance, MessageRecord, RecordAction, RecordDetail, RecordedReason, Use
from relay.steps import record_detail
from relay.steps.services import Services

_MOST_A_DAY: Final = 100
"""The most refusals of one party that are recorded in a day. The log has all of them."""


async def keep(
    services: Services, peer: Peer, mail_from: str, pair: Pair | None, *, tagged: bool, reason: ReasonCode
) -> None:
    """Records the refusal of one recipient to the party that has logged in. It has no content and no size.

    `pair` is the pair of the party to which the refused alias belongs; None for an alias of others and an unknown
    address. Nothing is recorded if the party does not exist, or has enough such records today. Raises UnavailableError.
    """
    party = await services.store.parties.get(peer.login_party_id) if peer.login_party_id else None
    marketplace = services.marketplaces.by_id.get(party.marketplace_id) if party else None
    if party is None or marketplace is None:
        return
    ids, now = services.ids, services.clock.now()
    policy, to = marketplace.policy_at(now), party.role.other if pair else None
    use = Use(scope=QuotaScope.RECIPIENTS, subject_id=party.id, day=days.day_of(now, policy).isoformat())
    if (await services.store.limits.used((use,)))[0] >= _MOST_A_DAY:
        return
    record = MessageRecord(
        id=ids.new(),
        marketplace_id=marketplace.id,
        key_holder_id=party.id,
        state=MessageState.REFUSED,
        received_at=now,
        mail_from=mail_from,
        client_ip=peer.client_ip,
        pair_id=pair.id if pair else None,
        author_id=party.id,
        policy_version=policy.version,
        detail=_detail(peer, reason, to, tagged=tagged),
    )
    why = record_detail.why((Reason(code=reason),), policy.version)
    data = RefusalData(port=peer.port, tls=int(peer.tls), size_bytes=0, **why)
    refused = Event(id=ids.new(), message_id=record.id, at=now, type=EventType.REFUSED, data=data)
    await services.store.acceptances.add(
        Acceptance(
            owner=services.settings.owner,
            lease_until=now,
            records=(record,),
            events=(refused,),
            uses=(use,),
        )
    )


def _detail(peer: Peer, reason: ReasonCode, to: Role | None, *, tagged: bool) -> RecordDetail:
    return RecordDetail(
        action=RecordAction.REFUSE,
        port=peer.port,
        tls=peer.tls,
        to=to,
        tagged=tagged,
        reasons=(RecordedReason(code=reason, rule=reason.rule),),
    )
