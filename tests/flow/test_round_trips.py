"""Twelve rounds between the mail programs of people: what each side reads at the end is what it would read without us.

The same rounds are played twice, through the relay and from hand to hand between people who bear their aliases as
addresses: apart from one footer, both must arrive alike.
"""

import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final
from urllib.parse import unquote

import pytest

from relay.core.model.party import Role
from relay.core.rewrite.longlines import has_long_line
from tests.support.leak_reader import found
from tests.support.mail_program import Program, Writer
from tests.support.market_env import BUYER, SELLER, START, MarketEnv
from tests.support.quoting import as_text
from tests.support.replies import (
    AppleMail,
    Au,
    Decomail,
    Docomo,
    Gmail,
    Outlook,
    Outlook365,
    PlainPython,
    Thunderbird,
    YahooJapan,
)

ROUNDS: Final = 12
SUBJECT: Final = "青い器 Blue bowl"
LINK: Final = "https://links.market.example/l/"
SHOP: Final = Writer(
    name="Taro Tanuma", address=SELLER, machine="shop-pc.kiln.pottery.example", ip="198.51.100.23", japanese=False
)
HOME: Final = Writer(
    name="Hanae Yamada-Ito", address=BUYER, machine="sp-77.home.phone.example", ip="203.0.113.200", japanese=True
)
EUROPEAN: Final = "The café’s “bowl” no. {:02} costs €5 – right? I am {}."
ASCII: Final = "Here is answer no. {:02} of the shop, {} as ever."
OF_SHOP: Final = "{:02}回目のご返信をありがとうございます。器は明日お届けします。{}まで"
OF_BUYER: Final = "第{:02}信です。器はいつ届きますか？{}まで"
WORDS: Final = {
    Role.SELLER: ("返信は不要", "No reply needed"),
    Role.BUYER: ("このようなメッセージの受信を停止", "Stop such messages"),
}
"""What stands in the footers of the one and never in those of the other."""

PAIRS: Final[dict[str, tuple[Program, str, bool, Program, str, bool]]] = {
    "Gmail and docomo": (Gmail(), ASCII, False, Docomo(), OF_BUYER, True),
    "Gmail and Gmail": (Gmail(), OF_SHOP, True, Gmail(), EUROPEAN, False),
    "Outlook in Japan and au": (Outlook("iso-2022-jp", encoding="base64"), OF_SHOP, True, Au("> "), OF_BUYER, True),
    "Outlook in Europe and Yahoo! Japan": (
        Outlook("windows-1252"),
        EUROPEAN,
        False,
        YahooJapan("iso-2022-jp"),
        OF_BUYER,
        True,
    ),
    "Outlook 365 and Apple Mail": (Outlook365(), OF_SHOP, True, AppleMail(), OF_BUYER, True),
    "Outlook and Outlook 365": (Outlook("windows-1252"), ASCII, False, Outlook365(encoding="base64"), EUROPEAN, False),
    "Thunderbird and decomail": (Thunderbird(), ASCII, False, Decomail(), OF_BUYER, True),
    "Apple Mail and Thunderbird": (AppleMail(), EUROPEAN, False, Thunderbird(), OF_BUYER, True),
    "Apple Mail and Gmail": (AppleMail(), ASCII, False, Gmail(), OF_BUYER, True),
    "Python and Yahoo! Japan": (PlainPython(), OF_SHOP, True, YahooJapan("utf-8"), OF_BUYER, True),
}
USUAL: Final = ("Gmail and docomo", "Outlook in Japan and au", "Outlook 365 and Apple Mail", "Thunderbird and decomail")
"""Each program once."""


@dataclass
class Side:
    """One of the two: who, with what program, and the mails in his folders."""

    role: Role
    writer: Writer
    program: Program
    words: str
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    def said(self, number: int) -> str:
        """With the own address in it."""
        return self.words.format(number, self.writer.address)


Carrier = Callable[[Side, Side, bytes], Awaitable[bytes]]
"""Brings a mail of the first to the second: as it arrives."""


async def play(seller: Side, buyer: Side, carry: Carrier, first_to: tuple[str, str]) -> None:
    at = START
    for number in range(1, ROUNDS + 1):
        for writer, reader in ((seller, buyer), (buyer, seller)):
            at += timedelta(minutes=7)
            new = writer.said(number)
            if writer.received:
                mail = writer.program.reply(writer.writer, writer.received[-1], new, at, number)
            else:
                mail = writer.program.write(writer.writer, first_to, SUBJECT, new, at)
            writer.sent.append(mail)
            reader.received.append(await carry(writer, reader, mail))


