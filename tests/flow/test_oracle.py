"""A writer learns nothing of the other side's secrets (R-ADR-07, R-IN-02, R-POL-08, R-POL-19, R-SND-02).

Two worlds are drawn that differ in these secrets alone: real addresses and domains, names, lists of senders, further
pairs, other accounts, and which of several mailboxes is in use. The same probes are sent in both. All that the probing
side can see must be equal: replies, notices and their number. So must the numbers of look-ups, writes and items be, and
nearly so the number of Python calls up to the answer, where the text holds no guess.
"""

import asyncio
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core import dkim
from relay.core.model.marketplace import Marketplaces
from relay.core.model.party import Role
from relay.core.model.policy import ActionByKind, Content, ContentAction, Policy
from relay.core.model.sender import SenderState
from relay.ports import DkimKey
from tests.support.counted_store import CountedStore
from tests.support.market_env import Aligned, MarketEnv, market_env

OWN = "owner@shop.example"
SIGNING_KEY = dkim.generate("ed25519-sha256")
LOCALS = ("hanako", "h.suzuki", "taro")
DOMAINS = ("mail.example", "suzuki.example", "shop.example")
ADDRESSES = tuple(f"{local}@{domain}" for local in LOCALS for domain in DOMAINS)
HELPER = "helper@shop.example"
ENTRIES = (*ADDRESSES, *(f"@{domain}" for domain in DOMAINS[:2]))
_MOST_OF_CALLS = 0.02
_WAITING = ("asyncio", "concurrent", "threading", "selectors", "queue", "sched", "logging", "structlog")
_IDS = re.compile(r"[0-9a-v]{26}|https://links\S+|buyer-\w{8}")


@dataclass(frozen=True)
class Secrets:
    """The secrets of the other side, and the accounts beside the pair."""

    mailboxes: tuple[str, ...]
    name: str
    senders: dict[str, SenderState]
    pairs: int
    others: tuple[str, ...]


@dataclass(frozen=True)
class Probe:
    """One mail of the probing side. `guess` is in the text or in From; `rcpt` are the sides that it goes to."""

    guess: str
    how: str
    login: bool = True
    check: bool = False
    rcpt: tuple[str, ...] = ("other",)

    @property
    def has_guess_in_text(self) -> bool:
        return self.how not in {"harmless", "from", "thread"}


HOWS = ("plain", "upper", "html", "spelt", "subject", "from", "harmless", "thread")
BODIES = {
    "plain": "Hello, is {guess} you?",
    "upper": "Hello, is {upper} you?",
    "html": '<p>Hello <a href="mailto:{guess}">you</a></p>',
    "spelt": "Hello, is {spelt} you?",
}

secrets = st.builds(
    Secrets,
    mailboxes=st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True).map(tuple),
    name=st.sampled_from(["Hanako Suzuki", "T", "山田太郎", ""]),
    senders=st.dictionaries(st.sampled_from(ENTRIES), st.sampled_from(SenderState), max_size=4),
    pairs=st.integers(0, 2),
    others=st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True).map(tuple),
)
probes = st.builds(
    Probe,
    guess=st.sampled_from(ADDRESSES),
    how=st.sampled_from(HOWS),
    login=st.booleans(),
    check=st.booleans(),
    rcpt=st.sampled_from([("other",), ("own",), ("own", "other"), ("other", "own")]),
)


@dataclass
class Seen:
    """All that is compared. `calls` has a number for each probe whose text holds no guess."""

    replies: list[str]
    notices: list[str]
    work: list[Counter[str]]
    calls: list[int]


@contextmanager
def counting_calls(counted: list[int]) -> Iterator[None]:
    """Counts the Python calls of this thread, without those that only wait for another one."""
    calls = 0

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        if event == "call":
            name = frame.f_globals.get("__name__", "")
            calls += not name.startswith(_WAITING)

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
        counted.append(calls)


async def build(market: MarketEnv, name: str, probing: Role, secret: Secrets, action: ContentAction) -> MarketEnv:
    """Returns a marketplace of its own whose pair differs from those of other worlds by the secrets."""
    base = market.services.marketplaces.by_id["market"]
    policies = (Policy(content=Content(contact=ActionByKind(action=action))),)
    fresh = replace(base, id=name, domain=f"{name}.example", policies=policies, show_seller_name=False)
    known = [one for one in market.services.marketplaces.by_id.values() if one.id[1:] in {"arket", name[1:]}]
    market.services.marketplaces = Marketplaces.of([*known, fresh], "mx.market.example")
    key = DkimKey(domain=fresh.domain, selector="e1", algorithm="ed25519-sha256", private_der=SIGNING_KEY)
    await market.store.dkim_keys.put(key)
    parties, senders = market.store.parties, market.store.senders
    for mailbox in secret.mailboxes:
        other = await parties.put(name, probing.other, "O1", mailbox=mailbox, display_name=secret.name)
    for address, state in secret.senders.items():
        await senders.put(other.id, address, state)
    own = await parties.put(name, probing, "P1", mailbox=OWN, display_name="Pots")
    domains = dict.fromkeys(Role, fresh.domain)
    buyer, seller = (own, other) if probing is Role.BUYER else (other, own)
    pair = await market.store.pairs.put(name, buyer.id, seller.id, domains)
    for number, address in enumerate(secret.others):
        await parties.put(name, probing, f"A{number}", mailbox=address)
    for number in range(secret.pairs):
        third = await parties.put(name, probing, f"T{number}", mailbox=f"t{number}@third.example")
        both = (third, other) if probing is Role.BUYER else (other, third)
        await market.store.pairs.put(name, both[0].id, both[1].id, domains)
    return replace(market, pair=pair)


