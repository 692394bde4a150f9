"""The way of a message, as the README draws it.

    receive ▶ identify ▶ decide ▶ rewrite ▶ record+queue ──250──▶ deliver ▶ settle (▶ notice)

`accept` does the steps from receive to the commit after which 250 is answered, and `dispatch` does the steps from
deliver to settle. `judge` is the first part of `accept` and has no side effects. `relay simulate` calls the same
function, so its result is that of a real message (R-POL-01).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from relay.core import coverage
from relay.core.identify import identify, is_own_alias
from relay.core.mail.head import Automatic, HeadError, read_head, without
from relay.core.mail.mime import MimeError, MimeLimits, split
from relay.core.mail.quotes import WrittenTexts
from relay.core.model.facts import Proof
from relay.core.model.item import Item, ItemKind
from relay.core.model.message import Incoming
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.reply import Reply
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.notice import smtp_text
from relay.core.policy.case import automatic
from relay.core.policy.decide import decide
from relay.core.policy.reach import reach
from relay.core.rewrite.rewrite import rewrite
from relay.ports import (
    Authenticator,
    HeavyMailError,
    NoRoomError,
    OvertakenError,
    Settlement,
    StoredContent,
    StoreUnavailableError,
    TooHeavyError,
    UnavailableError,
)
from relay.steps import operator_mail, probing, quota, record, settling
from relay.steps.gather import Scans, gather
from relay.steps.offload import MailWork, is_heavy_to_judge, is_heavy_to_read, is_heavy_to_split
from relay.steps.outcomes import (
    Checked,
    DistinctResult,
    Duplicate,
    ForOperator,
    Held,
    JudgedResult,
    Judgement,
    Merged,
    OwnCopy,
    ParsedMail,
    RecipientResult,
    Refused,
    Relayed,
    Rerouted,
    ResultsInTransaction,
    Returned,
    TransactionResult,
)
from relay.steps.plan import plan
from relay.steps.recheck import Deliver, ReturnIt, WaitUntil, recheck
from relay.steps.recipients import OperatorRecipient, PartyRecipient, Recipient, UnknownRecipient, resolve
from relay.steps.reservations import Reservations
from relay.steps.services import Services

_ADDRESS_UNKNOWN: Final = Reason(code=ReasonCode.ADDRESS_UNKNOWN)
_UNPROVEN: Final = Reason(code=ReasonCode.SENDER_UNPROVEN)
_TOO_COMPLEX: Final = Reason(code=ReasonCode.TOO_COMPLEX)
_SHORTEST_WAIT_S: Final = 2
"""The shortest wait in seconds of a content for which there is no memory or no worker.