@pytest.mark.parametrize(
    "pair", [pair if pair in USUAL else pytest.param(pair, marks=pytest.mark.more) for pair in PAIRS]
)
async def test_after_twelve_rounds_each_side_reads_what_it_would_without_a_relay(market: MarketEnv, pair: str) -> None:
    # R-REW-01 R-REW-03 R-REW-04 R-REW-09 R-REW-10
    relayed = seated(pair)
    await play(*relayed, through(market), ("", market.buyer_alias))
    shown = {side.role: parseaddr(parsed(other.received[0])["From"])[0] for side, other in both(*relayed)}
    plain = seated(pair, market, shown)
    await play(*plain, from_hand_to_hand, (shown[Role.BUYER], market.buyer_alias))

    for (side, other), (alone, another) in zip(both(*relayed), both(*plain), strict=True):
        assert len(side.received) == len(side.sent) == ROUNDS
        is_one_thread(side, other)
        discloses_nobody(side, other)
        has_its_own_footer_alone(side)
        for number, content in enumerate(side.received):
            is_valid(content)
            keeps_subject_and_charset(content, other.sent[number])
            shown_words = words_of(content)
            assert [shown_words.count(squeezed(another.said(n))) for n in range(1, number + 2)] == [1] * (number + 1)
            is_alike(content, alone.received[number])


def seated(pair: str, market: MarketEnv | None = None, shown: dict[Role, str] | None = None) -> tuple[Side, Side]:
    """At their own addresses, or, in a market, at their aliases and under the names that the other side is shown."""
    program, words, japanese, buyers, buyers_words, buyers_japanese = PAIRS[pair]
    shop, home = replace(SHOP, japanese=japanese), replace(HOME, japanese=buyers_japanese)
    if market and shown:
        shop = replace(shop, address=market.seller_alias, name=shown[Role.SELLER])
        home = replace(home, address=market.buyer_alias, name=shown[Role.BUYER])
    return Side(Role.SELLER, shop, program, words), Side(Role.BUYER, home, buyers, buyers_words)


def both(seller: Side, buyer: Side) -> tuple[tuple[Side, Side], tuple[Side, Side]]:
    return (seller, buyer), (buyer, seller)


def through(market: MarketEnv) -> Carrier:
    async def carry(writer: Side, reader: Side, content: bytes) -> bytes:
        market.clock.forward(420)
        to = market.seller_alias if reader.role is Role.SELLER else market.buyer_alias
        (reply,) = await market.send_raw(traced(writer, content), writer.writer.address, to)
        assert reply.code == 250, reply
        (arrived,) = await market.deliver_due()
        assert arrived.rcpt_to == reader.writer.address
        return arrived.content

    return carry


def traced(side: Side, content: bytes) -> bytes:
    machine, ip = side.writer.machine, side.writer.ip
    return f"Received: from {machine} ([{ip}]) by mx.{machine}\r\n".encode() + content


async def from_hand_to_hand(_writer: Side, reader: Side, content: bytes) -> bytes:
    return re.sub(rb"(?m)^To: .*\r\n(?:[ \t].*\r\n)*", f"To: {reader.writer.address}\r\n".encode(), content, count=1)


# ---------------------------------------------------------------- what must hold


def is_one_thread(side: Side, other: Side) -> None:
    """All ids that a mail names are of mails in its reader's own folders, and it answers the one that was answered."""
    known: set[str] = set()
    for number in range(ROUNDS):
        for content in (side.sent[number], side.received[number])[:: 1 if side.role is Role.SELLER else -1]:
            mail = parsed(content)
            answers, references = ids(mail["In-Reply-To"]), ids(mail["References"])
            assert {*answers, *references} <= known
            if content is side.received[number] and known:
                last = side.sent[number if side.role is Role.SELLER else number - 1]
                threads = other.program.threads
                assert answers == ([parsed(last)["Message-ID"]] if threads else [])
                assert set(references) == (
                    known if threads == "all" == side.program.threads else set(answers) | set(references)
                )
            assert mail["Message-ID"] not in known
            known.add(mail["Message-ID"])


