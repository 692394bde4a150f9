"""Builds a message and the facts about it from a few arguments, for tests of the decisions in `relay.core`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from relay.core.identify import Writer, identify
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import MimeLimits, split
from relay.core.model.facts import Authentication, Facts, Proof, Scan, ThreadRef, Usage, Waiting
from relay.core.model.kind import Kind
from relay.core.model.marketplace import Fallback, Marketplace, Naming
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.optout import OptOut
from relay.core.model.order import FulfilledBy, Order
from relay.core.model.pair import Alias, Pair, Side
from relay.core.model.party import Party, PartySettings, PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason
from relay.core.model.sender import Sender, SenderState
from relay.core.model.verdict import Verdict
from relay.core.policy.changes import settings
from relay.core.policy.decide import decide

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
MAILBOX = {Role.BUYER: "hanako@mail.example", Role.SELLER: "shop@seller.example"}
ALIAS = {Role.BUYER: "buyeraliasbuyer2", Role.SELLER: "selleraliasselle"}


def marketplace(**changes: Any) -> Marketplace:
    values: dict[str, Any] = {
        "id": "ichiba",
        "name": "Ichiba",
        "domain": "ichiba.example",
        "mobile_domain": "m.ichiba.example",
        "mobile_carriers": frozenset({"docomo.ne.jp"}),
        "locales": ("en", "ja"),
        "help_url": "https://ichiba.example/help",
        "operator": "ops@operator.example",
        "authentication": Fallback.HOLD,
        "reject_at_data": False,
        "show_seller_name": True,
        "show_buyer_name": False,
        "policies": (Policy(),),
    }
    return Marketplace(**values | changes)


def side(role: Role, *, state: str = "active", mailbox: bool = True, settings: dict[str, Any] | None = None) -> Side:
    party = Party(
        id=f"{role}-1",
        marketplace_id="ichiba",
        role=role,
        external_ref=f"ref-{role}",
        state=PartyState(state),
        locale="en",
        display_name="",
        settings=PartySettings(**settings or {}),
    )
    return Side(
        party=party,
        alias=Alias(local_part=ALIAS[role], domain="ichiba.example", role=role),
        mailbox=MAILBOX[role] if mailbox else None,
        addresses=frozenset({MAILBOX[role]}),
    )


def opt_out(seller: str | None = None, kind: str | None = None, buyer: str = "buyer-1") -> OptOut:
    return OptOut(
        buyer_id=buyer, seller_id=seller, kind=Kind(kind) if kind else None, source="buyer page", changed_at=NOW
    )


def _order(external_id: str, *, by: str = "seller", items: Sequence[str] = (), known: Sequence[str] = ()) -> Order:
    return Order(
        id=f"id-{external_id}",
        marketplace_id="ichiba",
        pair_id="pair-1",
        external_id=external_id,
        items=tuple(items),
        fulfilled_by=FulfilledBy(by),
        known=tuple(known),
    )


def _policy(tree: dict[str, Any]) -> Policy:
    """Returns a policy from a tree as in the policy file. Fails for a key that does not exist."""
    known = settings(Policy())
    for section, keys in tree.items():
        for key in keys if isinstance(keys, dict) else ():
            assert any(path.startswith(f"{section}.{key}") for path in known), (section, key)
    return msgspec.convert(tree, Policy)


class MailCase:
    """A message to one alias (`Incoming`, `Head`) and the facts about it (`Facts`).

    By default the seller writes to the buyer, logged in and from an approved address. `raw` is a whole message and
    replaces the header and `body`. `automatic` is the class of the mail, and `marked` the class that its header shows,
    the same if it is "". `orders` are the orders of the pair, as `_order` takes them, and `order` names the one
    that the message is about. Without `orders` it is the only one, and the seller fulfils it. `policy` is nested like
    the policy file.
    """

    def __init__(
        self,
        *,
        to: str = "buyer",
        login: str | None = "author",
        trusted: bool = False,
        mail_from: str | None = None,
        from_address: str | None = None,
        sender: str | None = "approved",
        listed_elsewhere: bool = False,
        pending_senders: int = 0,
        waiting: dict[str, Any] | None = None,
        proof: str = "none",
        spf_fail: bool = False,
        dmarc_fail: bool = False,
        fallback: str = "hold",
        signatures: str = "strip",
        subject: str = "ご注文について",
        body: str = "hello",
        raw: str | bytes | None = None,
        automatic: str = "no",
        marked: str = "",
        auto_replies_today: int = 0,
        own_marks: tuple[str, ...] = (),
        hops: int = 2,
        tag: str = "",
        order: str | None = None,
        kind_mark: str = "",
        opt_outs: tuple[dict[str, Any], ...] = (),
        thread: tuple[str, ...] = (),
        references: tuple[str, ...] = (),
        open_question: bool = False,
        author_state: str = "active",
        recipient_state: str = "active",
        recipient_mailbox: bool = True,
        orders: Sequence[dict[str, Any]] = (),
        usage: dict[str, int] | None = None,
        misuse: int = 0,
        last_mail_days_ago: float | None = None,
        scans: Sequence[dict[str, Any]] = (),
        is_own_from: bool = False,
        is_check: bool = False,
        buyer: dict[str, Any] | None = None,
        seller: dict[str, Any] | None = None,
        now: datetime = NOW,
        policy: dict[str, Any] | None = None,
    ) -> None:
        role = Role(to)
        self.now = now
        settings = {Role.BUYER: buyer, Role.SELLER: seller}
        sides = {
            role: side(role, state=recipient_state, mailbox=recipient_mailbox, settings=settings[role]),
            role.other: side(role.other, state=author_state, settings=settings[role.other]),
        }
        pair = Pair(
            id="pair-1",
            marketplace_id="ichiba",
            created_at=NOW,
            buyer=sides[Role.BUYER],
            seller=sides[Role.SELLER],
        )
        from_address = MAILBOX[role.other] if from_address is None else from_address
        party_ids = {"author": f"{role.other}-1", "recipient": f"{role}-1", None: None}
        self.policy = _policy(policy or {})
        self.market = marketplace(
            authentication=Fallback(fallback), policies=(self.policy,), signatures=Naming(signatures)
        )
        self.incoming = Incoming(
            peer=Peer(
                port=Port.SUBMISSION if login else Port.MX,
                client_ip="192.0.2.1",
                helo="client.example",
                tls=True,
                login_party_id=party_ids.get(login, login),
                trusted=trusted,
            ),
            mail_from=from_address if mail_from is None else mail_from,
            rcpt_to=(f"{ALIAS[role]}@ichiba.example",),
            smtputf8=False,
            content=_content(raw if raw is not None else f"Subject: x\n\n{body}\n"),
            received_at=now,
        )
        self.head = Head(
            from_address=from_address,
            from_name="",
            subject=subject,
            message_id="m1@seller.example",
            references=references,
            automatic=Automatic(marked or automatic),
            kind_mark=kind_mark,
            own_marks=tuple(own_marks),
            hops=hops,
        )
        all_orders = tuple(_order(**one) for one in orders) or ((_order(order),) if order else ())
        self.facts = Facts(
            marketplace=self.market,
            pair=pair,
            to=role,
            tag=tag,
            order=next((one for one in all_orders if one.external_id == order), None),
            orders=all_orders,
            authentication=Authentication(proof=Proof(proof), spf_fail=spf_fail, dmarc_fail=dmarc_fail),
            from_address=from_address,
            sender=Sender(id="s1", party_id=f"{role.other}-1", address=from_address, state=SenderState(sender))
            if sender
            else None,
            listed_elsewhere=listed_elsewhere,
            waiting=Waiting(
                has_place=sender == "unknown" or pending_senders < self.policy.senders.pending, **waiting or {}
            ),
            opt_outs=tuple(opt_out(**scope) for scope in opt_outs),
            thread_refs=tuple(
                ThreadRef(incoming_id=f"{author}@in", outgoing_id=f"{author}@out", author=Role(author))
                for author in thread
            ),
            open_question=open_question,
            auto_replies_today=auto_replies_today,
            automatic=Automatic.REPLY if mail_from == "" else Automatic(automatic),
            usage=Usage(**usage or {}),
            misuse=misuse,
            thread_last_at=None if last_mail_days_ago is None else now - timedelta(days=last_mail_days_ago),
            is_own_from=is_own_from,
            is_check=is_check,
            scans=tuple(msgspec.convert(one, Scan) for one in scans),
        )

    def writer(self) -> Writer | Reason:
        return identify(
            self.incoming, self.head, self.facts, self.facts.marketplace.policy_at(self.incoming.received_at)
        )

    def verdict(self) -> Verdict:
        writer = self.writer()
        assert isinstance(writer, Writer), writer
        root = split(self.incoming.content, MimeLimits())
        return decide(self.incoming, self.head, root, self.facts, writer, self.policy, self.now)


def _content(message: str | bytes) -> bytes:
    raw = message if isinstance(message, bytes) else message.encode()
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
