"""The recheck of an item before it is sent.

It finds changes since the item was accepted. After a hold it also applies the rules that the first judgement left out
because the writer was not registered.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from relay.core.model import days
from relay.core.model.item import Hold, Item, ItemKind
from relay.core.model.kind import Kind
from relay.core.model.marketplace import Marketplace, Marketplaces
from relay.core.model.pair import Pair
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.decide import released
from relay.core.policy.rules import hours, optout
from relay.ports import MessageSummary, OptOutStore, RecordAction, Store, StoredContent, ThreadStore
from relay.steps import orders
from relay.steps.reload import ReloadedMessage, reload_message

_ENDED_HOLDS: Final = {
    Hold.DECISION: Reason(code=ReasonCode.HOLD_EXPIRED),
    Hold.REFUSED: Reason(code=ReasonCode.HOLD_REFUSED),
}


@dataclass(frozen=True, slots=True)
class Deliver:
    """The item is delivered to `mailbox`.

    Its kind is OPERATOR if the operator answers instead of the recipient (R-POL-13).
    """

    item: Item
    mailbox: str


@dataclass(frozen=True, slots=True)
class ReturnIt:
    """The message is returned to its writer with a notice."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """The item is sent at a later time, because the recipient has quiet hours now (R-POL-12)."""

    until: datetime


Recheck = Deliver | ReturnIt | WaitUntil
_UNAVAILABLE: Final = ReturnIt(Reason(code=ReasonCode.RECIPIENT_UNAVAILABLE))
_SUSPENDED: Final = ReturnIt(Reason(code=ReasonCode.SENDER_SUSPENDED))
_OPTED_OUT: Final = ReturnIt(Reason(code=ReasonCode.OPTED_OUT))


async def recheck(
    store: Store, marketplaces: Marketplaces, item: Item, stored: StoredContent, now: datetime, *, just_judged: bool
) -> Recheck:
    """Decides whether the item is delivered, returned, or waits.

    The mailbox is the party's current one (R-ADR-04), or the fixed address of the item. `just_judged` means that the
    message was judged a moment ago. Raises UnavailableError.
    """
    if item.hold in _ENDED_HOLDS:
        return ReturnIt(_ENDED_HOLDS[item.hold])
    if item.address is not None:
        return Deliver(item, item.address)
    pair = stored.pair
    if pair is None or item.is_ours:
        # A notice is not rechecked, because a reason that stops a message must not stop the notice about it.
        return _to_mailbox(item, await store.parties.mailbox(item.recipient_id or ""))
    if just_judged:
        return _to_party(item, pair)
    pair = await store.pairs.get(pair.id) or pair
    to = Role.BUYER if item.recipient_id == pair.buyer.party.id else Role.SELLER
    if pair.side(to).party.state is not PartyState.ACTIVE:
        return _UNAVAILABLE
    if pair.side(to.other).party.state is not PartyState.ACTIVE:
        return _SUSPENDED
    return await _recheck_message(store, marketplaces, item, pair, to, now)


async def _recheck_message(
    store: Store, marketplaces: Marketplaces, item: Item, pair: Pair, to: Role, now: datetime
) -> Recheck:
    marketplace = marketplaces.by_id[item.marketplace_id]
    policy = marketplace.policy_at(now)
    summary = await store.records.summary(item.message_id)
    if summary is None:
        return _to_party(item, pair)
    if summary.detail.kept_action is RecordAction.RETURN:
        # A person may have released the message earlier. It still waits for the reset of the limit (R-POL-11).
        reset_at = days.reset_at(summary.received_at, policy)
        if now < reset_at:
            return WaitUntil(reset_at)
        return ReturnIt(Reason(code=summary.detail.kept_reasons[0].code))
    if summary.detail.action is RecordAction.HOLD:
        stored = await store.records.message(item.message_id)
        reloaded = await reload_message(store, marketplace, policy, stored, now) if stored else None
        if reloaded is not None:
            return await _after_a_hold(store.threads, item, pair, reloaded, summary, marketplace, policy, now)
    if to is Role.BUYER and summary.detail.unsolicited:
        return await _unsolicited(store.opt_outs, item, pair, summary.kind, policy, now)
    return _to_party(item, pair)


async def _after_a_hold(
    threads: ThreadStore,
    item: Item,
    pair: Pair,
    reloaded: ReloadedMessage,
    summary: MessageSummary,
    marketplace: Marketplace,
    policy: Policy,
    now: datetime,
) -> Recheck:
    """Decides about an item after its hold, by the rules for new mail.

    The states of the recipient and the thread may have changed since the message was received. They were not examined
    at all if the writer was not registered.
    """
    policy = _with_delay_left(policy, now - reloaded.incoming.received_at)
    about = await orders.about(
        threads,
        marketplace,
        policy,
        pair.id,
        reloaded.facts.orders,
        orders.Named(order=reloaded.facts.order),
        now,
    )
    facts = replace(
        reloaded.facts,
        # The first judgement has decided whether the message is an answer.
        open_question=reloaded.writer.role is Role.SELLER and not summary.detail.unsolicited,
        thread_last_at=about.thread_last_at,
    )
    verdict = released(reloaded.incoming, reloaded.head, reloaded.root, facts, reloaded.writer, policy, now)
    if verdict.action is Action.RETURN:
        return ReturnIt(verdict.reasons[0])
    if verdict.to_operator:
        operator = policy.fulfilment.operator or marketplace.operator
        return Deliver(replace(item, kind=ItemKind.OPERATOR), operator)
    return WaitUntil(verdict.not_before) if verdict.not_before else _to_party(item, pair)


def _with_delay_left(policy: Policy, waited: timedelta) -> Policy:
    """Returns the policy with its delay of messages reduced by the time that the message was held (R-POL-12).

    Without this each recheck would put the mail off again.
    """
    left_s = max(policy.hours.delay_s - int(waited.total_seconds()), 0)
    return replace(policy, hours=replace(policy.hours, delay_s=left_s))


async def _unsolicited(
    opt_outs: OptOutStore, item: Item, pair: Pair, kind: Kind, policy: Policy, now: datetime
) -> Recheck:
    """Applies an opt-out (R-POL-02) and quiet hours that have begun since an unsolicited message was accepted."""
    buyer = pair.buyer.party
    for opt_out in await opt_outs.in_force(buyer.id, pair.seller.party.id):
        if optout.touches(opt_out, pair, kind):
            return _OPTED_OUT
    awake_at = hours.awake(buyer.settings, policy.hours, now)
    return WaitUntil(awake_at) if awake_at > now else _to_party(item, pair)


def _to_party(item: Item, pair: Pair) -> Deliver | ReturnIt:
    side = pair.buyer if item.recipient_id == pair.buyer.party.id else pair.seller
    return _to_mailbox(item, side.mailbox)


def _to_mailbox(item: Item, mailbox: str | None) -> Deliver | ReturnIt:
    return Deliver(item, mailbox) if mailbox else _UNAVAILABLE