def written(world: MarketEnv, probing: Role, probe: Probe) -> tuple[bytes, str, *tuple[str, ...]]:
    """Returns the mail of a probe, its envelope sender and its recipients."""
    sides = {"own": world.pair.side(probing).alias.address, "other": world.pair.side(probing.other).alias.address}
    rcpt_to = tuple(f"check+{sides[side]}" if probe.check else sides[side] for side in probe.rcpt)
    sender = (probe.guess if probe.how == "from" else OWN) if probe.login else HELPER if probe.how == "from" else OWN
    values = {"guess": probe.guess, "upper": probe.guess.upper(), "spelt": probe.guess.replace("@", " at ")}
    values["spelt"] = values["spelt"].replace(".", " dot ")
    body = BODIES.get(probe.how, "Hello, here is your table.").format(**values)
    header = {
        "From": sender,
        "To": ", ".join(rcpt_to),
        "Subject": f"About {probe.guess}" if probe.how == "subject" else "About the table",
        "Message-ID": "<m1@desk.shop.example>",
        "Content-Type": "text/html" if probe.how == "html" else "text/plain",
    }
    if probe.how == "thread":
        header["In-Reply-To"] = f"<{probe.guess}>"
    lines = [f"{name}: {value}" for name, value in header.items()]
    return "\r\n".join([*lines, "", body, ""]).encode(), sender, *rcpt_to


def masked(world: MarketEnv, text: str) -> str:
    """Returns the text with the values that differ between any two accounts by name alone."""
    for role, side in ((Role.BUYER, world.pair.buyer), (Role.SELLER, world.pair.seller)):
        text = text.replace(side.alias.address, f"<{role} alias>")
    domain = world.pair.buyer.alias.domain
    return _IDS.sub("ID", text.replace(domain, "DOMAIN"))


def read(content: bytes) -> str:
    """Returns what a mail program shows of a notice, and its report for programs."""
    message = message_from_bytes(content, policy=policy.default)
    texts = [f"{name}: {message[name]}" for name in ("From", "Subject", "In-Reply-To", "Auto-Submitted")]
    for part in message.walk():
        if not part.is_multipart():
            texts += [part.get_content_type(), str(part.get_content())]
        elif part.get_content_maintype() == "message":
            texts += [part.get_content_type(), *(str(one) for one in part.get_payload())]
    return "\n".join(texts)


async def probed(world: MarketEnv, probing: Role, sent: Sequence[Probe]) -> Seen:
    """Sends the probes, delivers all that is due, and returns all that the probing side has seen."""
    seen = Seen([], [], [], [])
    for probe in sent:
        store, counted = world.services.store, CountedStore(world.services.store)
        watched: Any = counted
        world.services.store = watched
        calls: list[int] = []
        try:
            content = written(world, probing, probe)
            with counting_calls(calls):
                replies = await world.send_raw(*content, login=probing if probe.login else None, trusted=False)
        finally:
            world.services.store = store
        seen.replies += [masked(world, f"{reply.code} {reply.enhanced} {reply.text}") for reply in replies]
        seen.work.append(counted.calls)
        if not probe.has_guess_in_text:
            seen.calls += calls
        mails = await world.deliver_due()
        for mail in mails:
            if mail.rcpt_to in {OWN, HELPER}:
                seen.notices.append(masked(world, f"{mail.rcpt_to}\n{read(mail.content)}"))
    return seen


def about_equal(first: int, second: int) -> bool:
    return abs(first - second) < _MOST_OF_CALLS * max(first, second)


@pytest.mark.parametrize("examples", [8, pytest.param(150, marks=[pytest.mark.more, pytest.mark.timeout(900)])])
def test_worlds_that_differ_in_secrets_alone_look_alike(tmp_path: Path, examples: int) -> None:
    numbers = itertools.count(1000)
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        market = runner.run(opened.enter_async_context(market_env(tmp_path)))
        market.services.authenticator = Aligned()

        @given(
            probing=st.sampled_from(Role),
            worlds=st.tuples(secrets, secrets),
            action=st.sampled_from(ContentAction),
            sent=st.lists(probes, min_size=3, max_size=6),
        )
        @settings(max_examples=examples, deadline=None)
        def alike(probing: Role, worlds: tuple[Secrets, Secrets], action: ContentAction, sent: list[Probe]) -> None:
            number = next(numbers)
            seen = []
            for letter, secret in zip("abc", (worlds[0], *worlds), strict=True):
                world = runner.run(build(market, f"{letter}{number}", probing, secret, action))
                seen.append(runner.run(probed(world, probing, sent)))
            _, first, second = seen  # the world before them warms what all mail shares
            assert first.replies == second.replies
            assert first.notices == second.notices
            assert first.work == second.work
            assert all(map(about_equal, first.calls, second.calls)), (first.calls, second.calls)

        try:
            alike()
        finally:
            runner.run(opened.aclose())
