"""Contains the data of the demo: one marketplace, two sellers, four buyers, and the orders between them."""

from dataclasses import dataclass
from typing import Final

from relay.core.model.party import Role

MARKETPLACE: Final = "demo"
DOMAIN: Final = "demo.example"
MOBILE_DOMAIN: Final = "m.demo.example"
CARRIER: Final = "docomo.example"
OPERATOR: Final = "operator"
OPERATOR_MAILBOX: Final = "desk@operator.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoParty:
    """One party of the demo.

    `ref` is the marketplace's reference for the party. It is also the name of the party's mailbox and of the directory
    with its mails. `unlisted_address` is another address of the same person, which is on no list of senders. A mailbox
    that is `gone` refuses all mail.
    """

    ref: str
    role: Role
    name: str
    mailbox: str
    locale: str
    unlisted_address: str = ""
    opted_out: bool = False
    gone: bool = False

    @property
    def password(self) -> str:
        """Returns the app password. It is the same in every demo, so that commands can be copied."""
        return f"{self.ref}-demo-password"

    @property
    def mobile(self) -> bool:
        """Whether the mailbox is at the mobile carrier."""
        return self.mailbox.endswith("@" + CARRIER)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order. `seller` and `buyer` are references of parties; `item` is the id of the item that was bought."""

    order: str
    seller: str
    buyer: str
    item: str


ALICE: Final = DemoParty(
    ref="alice",
    role=Role.SELLER,
    name="Harbour Books",
    mailbox="alice@harbour-books.example",
    locale="en",
    unlisted_address="alice@her-holiday-mail.example",
)
KAEDE: Final = DemoParty(
    ref="kaede",
    role=Role.SELLER,
    name="かえで工具店",
    mailbox="kaede@kaede-kogu.example",
    locale="ja",
    unlisted_address="kaede@telework.example",
)
BOB: Final = DemoParty(
    ref="bob",
    role=Role.BUYER,
    name="Bob Miller",
    mailbox="bob@mail.example",
    locale="en",
    unlisted_address="bob@bobs-office.example",
)
# RFC 5321 does not allow this local part, but mobile carriers once gave such addresses out (R-ADR-03).
HANAKO: Final = DemoParty(
    ref="hanako", role=Role.BUYER, name="佐藤 花子", mailbox=f"hanako..sato@{CARRIER}", locale="ja"
)
CAROL: Final = DemoParty(
    ref="carol", role=Role.BUYER, name="Carol Jones", mailbox="carol@post.example", locale="en", opted_out=True
)
DAVE: Final = DemoParty(
    ref="dave", role=Role.BUYER, name="Dave Brown", mailbox="dave@moved-away.example", locale="en", gone=True
)

PARTIES: Final = (ALICE, KAEDE, BOB, HANAKO, CAROL, DAVE)
BY_REF: Final = {demo_party.ref: demo_party for demo_party in PARTIES}
PURCHASES: Final = (
    Purchase("250-1001", "alice", "bob", "BOOK-SAILS"),
    Purchase("250-1002", "alice", "carol", "BOOK-TIDES"),
    Purchase("250-1003", "alice", "dave", "BOOK-KNOTS"),
    Purchase("250-1004", "alice", "hanako", "BOOK-STARS"),
    # The id looks like a mobile phone number, but belongs to a known order (R-POL-09).
    Purchase("090-1234-5678", "kaede", "hanako", "KANNA-70"),
    Purchase("250-2002", "kaede", "bob", "NOKO-240"),
)
