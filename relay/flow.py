"""The way of a message, as the README draws it:

    receive ▶ identify ▶ decide ▶ rewrite ▶ record+queue ──250──▶ deliver ▶ settle (▶ notice)

`accept` runs from receive to the commit that 250 stands for, `dispatch` from deliver to settle. `judge` is the first
half of `accept`, without side effect: what `relay simulate` shows by it is what the live path does (R-POL-01).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from relay.core.identify import identify
from relay.core.mail.head import HeadError, hops, read_head
from relay.core.mail.mime import MimeError, split
from relay.core.model.facts import Authentication
from relay.core.model.item import Item
from relay.core.model.message import Incoming
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.reply import Reply
from relay.core.model.verdict import Action, Verdict
from relay.core.notice import smtp_text
from relay.core.policy.decide import decide
from relay.core.policy.reach import reach
from relay.core.rewrite.rewrite import rewrite
from relay.ports import OvertakenError, Settlement, StoredContent, Use
from relay.steps import record, settling
from relay.steps.gather import Target, find_target, gather, plan
from relay.steps.judgement import ParsedMail, RecipientResult, Refusal, TransactionResult
from relay.steps.offload import offload, weight
from relay.steps.recheck import Way, recheck
from relay.steps.recipients import QuotaInTransaction, merge_recipients
from relay.steps.scanning import Scans
from relay.steps.services import Services


async def accept(services: Services, incoming: Incoming, *, again: bool = False) -> Sequence[Reply]:
    """Takes one message in; the replies, one per recipient, stand for a durable commit. Raises UnavailableError."""
    judgement = await judge(services, incoming)
    replies = [reply(judged, judgement) for judged in judgement.judged]
    entry = await record.entry(services, incoming, judgement)
    try:
        await services.store.accept(entry.acceptance)
    except OvertakenError:
        if again:
            raise
        return await accept(services, incoming, again=True)
    # Nothing from here on may fail: a 451 for what is durable would make the client send it again.
    services.dispatcher.submit(entry.submitted)
    if entry.acceptance.notices:
        services.dispatcher.notify()
    return replies


async def judge(services: Services, incoming: Incoming) -> TransactionResult:
    """Receive, identify, decide and rewrite, for each recipient by itself (R-IN-05)."""
    targets = [await find_target(services, address) for address in incoming.rcpt_to]
    content = incoming.content
    hop_count = await offload(len(content), hops, content) if any(target.is_operator for target in targets) else 0
    try:
        mail = await receive(services, incoming)
    except (HeadError, MimeError) as error:
        code = error.code if isinstance(error, HeadError) else ReasonCode.MALFORMED
        refusal = Refusal(reason=Reason(code=code, values=(("detail", str(error)),)))
        judged = [
            _to_operator(services, incoming, target, hop_count)
            if target.is_operator
            else RecipientResult(target=target, message_id=services.ids.new(), outcome=refusal)
            for target in targets
        ]
        return TransactionResult(mail=None, judged=merge_recipients(incoming, judged))
    authentication = await services.authenticator.authenticate(incoming, mail.head.from_address)
    scans = Scans(services, incoming)
    judged, spent = [], QuotaInTransaction()
    for target in targets:
        if target.is_operator:
            judged.append(_to_operator(services, incoming, target, hop_count))
            continue
        one = await _judge_one(services, incoming, mail, authentication, scans, target, spent.uses)
        spent.add(one, incoming)
        judged.append(one)
    return TransactionResult(mail=mail, authentication=authentication, judged=merge_recipients(incoming, judged))


def _to_operator(services: Services, incoming: Incoming, target: Target, hop_count: int) -> RecipientResult:
    """The operator takes mail that cannot be read too (R-IN-10), but none that goes round (R-OUT-08)."""
    goes_round = hop_count > target.marketplace.policy_at(incoming.received_at).limits.hop_limit
    refusal = Refusal(reason=Reason(code=ReasonCode.LOOP)) if goes_round else None
    return RecipientResult(target=target, message_id=services.ids.new(), outcome=refusal)


async def receive(services: Services, incoming: Incoming) -> ParsedMail:
    """Reads structure and header within the limits. Raises MimeError, HeadError."""
    content = incoming.content
    root = await offload(len(content), split, content, services.settings.mime_limits)
    return ParsedMail(root=root, head=read_head(content, root))


async def _judge_one(
    services: Services,
    incoming: Incoming,
    mail: ParsedMail,
    authentication: Authentication,
    scans: Scans,
    target: Target,
    spent: Counter[Use],
) -> RecipientResult:
    message_id = services.ids.new()
    if target.pair is None or target.to is None:
        unknown = Reason(code=ReasonCode.ADDRESS_UNKNOWN)
        return RecipientResult(target=target, message_id=message_id, outcome=Refusal(reason=unknown))
    facts = await gather(services, incoming, mail.head, authentication, target, spent)
    writer = identify(incoming, mail.head, facts)
    if isinstance(writer, Reason):
        return RecipientResult(target=target, message_id=message_id, facts=facts, outcome=Refusal(reason=writer))
    facts = replace(facts, scans=await scans.get())
    now = incoming.received_at
    policy, size = facts.marketplace.policy_at(now), weight(incoming.content, mail.root)
    verdict = await offload(size, decide, incoming, mail.head, mail.root, facts, writer, policy, now)
    rewritten = None
    if verdict.action is not Action.RETURN and not verdict.to_operator and not target.check:
        the_plan = plan(services, incoming, facts, verdict, message_id, mail.head.from_name)
        rewritten = await offload(size, rewrite, incoming.content, mail.root, the_plan)
    asks = target.check and writer.registered and writer.role is Role.SELLER and facts.to is Role.BUYER
    return RecipientResult(
        target=target,
        message_id=message_id,
        facts=facts,
        writer=writer,
        outcome=verdict,
        rewritten=rewritten,
        reach=reach(replace(facts, thread_refs=()), policy, now) if asks else None,
    )


def reply(judged: RecipientResult, judgement: TransactionResult) -> Reply:
    """What the client is told about one recipient; a merged copy shares the answer of what it was merged into."""
    marketplace = judged.target.marketplace
    match judged.outcome:
        case Refusal(reason=reason):
            return smtp_text.reply_for_refusal(reason, marketplace)
        case Verdict() if judged.target.check:
            return Reply(250, "2.0.0", f"{judged.message_id} checked, not relayed; the answer follows by mail")
        case Verdict() as verdict:
            return smtp_text.reply_for_verdict(verdict, judged.message_id, marketplace, reject=judgement.rejects)
        case None if judged.merged_into:
            return reply(next(j for j in judgement.judged if j.message_id == judged.merged_into), judgement)
        case None:
            return Reply(250, "2.0.0", f"{judged.message_id} recorded, goes to the operator")


async def dispatch(services: Services, item: Item, stored: StoredContent | None) -> Settlement:
    """One attempt at an item that is leased by us: look again, compose, sign, deliver; yields what to settle."""
    now = services.clock.now()
    # What this process has accepted within a second is not looked up again.
    just_judged = stored is not None and now - item.queued_at < timedelta(seconds=1)
    stored = stored or await services.store.content(item)
    if stored is None:
        return settling.parked(services, item, now)
    match await recheck(services, item, stored, now, just_judged=just_judged):
        case Reason() as reason:
            return await settling.returned(services, item, reason, now)
        case datetime() as until:
            return settling.put_aside(services, item, until)
        case Way(item=item, mailbox=mailbox):
            outgoing = await settling.compose(services, item, stored, mailbox, now)
            delivery = await services.courier.deliver(outgoing)
            return await settling.settle(services, item, mailbox, delivery, services.clock.now())