The wait is up to three times as long.
"""


async def accept(services: Services, incoming: Incoming, *, again: bool = False) -> Sequence[Reply]:
    """Accepts one message, and returns one reply for each recipient after a durable commit. Raises UnavailableError.

    If a concurrent transaction has changed a value on which the judgement was based, the message is judged a second
    time; `again` marks this second judgement.
    """
    result = await judge(services, incoming)
    replies = [reply(one, rejects=result.rejects) for one in result.recipients]
    try:
        with Reservations.of(services) as reserved:
            entry = await record.entry(services, incoming, result, reserved)
            await services.store.acceptances.add(entry.acceptance, must_know=True)
    except OvertakenError:
        if again:
            raise
        return await accept(services, incoming, again=True)
    # Nothing may fail after the commit: after a 451 the client would send the stored message again.
    services.dispatcher.submit(entry.submitted)
    if entry.acceptance.notices:
        services.dispatcher.notify()
    return replies


async def accept_reply(services: Services, incoming: Incoming) -> bool:
    """Accepts an automatic reply to an alias if a registered writer is proven for it (R-POL-14).

    Returns True if the reply was accepted. Returns False, with nothing written, for any other mail, and if a look-up
    fails. Raises StoreUnavailableError if the commit fails.
    """
    try:
        result = await judge(services, incoming)
    except StoreUnavailableError:
        raise
    except UnavailableError:
        return False
    is_proven = any(
        isinstance(one, JudgedResult)
        and one.judgement.writer.registered
        and one.judgement.mail.automatic is Automatic.REPLY
        for one in result.recipients
    )
    if is_proven:
        await accept(services, incoming)
    return is_proven


async def judge(services: Services, incoming: Incoming) -> TransactionResult:
    """Returns the outcome for each recipient, before anything is written.

    The recipients are resolved and merged. For each remaining recipient the writer is identified, the policy decides,
    and the message is rewritten (R-IN-05).
    """
    resolved = await resolve(services.store, services.marketplaces, services.ids, incoming)
    results = ResultsInTransaction(resolved)
    work = MailWork(services.workers, incoming)
    limits = services.settings.operator_mail
    mail: ParsedMail | None
    try:
        mail = await receive(services.authenticator, services.settings.mime_limits, incoming, work)
        await _judge_each(services, incoming, mail, results, work)
    except (HeadError, MimeError, TooHeavyError) as error:
        mail = None
        for key, recipient in resolved.distinct.items():
            if isinstance(recipient, OperatorRecipient):
                results.add(key, await operator_mail.received(services.store, limits, incoming, recipient))
            else:
                results.add(key, _unreadable(recipient, error))
    return TransactionResult(mail=mail, recipients=results.in_order(incoming))


async def _judge_each(
    services: Services, incoming: Incoming, mail: ParsedMail, results: ResultsInTransaction, work: MailWork
) -> None:
    """Adds the outcome for each distinct recipient to `results`.

    Raises TooHeavyError if the mail ended several workers.
    """
    resolved, limits = results.resolved, services.settings.operator_mail
    parties = sum(isinstance(one, PartyRecipient) for one in resolved.distinct.values())
    is_heavy = is_heavy_to_judge(incoming.content, mail.root, parties)
    scans, texts = Scans(services.scanners, incoming), WrittenTexts(incoming.content, mail.root)
    for number, (key, recipient) in enumerate(resolved.distinct.items()):
        if number:
            await asyncio.sleep(0)  # other sessions get a turn of the event loop
        match recipient:
            case OperatorRecipient():
                results.add(key, await operator_mail.received(services.store, limits, incoming, recipient))
            case UnknownRecipient():
                results.add(key, Refused(recipient=recipient, reason=_ADDRESS_UNKNOWN))
            case PartyRecipient():
                result = await _judge_one(services, incoming, mail, texts, recipient, results, scans, work, is_heavy)
                results.add(key, result)
            case _:
                assert_never(recipient)


async def receive(authenticator: Authenticator, limits: MimeLimits, incoming: Incoming, work: MailWork) -> ParsedMail:
    """Returns the message with its structure, header and authentication, read within the limits.

    If only signatures prove the writer, the thread ids and the relay's own fields that no signature covers are left
    out. Raises MimeError, HeadError, TooHeavyError, UnavailableError.
    """
    content = incoming.content
    root = await work.do(split, content, limits, is_heavy=is_heavy_to_split(content))
    head = await work.do(read_head, content, root, is_heavy=is_heavy_to_read(root))
    authentication = await authenticator.authenticate(incoming, head.from_address, root)
    if ignored := coverage.IGNORED_UNSIGNED.intersection(authentication.uncovered):
        root = without(root, ignored)
        head = await work.do(read_head, content, root, is_heavy=is_heavy_to_read(root))
    return ParsedMail(root=root, head=head, automatic=automatic(incoming, head), authentication=authentication)


async def _judge_one(
    services: Services,
    incoming: Incoming,
    mail: ParsedMail,
    texts: WrittenTexts,
    recipient: PartyRecipient,
    results: ResultsInTransaction,
    scans: Scans,
    work: MailWork,
    is_heavy: bool,
) -> DistinctResult | OwnCopy:
    """Returns the outcome for one party. A heavy message is judged and rewritten by a worker process.

    Mail whose From address is neither proven nor listed costs the same work as if it were listed, and is refused after
    that work. Therefore the time of the answer does not show whether the address is on the list (R-IN-09).
    """
    policy, now = recipient.policy, incoming.received_at
    copy, of_whom = results.own_copy(recipient), (recipient.pair, recipient.to, recipient.marketplace)
    if copy and is_own_alias(incoming, mail.head, *of_whom, mail.authentication):
        return copy
    if incoming.peer.login_party_id == recipient.pair.side(recipient.to).party.id:
        return await probing.own_alias(services.store.secrets, incoming, mail.head, recipient)
    prefix = services.links.prefix
    facts = await gather(services.store, services.marketplaces, prefix, incoming, mail, texts, recipient, results.spent)
    writer = identify(incoming, mail.head, facts, policy)
    if isinstance(writer, Reason):
        return await probing.refused(services.store.secrets, incoming, recipient, facts, writer)
    if facts.duplicate_of is not None and writer.proof is not Proof.NONE:
        return Duplicate(recipient=recipient, writer=writer, of=facts.duplicate_of)
    if found := await scans.get():
        facts = replace(facts, scans=found)
    work, case = work.by(writer, facts), (incoming, mail.head, mail.root, facts, writer, policy, now)
    verdict = await work.do(decide, *case, is_heavy=is_heavy)
    judgement = Judgement(recipient=recipient, mail=mail, facts=facts, writer=writer, verdict=verdict)
    result = await _result(services, incoming, judgement, work, is_heavy=is_heavy)
    if writer.proof is Proof.NONE and (writer.sender is None or recipient.check or facts.duplicate_of is not None):
        return Refused(recipient=recipient, reason=_UNPROVEN, is_kept=True)
    return result


async def _result(
    services: Services, incoming: Incoming, judgement: Judgement, work: MailWork, *, is_heavy: bool
) -> JudgedResult | Refused:
    """Returns the outcome of a judgement. A message that may be sent to the other side is rewritten."""
    recipient, verdict, now = judgement.recipient, judgement.verdict, incoming.received_at
    if recipient.check and verdict.kept is not None:
        return probing.check_above_limit(judgement, incoming.peer)
    if verdict.action is Action.RETURN:
        return await _not_relayed(services, incoming, judgement)
    if verdict.to_operator and not recipient.check:
        return await operator_mail.rerouted(services.store, services.settings.operator_mail, incoming, judgement)
    the_plan = plan(services, incoming, judgement)
    rewritten = await work.do(rewrite, incoming.content, judgement.mail.root, the_plan, is_heavy=is_heavy)
    judgement = judgement.warned_of(rewritten)
    if recipient.check:
        return await _not_relayed(services, incoming, judgement)
    uses = quota.uses(judgement.facts, judgement.writer, verdict, recipient.policy, now)
    outcome = Relayed if verdict.action is Action.RELAY else Held
    return outcome(judgement=judgement, rewritten=rewritten, uses=uses)


async def _not_relayed(services: Services, incoming: Incoming, judgement: Judgement) -> Checked | Returned:
    uses = await probing.uses(services.store.secrets, incoming, judgement)
    if judgement.recipient.check:
        return Checked(judgement=judgement, reach=_reach(judgement, incoming.received_at), uses=uses)
    return Returned(judgement=judgement, uses=uses)


def _reach(judgement: Judgement, now: datetime) -> Standing | None:
    """Returns the answer to a check whether the seller may write to the buyer now (R-POL-19).

    Returns None if the writer is not a registered seller, because only such a writer gets this answer.
    """
    facts, writer = judgement.facts, judgement.writer
    if not writer.registered or writer.role is not Role.SELLER or facts.to is not Role.BUYER:
        return None
    return reach(replace(facts, thread_refs=()), judgement.recipient.policy, now)


def _unreadable(recipient: Recipient, error: HeadError | MimeError | TooHeavyError) -> Refused:
    if isinstance(error, TooHeavyError):
        return Refused(recipient=recipient, reason=_TOO_COMPLEX)
    code = ReasonCode.FROM_DEFECT if isinstance(error, HeadError) else ReasonCode.MALFORMED
    reason = Reason(code=code, values=(("detail", str(error)),))
    return Refused(recipient=recipient, reason=reason)


def reply(result: RecipientResult, *, rejects: bool) -> Reply:
    """Returns the SMTP reply about one recipient.

    A merged address gets the reply of the recipient into which it was merged. With `rejects`, returned mail is answered
    with 5xx.
    """
    match result:
        case Refused(recipient=recipient, reason=reason):
            return smtp_text.reply_for_refusal(reason, recipient.marketplace)
        case Relayed() | Held() | Rerouted() | Returned():
            recipient, verdict = result.recipient, result.judgement.verdict
            if result.judgement.writer.proof is Proof.NONE:
                # An address that is on no list gets the same answer, so that a forger learns nothing about the lists
                # (R-IN-09).
                return smtp_text.reply_for_refusal(_UNPROVEN, recipient.marketplace)
            return smtp_text.reply_for_verdict(verdict, recipient.message_id, recipient.marketplace, reject=rejects)
        case Checked(recipient=recipient):
            return Reply(250, "2.0.0", f"{recipient.message_id} checked, not relayed; the answer follows by mail")
        case Duplicate(recipient=recipient):
            return smtp_text.reply_for_duplicate(recipient.message_id)
        case ForOperator(recipient=recipient):
            return Reply(250, "2.0.0", f"{recipient.message_id} recorded, goes to the operator")
        case Merged(into=into):
            return reply(into, rejects=rejects)
        case _:
            assert_never(result)


async def dispatch(services: Services, item: Item, stored: StoredContent | None) -> Settlement:
    """Makes one attempt at an item that this process has leased: recheck, compose, sign, deliver.

    Returns the settlement for the store. Raises UnavailableError.
    """
    now = services.clock.now()
    if stored is not None:
        # A message that this process accepted within the last second need not be judged again.
        just_judged = now - item.queued_at < timedelta(seconds=1)
        return await _attempt(services, item, stored, now, just_judged=just_judged)
    with services.lanes.content(item.destination) as take_memory:
        try:
            stored = await services.store.queue.content(item, take_memory)
        except NoRoomError:
            until = _soon(services, now)
            return await settling.delayed_by_us(services, item, until, now, at_last=ReasonCode.EXPIRED)
        if stored is None:
            return settling.parked(services.settings.owner, item, now)
        return await _attempt(services, item, stored, now, just_judged=False)


async def _attempt(
    services: Services, item: Item, stored: StoredContent, now: datetime, *, just_judged: bool
) -> Settlement:
    found = await recheck(services.store, services.marketplaces, item, stored, now, just_judged=just_judged)
    match found:
        case ReturnIt(reason=reason):
            return await settling.returned(services, item, reason, now)
        case WaitUntil(until=until):
            return settling.put_aside(services.settings.owner, item, until)
        case Deliver(mailbox=mailbox) if not just_judged and services.destination_of(mailbox) != item.destination:
            return settling.moved(services.settings.owner, item, services.destination_of(mailbox), now)
        case Deliver(item=item, mailbox=mailbox):
            if item.kind is ItemKind.NOTICE and (free_at := await _full_until(services, item, now)):
                return settling.put_aside(services.settings.owner, item, free_at)
            outgoing = await settling.compose(services, item, stored, mailbox, now)
            try:
                delivery = await services.courier.deliver(outgoing)
            except TooHeavyError:
                return await settling.too_complex(services, item, services.clock.now())
            except HeavyMailError:
                now = services.clock.now()
                until = _soon(services, now)
                return await settling.delayed_by_us(services, item, until, now, at_last=ReasonCode.TOO_COMPLEX)
            if delivery.again_s:
                now = services.clock.now()
                return await settling.waited(services, item, now + timedelta(seconds=delivery.again_s), now)
            return await settling.settle(services, item, mailbox, delivery, services.clock.now())
        case _:
            assert_never(found)


def _soon(services: Services, now: datetime) -> datetime:
    """Returns the time of the next attempt at an item for which the relay has no memory or no worker now."""
    return now + timedelta(seconds=_SHORTEST_WAIT_S * (1 + 2 * services.jitter()))


async def _full_until(services: Services, item: Item, now: datetime) -> datetime | None:
    """Returns the time until which a notice must wait, or None if it may be sent now (R-OUT-07).

    A notice waits if its party has got as many notices as the hourly limit allows. Raises UnavailableError.
    """
    if item.recipient_id is None:  # an earlier version did not store the party of a notice to a fixed address
        return None
    return await services.notice_quota.admit(item.recipient_id, item.id, now)
