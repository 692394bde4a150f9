"""One marketplace on a real SQLite store with a courier that records: the whole flow without sockets."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from relay import texts
from relay.config import Config, MarketplaceSection, marketplaces
from relay.core import dkim
from relay.core.bounce.keeping import ReportLimits
from relay.core.mail.mime import MimeLimits, Part
from relay.core.model.facts import Authentication, Proof
from relay.core.model.item import Item
from relay.core.model.marketplace import Marketplaces
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.operator_limits import OperatorLimits
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Limits, Policy
from relay.core.model.reply import Reply
from relay.core.retry import Schedule
from relay.edge.authenticate import SessionAuthenticator
from relay.edge.signing import BatchSigner
from relay.edge.system import SystemIds
from relay.flow import dispatch
from relay.housekeeping import Housekeeping
from relay.intake import SmtpIntake
from relay.logins import Logins
from relay.ports import Delivery, DkimKey, MessageSummary, Outgoing, Store, StoredContent
from relay.steps.daily_budget import CountedDailyBudget
from relay.steps.event_log import StructuredEventLog
from relay.steps.lanes import LaneLimits, ProcessLanes
from relay.steps.notice_log import StoredNoticeQuota
from relay.steps.offload import ThreadWorkers
from relay.steps.services import Services, Settings, SignedLinkUrls
from relay.store import connect
from relay.store.crypto import MasterKeys
from tests.support.claims import claimed
from tests.support.fakes import CountingObserver, ManualClock

DOMAIN = "market.example"
BUYER = "hanako.yamada@phone.example"
SELLER = "shop-owner@pottery.example"
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MX_IP = "198.51.100.25"
UNHURRIED = Policy(limits=Limits(instant_reply_s=0, repeated_text_bytes=0, pair_per_hour=0))
"""The shipped policy, except that tests may answer at once, repeat a text and write often."""
ACCEPTED = Delivery(
    accepted=True,
    permanent=False,
    code=250,
    enhanced="2.0.0",
    text="ok",
    phase="end_of_data",
    host="mx.phone.example",
    tls="",
    ip=MX_IP,
)
"""The answer of the server that takes all mail. It has the address `MX_IP`."""


@dataclass
class RecordingCourier:
    """A courier that takes everything, except to the addresses in `answers`, which get that result."""

    taken: list[Outgoing] = field(default_factory=list)
    answers: dict[str, Delivery] = field(default_factory=dict)

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        answer = self.answers.get(outgoing.rcpt_to, ACCEPTED)
        if answer.accepted:
            self.taken.append(outgoing)
        return answer

    async def close(self) -> None:
        pass


class Aligned(SessionAuthenticator):
    """An authenticator to which every From is proven in alignment."""

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        return Authentication(proof=Proof.ALIGNED)


class IdleDispatcher:
    """A dispatcher without capacity, so that nothing is leased when it is accepted: tests claim the items themselves."""

    def has_capacity(self, destination: str) -> bool:
        return False

    def submit(self, submitted: Sequence[tuple[Item, StoredContent | None]]) -> None:
        assert not submitted

    def notify(self) -> None:
        pass


@dataclass
class MarketEnv:
    """The services of a relay with one marketplace, and a buyer and a seller who are a pair."""

    services: Services
    intake: SmtpIntake
    clock: ManualClock
    courier: RecordingCourier
    pair: Pair

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def buyer_alias(self) -> str:
        return self.pair.buyer.alias.address

    @property
    def seller_alias(self) -> str:
        return self.pair.seller.alias.address

    async def send(
        self, sender: str, *rcpt_to: str, login: Role | None = None, trusted: bool = True, **fields: str
    ) -> list[Reply]:
        """Submits a mail and returns the reply per recipient. `fields` are header fields (`_` for `-`) and `body`."""
        body = fields.pop("body", "Good day")
        header = {"From": sender, "To": ", ".join(rcpt_to), "Subject": "About the table"}
        header |= {name.replace("_", "-"): value for name, value in fields.items()}
        message = EmailMessage(policy=policy.SMTP)
        for name, value in header.items():
            message[name] = value
        message.set_content(body)
        return await self.send_raw(bytes(message), sender, *rcpt_to, login=login, trusted=trusted)

    async def send_raw(
        self,
        content: bytes,
        mail_from: str,
        *rcpt_to: str,
        login: Role | None = None,
        trusted: bool = True,
        client_ip: str = "192.0.2.77",
        helo: str = "desk.home.example",
        is_front: bool = False,
    ) -> list[Reply]:
        peer = Peer(
            port=Port.SUBMISSION if login else Port.MX,
            client_ip=client_ip,
            helo=helo,
            tls=True,
            login_party_id=self.pair.side(login).party.id if login else None,
            trusted=trusted and login is None,
            is_front=is_front,
        )
        incoming = Incoming(
            peer=peer,
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            smtputf8=False,
            content=content,
            received_at=self.clock.now(),
        )
        return list(await self.intake.data(incoming))

    async def deliver_due(self) -> list[Outgoing]:
        """Claims and dispatches until nothing is due, and returns the mails that the courier took."""
        before = len(self.courier.taken)
        while items := await claimed(self.store.queue, "test", self.clock.now()):
            for item in items:
                await self.store.queue.settle(await dispatch(self.services, item, None))
        return self.courier.taken[before:]

    async def newest(self) -> MessageSummary:
        """Returns the record that was written last."""
        return (await self.store.records.messages(limit=1))[0]

    async def deliver_asked(self) -> list[Outgoing]:
        """Lets housekeeping ask the owners of accounts, then delivers like `deliver_due`."""
        await Housekeeping().requests(self.services)
        return await self.deliver_due()

    async def set_marketplace(self, **changes: Any) -> None:
        fresh = replace(self.services.marketplaces.by_id["market"], **changes)
        self.services.marketplaces = Marketplaces.of([fresh], "mx.market.example")


def parsed(outgoing: Outgoing) -> EmailMessage:
    message = message_from_bytes(outgoing.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@asynccontextmanager
async def market_env(directory: Path) -> AsyncIterator[MarketEnv]:
    clock, ids = ManualClock(START), SystemIds()
    observer = CountingObserver()
    event_log = StructuredEventLog(observer)
    master = MasterKeys.create(directory / "master.key")
    store = connect("sqlite:relay.db", directory, master, clock, ids, event_log=event_log)
    await store.open()
    signer = BatchSigner(dkim_keys=store.dkim_keys, clock=clock, algorithms=("ed25519-sha256",), expire_s=86_400)
    logins = Logins(store.app_passwords, store.secrets, event_log, ids, waiting=2, hasher=QUICK_HASHER)
    try:
        der = dkim.generate("ed25519-sha256")
        await store.dkim_keys.put(DkimKey(domain=DOMAIN, selector="e1", algorithm="ed25519-sha256", private_der=der))
        buyer = await store.parties.put("market", Role.BUYER, "B1", mailbox=BUYER, locale="ja", display_name="Hanako")
        seller = await store.parties.put("market", Role.SELLER, "S1", mailbox=SELLER, locale="en", display_name="Pots")
        pair = await store.pairs.put("market", buyer.id, seller.id, dict.fromkeys(Role, DOMAIN))
        section = MarketplaceSection(
            id="market",
            name="Example Market",
            domain=DOMAIN,
            operator="ops@operator.example",
            help_url="https://market.example/help",
        )
        courier = RecordingCourier()
        [market] = marketplaces(Config(marketplace=(section,)))
        services = Services(
            marketplaces=Marketplaces.of([replace(market, policies=(UNHURRIED,))], "mx.market.example"),
            settings=Settings(
                owner="test",
                hostname="mx.market.example",
                mime_limits=MimeLimits(),
                schedule=Schedule(
                    first_s=60,
                    factor=2,
                    longest_s=14_400,
                    jitter=0,
                    expire_s=432_000,
                    delayed_notice_s=14_400,
                    domain_back_off_s=60,
                ),
                lease_s=60,
                poll_s=1,
                return_path_s=86_400 * 14,
                digest_s=86_400,
                report_limits=ReportLimits(reports=3, size_bytes=10_000),
                operator_mail=OperatorLimits(),
                stranger_body_s=86_400 * 7,
            ),
            store=store,
            clock=clock,
            ids=ids,
            observer=observer,
            event_log=event_log,
            authenticator=SessionAuthenticator(),
            courier=courier,
            lanes=ProcessLanes(LaneLimits(), clock, observer),
            signer=signer,
            catalogue=texts.load(),
            dispatcher=IdleDispatcher(),
            scanners=(),
            notice_quota=StoredNoticeQuota(store, 30),
            stranger_budget=CountedDailyBudget(1_000_000),
            links=SignedLinkUrls("https://links.market.example", store.secrets.get("link"), 86_400 * 60),
            workers=ThreadWorkers(),
            jitter=lambda: 0.5,
        )
        yield MarketEnv(services=services, intake=SmtpIntake(services, logins), clock=clock, courier=courier, pair=pair)
    finally:
        logins.close()
        signer.close()
        await store.close()
