"""A marketplace with data for each action, and one call of each action as staff make it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from relay.actions import (
    bypass,
    holds,
    keys,
    marks,
    master_keys,
    messages,
    opt_outs,
    order_import,
    orders,
    pairs,
    parties,
    passwords,
    queue,
    senders,
    threads,
)
from relay.actions.actor import Actor, Right
from relay.actions.grounds import Grounds
from relay.actions.marks import Complaint
from relay.actions.orders import OrderValues
from relay.actions.parties import PartyUpdate
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof, Signature, SignatureProof
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming, MessageState
from relay.core.model.party import Party, Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.order_report import OrderRow
from relay.edge.authenticate import SessionAuthenticator
from relay.ports.audit import AuditAction
from relay.steps.services import Services
from tests.support.market_env import BUYER, SELLER, MarketEnv, market_env
from tests.support.reports import delivery_report

HELPER = "helper@pottery.example"
MOVED = "moved@phone.example"
STAFF = "Staff-Label"
GROUNDS = Grounds(case="C-1", reason=f"{BUYER} asked")
SIGNER = "pottery.example"
TYPED = "typed-by-the-reporter"


@dataclass
class ActionEnv:
    """A marketplace with data for each action.

    `from_seller` and `from_buyer` are relayed messages. The messages `held` wait for a decision of their author; the
    last of them waits for the confirmation of the domain that has signed it.
    """

    market: MarketEnv
    from_seller: str
    from_buyer: str
    held: list[str]
    password_id: str

    @property
    def services(self) -> Services:
        return self.market.services

    @property
    def marketplace(self) -> Marketplace:
        return self.services.marketplaces.by_id["market"]

    @property
    def buyer(self) -> Party:
        return self.market.pair.buyer.party

    @property
    def seller(self) -> Party:
        return self.market.pair.seller.party

    async def snapshot(self) -> Sequence[object]:
        """Everything that an action can change."""
        store, pair = self.market.store, self.market.pair
        found = await store.records.messages()
        return [
            found,
            [await store.records.history(message.id) for message in found],
            await store.opt_outs.history(self.buyer.id),
            await store.limits.misuse_history(self.seller.id),
            [await store.senders.of_party(party.id) for party in (self.buyer, self.seller)],
            [await store.senders.confirmed_domains(party.id) for party in (self.buyer, self.seller)],
            [(party, await store.parties.mailbox(party.id)) for party in await store.parties.in_marketplace("market")],
            await store.pairs.in_marketplace("market"),
            await store.orders.of_pair(pair.id),
            await store.queue.lines(),
            await store.threads.last_at(pair.id, None),
            await store.app_passwords.of_username("S1"),
            await store.dkim_keys.of_domain("market.example"),
            await store.audit_log.newest(),
        ]


@asynccontextmanager
async def action_env(directory: Path) -> AsyncIterator[ActionEnv]:
    async with market_env(directory) as market:
        await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False)
        await market.send(BUYER, market.seller_alias, login=Role.BUYER, trusted=False)
        [to_buyer] = [mail for mail in await market.deliver_due() if mail.rcpt_to == BUYER]
        await market.send_raw(delivery_report(to_buyer.mail_from), "", to_buyer.mail_from, trusted=False)
        authors = {one.author_role: one.id for one in await market.store.records.messages()}
        for number in range(2):
            await market.send(SELLER, market.buyer_alias, trusted=False, Subject=f"Unproven {number}")
        by_session, market.services.authenticator = market.services.authenticator, SignedElsewhere()
        await market.send(SELLER, market.buyer_alias, trusted=False, Subject="Signed")
        market.services.authenticator = by_session
        await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
        found = await market.store.records.messages(state=MessageState.HELD)
        yield ActionEnv(
            market=market,
            from_seller=authors[Role.SELLER],
            from_buyer=authors[Role.BUYER],
            held=sorted(one.id for one in found if ReasonCode.SENDER_UNPROVEN in one.detail.reason_codes),
            password_id=await market.store.app_passwords.add(market.pair.seller.party.id, "old", "hash"),
        )


class SignedElsewhere(SessionAuthenticator):
    """Finds every From proven by a signature that names no recipient, or by one for which that does not count."""

    def __init__(self, *, sealed: bool = False) -> None:
        super().__init__()
        self.sealed = sealed

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        signature = Signature(domain=SIGNER, selector="s", value=sha256(incoming.content).digest())
        signed = SignatureProof(signatures=(signature,), domains=(SIGNER,), sealed=self.sealed)
        return Authentication(proof=Proof.ALIGNED, signed=signed)


Run = Callable[[Actor, ActionEnv], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """One use of an action.

    `logged` is empty for an action that only reads what anybody may see. `owner` is the party that may do it too, None
    for the staff alone.
    """

    action: Callable[..., object]
    right: Right
    logged: Sequence[AuditAction]
    run: Run
    owner: Role | None = None


async def _import(actor: Actor, env: ActionEnv) -> object:
    row = OrderRow(line=2, order_id="A-2", buyer_ref="B2", buyer_mailbox=MOVED, seller_ref="S1", known=("090-1234",))
    imported = order_import.import_orders(actor, env.services, env.marketplace, [row])
    return [outcome async for outcome in imported]


async def _rotate(actor: Actor, env: ActionEnv) -> object:
    return [left async for left in master_keys.rotate(actor, env.services)]


def _markets(env: ActionEnv) -> list[Marketplace]:
    return [env.marketplace]


CASES: Sequence[Case] = (
    Case(
        parties.put,
        Right.PUT_PARTIES,
        [AuditAction.PARTY_PUT],
        lambda actor, env: parties.put(
            actor, env.services, env.marketplace, Role.BUYER, "B1", PartyUpdate(mailbox=MOVED, display_name="Hana")
        ),
    ),
    Case(
        parties.masked_mailbox,
        Right.PUT_PARTIES,
        [],
        lambda actor, env: parties.masked_mailbox(actor, env.services, env.seller),
        Role.SELLER,
    ),
    Case(
        parties.set_product_support,
        Right.SET_PRODUCT_SUPPORT,
        [AuditAction.PRODUCT_SUPPORT_SET],
        lambda actor, env: parties.set_product_support(actor, env.services, env.seller, on=True),
        Role.SELLER,
    ),
    Case(
        parties.read_mailboxes,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ] * 2,
        lambda actor, env: parties.read_mailboxes(actor, env.services, [env.buyer, env.seller], GROUNDS),
    ),
    Case(
        pairs.put,
        Right.PUT_ORDERS,
        [AuditAction.PAIR_PUT],
        lambda actor, env: pairs.put(actor, env.services, env.marketplace, env.buyer, env.seller),
    ),
    Case(
        orders.put,
        Right.PUT_ORDERS,
        [AuditAction.PAIR_PUT, AuditAction.ORDER_PUT],
        lambda actor, env: orders.put(
            actor, env.services, env.marketplace, "A-1", env.buyer, env.seller, OrderValues(known=("090-1",))
        ),
    ),
    Case(
        order_import.import_orders,
        Right.PUT_ORDERS,
        [AuditAction.PARTY_PUT, AuditAction.PARTY_PUT, AuditAction.PAIR_PUT, AuditAction.ORDER_PUT],
        _import,
    ),
    Case(
        senders.add,
        Right.DECIDE_SENDERS,
        [AuditAction.SENDER_PUT],
        lambda actor, env: senders.add(actor, env.services, env.seller, "@agency.example", label=STAFF),
        Role.SELLER,
    ),
    Case(
        senders.decide,
        Right.DECIDE_SENDERS,
        [AuditAction.SENDER_DECIDED] * 2,
        lambda actor, env: senders.decide(actor, env.services, env.seller, [HELPER, SELLER], SenderState.APPROVED),
        Role.SELLER,
    ),
    Case(
        senders.confirm_domain,
        Right.DECIDE_SENDERS,
        [AuditAction.SIGNING_DOMAIN_CONFIRMED],
        lambda actor, env: senders.confirm_domain(actor, env.services, env.seller, "agency.example"),
        Role.SELLER,
    ),
    Case(
        senders.confirm_domain,
        Right.DECIDE_SENDERS,
        [AuditAction.SIGNING_DOMAIN_WITHDRAWN],
        lambda actor, env: senders.confirm_domain(actor, env.services, env.seller, "Agency.Example", confirmed=False),
        Role.SELLER,
    ),
    Case(
        senders.read_confirmed_domains,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ],
        lambda actor, env: senders.read_confirmed_domains(actor, env.services, env.seller, GROUNDS),
    ),
    Case(
        senders.read,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ],
        lambda actor, env: senders.read(actor, env.services, env.seller, GROUNDS),
    ),
    Case(
        senders.read_pending,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ],
        lambda actor, env: senders.read_pending(actor, env.services, env.seller, GROUNDS),
    ),
    Case(
        opt_outs.put,
        Right.SET_OPT_OUTS,
        [AuditAction.OPT_OUT_SET],
        lambda actor, env: opt_outs.put(actor, env.services, env.buyer, None, None, out=True),
        Role.BUYER,
    ),
    Case(
        opt_outs.put,
        Right.SET_OPT_OUTS,
        [AuditAction.OPT_OUT_CLEARED],
        lambda actor, env: opt_outs.put(actor, env.services, env.buyer, None, None, out=False),
        Role.BUYER,
    ),
    Case(
        master_keys.add,
        Right.MANAGE_KEYS,
        [AuditAction.MASTER_KEY_MADE],
        lambda actor, env: master_keys.add(actor, env.services),
    ),
    Case(master_keys.rotate, Right.MANAGE_KEYS, [AuditAction.MASTER_KEY_ROTATED], _rotate),
    Case(
        master_keys.remove,
        Right.MANAGE_KEYS,
        [AuditAction.MASTER_KEY_REMOVED],
        lambda actor, env: master_keys.remove(actor, env.services),
    ),
    Case(
        messages.read_text,
        Right.READ_TEXT,
        [AuditAction.TEXT_READ],
        lambda actor, env: messages.read_text(actor, env.services, env.from_seller, form="diff", grounds=GROUNDS),
    ),
    Case(
        messages.read_report,
        Right.READ_TEXT,
        [AuditAction.TEXT_READ],
        lambda actor, env: messages.read_report(actor, env.services, env.from_seller, None, GROUNDS),
    ),
    Case(
        messages.read_hosts,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ],
        lambda actor, env: messages.read_hosts(actor, env.services, env.from_seller, GROUNDS),
    ),
    Case(
        holds.release,
        Right.DECIDE_HOLDS,
        [AuditAction.HOLD_RELEASED],
        lambda actor, env: holds.release(actor, env.services, env.held[0]),
        Role.SELLER,
    ),
    Case(
        holds.release_always,
        Right.DECIDE_HOLDS,
        [AuditAction.HOLD_RELEASED, AuditAction.SIGNING_DOMAIN_CONFIRMED],
        lambda actor, env: holds.release_always(actor, env.services, env.held[2]),
        Role.SELLER,
    ),
    Case(
        holds.send_back,
        Right.DECIDE_HOLDS,
        [AuditAction.HOLD_RETURNED],
        lambda actor, env: holds.send_back(actor, env.services, env.held[1]),
        Role.SELLER,
    ),
    Case(
        threads.reopen,
        Right.REOPEN_THREADS,
        [AuditAction.THREADS_REOPENED],
        lambda actor, env: threads.reopen(actor, env.services, env.market.pair),
        Role.BUYER,
    ),
    Case(
        marks.not_important,
        Right.MARK_NOT_IMPORTANT,
        [AuditAction.MARKED_NOT_IMPORTANT],
        lambda actor, env: marks.not_important(actor, env.services, env.from_seller),
        Role.BUYER,
    ),
    Case(
        marks.no_reply_needed,
        Right.MARK_NO_REPLY,
        [AuditAction.MARKED_NO_REPLY_NEEDED],
        lambda actor, env: marks.no_reply_needed(actor, env.services, env.from_buyer),
        Role.SELLER,
    ),
    Case(
        marks.report_abuse,
        Right.REPORT_ABUSE,
        [AuditAction.ABUSE_REPORTED],
        lambda actor, env: marks.report_abuse(
            actor, env.services, Complaint(message_id=env.from_seller, reporter=env.buyer, words=TYPED)
        ),
        Role.BUYER,
    ),
    Case(
        bypass.restore,
        Right.RESTORE_BYPASS,
        [AuditAction.BYPASS_RESTORED],
        lambda actor, env: bypass.restore(actor, env.services, env.seller),
    ),
    Case(
        passwords.add,
        Right.MANAGE_PASSWORDS,
        [AuditAction.PASSWORD_ADDED],
        lambda actor, env: passwords.add(actor, env.services, env.seller, STAFF),
        Role.SELLER,
    ),
    Case(
        passwords.revoke,
        Right.MANAGE_PASSWORDS,
        [AuditAction.PASSWORD_REVOKED],
        lambda actor, env: passwords.revoke(actor, env.services, env.password_id),
    ),
    Case(
        queue.flush,
        Right.MANAGE_QUEUE,
        [AuditAction.QUEUE_FLUSHED],
        lambda actor, env: queue.flush(actor, env.services, "hanako-yamada.example"),
    ),
    Case(
        queue.read_domains,
        Right.READ_ADDRESSES,
        [AuditAction.ADDRESSES_READ],
        lambda actor, env: queue.read_domains(actor, env.services, GROUNDS),
    ),
    Case(
        keys.generate,
        Right.MANAGE_KEYS,
        [AuditAction.KEY_MADE],
        lambda actor, env: keys.generate(actor, env.services, _markets(env), ["rsa-sha256"]),
    ),
    Case(
        keys.prepare,
        Right.MANAGE_KEYS,
        [AuditAction.KEY_MADE],
        lambda actor, env: keys.prepare(actor, env.services, _markets(env), ["ed25519-sha256"]),
    ),
    Case(
        keys.activate,
        Right.MANAGE_KEYS,
        [AuditAction.KEY_ACTIVATED],
        lambda actor, env: keys.activate(actor, env.services, _markets(env), None),
    ),
    Case(
        keys.retire,
        Right.MANAGE_KEYS,
        [AuditAction.KEY_RETIRED],
        lambda actor, env: keys.retire(actor, env.services, _markets(env), 1, selector="e1", at_once=True),
    ),
    Case(
        senders.masked,
        Right.DECIDE_SENDERS,
        [],
        lambda actor, env: senders.masked(actor, env.services, [None, "nothing"]),
    ),
    Case(
        senders.find,
        Right.DECIDE_SENDERS,
        [],
        lambda actor, env: senders.find(actor, env.services, env.seller, SELLER),
        Role.SELLER,
    ),
    Case(
        orders.cancel,
        Right.PUT_ORDERS,
        [AuditAction.ORDER_CANCELLED],
        lambda actor, env: orders.cancel(actor, env.services, env.marketplace, "A-1"),
    ),
    Case(
        pairs.close,
        Right.PUT_ORDERS,
        [AuditAction.PAIR_CLOSED],
        lambda actor, env: pairs.close(actor, env.services, env.market.pair),
    ),
    Case(
        pairs.renew,
        Right.PUT_ORDERS,
        [AuditAction.ALIASES_RENEWED],
        lambda actor, env: pairs.renew(actor, env.services, env.marketplace, env.market.pair, {Role.BUYER}),
    ),
)
"""In an order in which they can be run one after the other."""