def discloses_nobody(side: Side, other: Side) -> None:
    writer = other.writer
    secrets = {writer.name, writer.address, writer.address.partition("@")[0], writer.machine, writer.ip}
    for content in (side.received[0], side.received[-1]):
        assert not found(content, secrets)
    for content in side.received:
        assert not [secret for secret in secrets if secret.encode() in content]
        assert not found_in_texts(content, secrets)
    assert found(traced(other, other.sent[-1]), secrets) == secrets  # it can tell


def found_in_texts(content: bytes, secrets: set[str]) -> list[str]:
    texts = "\n".join(unquote(html.unescape(text)) for _, text in texts_of(content))
    return [secret for secret in secrets if secret in texts]


def has_its_own_footer_alone(side: Side) -> None:
    before: set[str] = set()
    foreign = WORDS[Role.SELLER if side.role is Role.BUYER else Role.BUYER]
    for content in side.received:
        tokens: set[str] = set()
        for _, text in texts_of(content):
            assert text.count(".:---") == text.count("---:.") == text.count(".:___") == text.count("___:.") == 1
            squeezed = re.sub(r"[\s>]+", "", unquote(unquote(html.unescape(text))))
            links = re.findall(re.escape(LINK) + r"[\w-]{40,}", text)
            assert len(links) == squeezed.count("links.market.example") == 2
            assert not [word for word in foreign if word.replace(" ", "") in squeezed]
            tokens.update(links)
        assert len(tokens) == 2
        assert not tokens & before
        before |= tokens


def is_valid(content: bytes) -> None:
    mail = parsed(content)
    assert mail.get_all("MIME-Version") == ["1.0"]
    assert not has_long_line(content)
    assert b"\n" not in content.replace(b"\r\n", b"")
    for part in mail.walk():
        assert not part.defects
        assert not [value.defects for value in part.values() if getattr(value, "defects", ())]


def keeps_subject_and_charset(content: bytes, sent: bytes) -> None:
    arrived, written = parsed(content), parsed(sent)
    assert arrived["Subject"] == written["Subject"]
    assert [part.get_content_type() for part in arrived.walk()] == [part.get_content_type() for part in written.walk()]
    for (part, _), (was, text) in zip(texts_of(content), texts_of(sent), strict=True):
        # The footer is Japanese: what cannot say it becomes UTF-8.
        kept = part.get_content_charset() == was.get_content_charset()
        assert kept or (
            part.get_content_charset() == "utf-8" and was.get_content_charset() in {"us-ascii", "windows-1252"}
        )
        assert "\ufffd" not in text


def is_alike(content: bytes, plain: bytes) -> None:
    """Word for word, and hardly longer."""
    for (part, text), (_, alone) in zip(texts_of(content), texts_of(plain), strict=True):
        is_page = part.get_content_type() == "text/html"
        without = without_footer(text, is_page=is_page)
        left, right = (as_text(one) if is_page else one for one in (without, alone))
        assert squeezed(left) == squeezed(right)
        assert len(lines(left)) <= len(lines(right)) + 2
        assert abs(len(without) - len(alone)) <= 60, (without, alone)


# ---------------------------------------------------------------- reading


def parsed(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def texts_of(content: bytes) -> list[tuple[EmailMessage, str]]:
    parts = [part for part in parsed(content).walk() if part.get_content_maintype() == "text"]
    return [(part, part.get_content().replace("\r\n", "\n")) for part in parts]


def words_of(content: bytes) -> str:
    """What is shown: the page where there is one."""
    part, text = texts_of(content)[-1]
    return squeezed(as_text(text) if part.get_content_type() == "text/html" else text)


def squeezed(text: str) -> str:
    """Without white space and marks of quoting."""
    return re.sub(r"[\s>]+", "", text)


def lines(text: str) -> list[str]:
    return text.rstrip().split("\n")


def without_footer(text: str, *, is_page: bool) -> str:
    if is_page:
        return re.sub(r'\n?<div lang="\w+"[^>]*>\.:---.*?___:\.</div>\n?', "", text, flags=re.DOTALL)
    return re.sub(r"\n\.:---.*___:\.\n", "", text, flags=re.DOTALL)


def ids(value: str | None) -> list[str]:
    return (value or "").split()
