"""Looking again before an item is sent: what has changed since it was accepted, and what was not looked at then because
nobody had vouched for its writer (design, "Dispatch looks again")."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from relay.core.model.item import Hold, Item, ItemKind
from relay.core.model.kind import Kind
from relay.core.model.pair import Pair
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.decide import released
from relay.core.policy.rules import hours, optout
from relay.ports import MessageSummary, StoredContent
from relay.steps.reload import ReloadedMessage, reload_message
from relay.steps.services import Services

_UNAVAILABLE: Final = Reason(code=ReasonCode.RECIPIENT_UNAVAILABLE)
_ENDED_HOLDS: Final = {
    Hold.DECISION: Reason(code=ReasonCode.HOLD_EXPIRED),
    Hold.REFUSED: Reason(code=ReasonCode.HOLD_REFUSED),
}


class Way(NamedTuple):
    """Where an item goes; `item` is of another kind than it was where somebody else is to answer it (R-POL-13)."""

    item: Item
    mailbox: str


async def recheck(
    services: Services, item: Item, stored: StoredContent, now: datetime, *, just_judged: bool
) -> Way | Reason | datetime:
    """The way to the party's current mailbox (R-ADR-04) or to a fixed address; why it does not go; or until when it
    waits (R-POL-12). Raises UnavailableError."""
    if item.hold in _ENDED_HOLDS:
        return _ENDED_HOLDS[item.hold]
    if item.address is not None:
        return Way(item, item.address)
    pair = stored.pair
    if pair is None or item.is_ours:  # what stands against a message is what its notice tells
        mailbox = await services.store.mailbox(item.recipient_id or "")
        return Way(item, mailbox) if mailbox else _UNAVAILABLE
    if not just_judged:
        pair = await services.store.pair(pair.id) or pair
        stops = await _stops(services, item, pair, now)
        if stops is not None:
            return stops
    side = pair.buyer if item.recipient_id == pair.buyer.party.id else pair.seller
    return Way(item, side.mailbox) if side.mailbox else _UNAVAILABLE


async def _stops(services: Services, item: Item, pair: Pair, now: datetime) -> Way | Reason | datetime | None:
    to = Role.BUYER if item.recipient_id == pair.buyer.party.id else Role.SELLER
    if pair.side(to).party.state is not PartyState.ACTIVE:
        return _UNAVAILABLE
    if pair.side(to.other).party.state is not PartyState.ACTIVE:
        return Reason(code=ReasonCode.SENDER_SUSPENDED)
    summary = await services.store.summary(item.message_id)
    if summary is None:
        return None
    if summary.detail.get("action") == Action.HOLD and (recorded := await _recorded(services, item, now)):
        return await _after_a_hold(services, item, recorded, summary, now)
    return await _unsolicited(services, summary, pair, now) if to is Role.BUYER else None


async def _recorded(services: Services, item: Item, now: datetime) -> ReloadedMessage | None:
    stored = await services.store.message(item.message_id)
    return (
        await reload_message(services.store, services.marketplaces.by_id[item.marketplace_id], stored, now)
        if stored
        else None
    )


async def _after_a_hold(
    services: Services, item: Item, recorded: ReloadedMessage, summary: MessageSummary, now: datetime
) -> Way | Reason | datetime | None:
    """As new mail would be answered now: what concerns its recipient and its thread has changed since it came, or was
    not asked, where its writer was not registered."""
    marketplace = services.marketplaces.by_id[item.marketplace_id]
    policy = _what_is_left(marketplace.policy_at(now), now - recorded.incoming.received_at)
    order_id = recorded.facts.order.id if recorded.facts.order else None
    facts = replace(
        recorded.facts,
        # Whether it was an answer is of the time when it came.
        open_question=recorded.writer.role is Role.SELLER and not summary.detail.get("unsolicited"),
        thread_last_at=await services.store.thread_last_at(recorded.facts.pair.id, order_id),
    )
    verdict = released(recorded.incoming, recorded.head, recorded.root, facts, recorded.writer, policy, now)
    return _outcome(item, verdict, policy.fulfilment.operator or marketplace.operator)


def _what_is_left(policy: Policy, waited: timedelta) -> Policy:
    """Time in a hold counts as delay, or what is put off would be put off again at each look (R-POL-12)."""
    left_s = max(policy.hours.delay_s - int(waited.total_seconds()), 0)
    return replace(policy, hours=replace(policy.hours, delay_s=left_s))


def _outcome(item: Item, verdict: Verdict, operator: str) -> Way | Reason | datetime | None:
    if verdict.action is Action.RETURN:
        return verdict.reasons[0]
    if verdict.to_operator:
        return Way(replace(item, kind=ItemKind.OPERATOR), operator)
    return verdict.not_before


async def _unsolicited(
    services: Services, summary: MessageSummary, pair: Pair, now: datetime
) -> Reason | datetime | None:
    """Opt-outs (R-POL-02) and quiet hours that have begun meanwhile."""
    if not summary.detail.get("unsolicited"):
        return None
    buyer, kind = pair.buyer.party, Kind(summary.kind)
    for opt_out in await services.store.opt_outs(buyer.id, pair.seller.party.id):
        if optout.touches(opt_out, pair, kind):
            return Reason(code=ReasonCode.OPTED_OUT)
    policy = services.marketplaces.by_id[pair.marketplace_id].policy_at(now)
    calm = hours.awake(buyer.settings, policy.hours, now)
    return calm if calm > now else None
