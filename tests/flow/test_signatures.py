"""Signatures that alone prove the writer: what they cover, whom they name, and that each is taken once (R-IN-09)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.core.model.facts import Proof
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.reply import Reply
from relay.edge.authenticate import MailAuthenticator
from relay.ports import RecordAction, UnavailableError
from tests.support.dns import TableResolver
from tests.support.fakes import CountingObserver
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed
from tests.support.signed_lists import LISTS, Fate, oversigns
from tests.support.signing import edwards_key, published, record, rsa_key, sealed, signed

SHOP = "pottery.example"
FORWARDER = "x@forwarder.example"
KEYS = published(
    ("s", SHOP, record(rsa_key())),
    ("s", f"mail.{SHOP}", record(rsa_key())),
    ("s", "list.example", record(rsa_key())),
    ("s", "else.example", record(rsa_key())),
    ("s", f"edwards.{SHOP}", record(edwards_key())),
)
NO_SPF = {SHOP: {"TXT": [b"v=spf1 -all"]}}
SPF = {SHOP: {"TXT": [b"v=spf1 ip4:192.0.2.0/24 -all"]}}
PLAIN = ("from", "to", "subject", "date", "message-id")
"""As many signers do: each field once."""


@pytest.fixture(autouse=True)
async def outside(market: MarketEnv) -> None:
    """All mail comes from hosts that SPF does not name, and any number of unproven mails may wait."""
    resolve(market, NO_SPF)
    policy = Policy()
    senders = replace(policy.senders, address_mails=1_000)
    await market.set_marketplace(policies=(replace(policy, senders=senders),))


def resolve(market: MarketEnv, spf: Mapping[str, Any], down: Sequence[str] = (), **settings: Any) -> None:
    names = TableResolver({**KEYS, **spf}, down)
    market.services.authenticator = MailAuthenticator(names, CountingObserver(), **settings)


def mail(to: str, *more: str, subject: str = "About the table", number: int = 1, drop: Sequence[str] = ()) -> bytes:
    """A mail of the seller as providers pass it on, with further header fields `more` at its end."""
    fields = [
        f"From: Pots <{SELLER}>",
        f"To: <{to}>",
        f"Subject: {subject}",
        "Date: Mon, 23 Nov 2026 10:00:00 +0900",
        f"Message-ID: <{number}@{SHOP}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        *more,
    ]
    kept = [field for field in fields if not field.startswith(tuple(f"{name}:" for name in drop))]
    return "\r\n".join((*kept, "", "Good day", "")).encode()


def by(content: bytes, fields: Sequence[str] = PLAIN, **options: Any) -> bytes:
    """The mail with a real signature of the seller's domain over these fields."""
    return signed(content, **({"domain": SHOP, "include_headers": [one.encode() for one in fields]} | options))


async def handed_in(
    market: MarketEnv, content: bytes, *to: str, mail_from: str = FORWARDER, is_front: bool = False
) -> Reply:
    recipients = to or (market.buyer_alias,)
    [reply, *_] = await market.send_raw(content, mail_from, *recipients, trusted=False, is_front=is_front)
    return reply


def is_unproven(reply: Reply) -> bool:
    return (reply.code, reply.enhanced, "(sender_unproven)" in reply.text) == (550, "5.7.1", True)


async def test_what_a_provider_signs_decides_when_spf_fails(market: MarketEnv) -> None:
    assert len({one.signer for one in LISTS}) >= 15
    for number, one in enumerate(LISTS):
        content = by(mail(market.buyer_alias, number=number), [name.strip() for name in one.fields.split(":")])
        reply = await handed_in(market, content)
        assert (reply.code == 250) is (one.fate is Fate.RELAYED), (one.signer, reply)
        assert is_unproven(reply) or "queued" in reply.text
        shown = await market.newest()
        stored = await market.store.records.message(shown.id)
        assert stored is not None
        assert (stored.signing_domain == SHOP) is (one.fate is Fate.DOMAIN), one.signer
        assert {"spf=none", "dkim=pass"} <= set(shown.detail.authentication), one.signer
        if oversigns(one):
            assert one.fate is Fate.RELAYED, one.signer
    assert {one.fate for one in LISTS} == set(Fate)


async def test_where_to_is_not_signed_the_owner_confirms_the_domain_once(market: MarketEnv) -> None:
    by_outlook = next(one for one in LISTS if one.fate is Fate.DOMAIN).fields.split(":")
    seller_id = market.pair.seller.party.id
    for number in (1, 2):
        assert is_unproven(await handed_in(market, by(mail(market.buyer_alias, number=number), by_outlook)))
    assert {one.rcpt_to for one in await market.deliver_asked()} == {SELLER}  # the owner is asked
    assert await market.store.senders.confirm_domain(seller_id, SHOP, confirmed=True, by="link")
    assert not await market.store.senders.confirm_domain(seller_id, SHOP, confirmed=True, by="link")
    assert [one.rcpt_to for one in await market.deliver_due()] == [BUYER] * 2  # what waited for that alone
    assert "queued" in (await handed_in(market, by(mail(market.buyer_alias, number=3), by_outlook))).text
    assert await market.store.senders.confirm_domain(seller_id, SHOP, confirmed=False, by="link")
    assert is_unproven(await handed_in(market, by(mail(market.buyer_alias, number=4), by_outlook)))


TRICKS: dict[str, Callable[[bytes], bytes]] = {
    "a second Subject": lambda content: b"Subject: pay 500 EUR to account 12345\r\n" + content,
    "in another case": lambda content: b"SUBJECT: pay\r\n" + content,
    "folded": lambda content: b"Subject:\r\n pay\r\n" + content,
    "with a blank before the colon": lambda content: b"Subject : pay\r\n" + content,
    "a second Date": lambda content: b"Date: Mon, 1 Jan 2024 10:00:00 +0900\r\n" + content,
    "a second Message-ID": lambda content: b"Message-ID: <other@pottery.example>\r\n" + content,
    "an added Reply-To": lambda content: b"Reply-To: thief@else.example\r\n" + content,
    "a second To": lambda content: b"To: somebody@else.example\r\n" + content,
    "a second Content-Type": lambda content: b"Content-Type: text/html\r\n" + content,
    "a second Content-Transfer-Encoding": lambda content: b"content-transfer-encoding: base64\r\n" + content,
    "a second MIME-Version": lambda content: b"MIME-Version: 1.0\r\n" + content,
    "one below the others": lambda content: content.replace(b"\r\n\r\n", b"\r\nSubject: pay\r\n\r\n", 1),
}


@pytest.mark.parametrize("named", [PLAIN, (*PLAIN, "content-type", "mime-version", "content-transfer-encoding")])
async def test_a_field_that_was_added_to_a_signed_mail_makes_it_unproven(
    market: MarketEnv, named: tuple[str, ...]
) -> None:
    for trick, change in TRICKS.items():
        content = change(by(mail(market.buyer_alias), named))
        reply = await handed_in(market, content)
        assert is_unproven(reply), trick
        shown = await market.newest()
        assert (shown.detail.proof, shown.state) == (Proof.NONE, MessageState.HELD), trick
        assert shown.detail.uncovered or "dkim=fail" in shown.detail.authentication, trick
    assert {one.rcpt_to for one in await market.deliver_asked()} == {SELLER}
    # None of these has used up the signature: the mail itself is taken.
    assert "queued" in (await handed_in(market, by(mail(market.buyer_alias), named))).text


@pytest.mark.parametrize("unsigned", ["subject", "date", "message-id"])
async def test_an_unsigned_field_that_acts_makes_it_unproven(market: MarketEnv, unsigned: str) -> None:
    content = by(mail(market.buyer_alias), [name for name in PLAIN if name != unsigned])
    assert is_unproven(await handed_in(market, content))
    assert unsigned in (await market.newest()).detail.uncovered
    names = {"subject": "Subject", "date": "Date", "message-id": "Message-ID"}
    without = mail(market.buyer_alias, drop=(names[unsigned],))
    assert "queued" in (await handed_in(market, by(without, [one for one in PLAIN if one != unsigned]))).text


async def test_an_oversigned_field_cannot_be_added_at_all(market: MarketEnv) -> None:
    content = by(mail(market.buyer_alias), (*PLAIN, *PLAIN))
    assert is_unproven(await handed_in(market, b"Subject: pay\r\n" + content))
    assert "dkim=fail" in (await market.newest()).detail.authentication


async def test_one_unsigned_content_type_is_taken_and_recorded_as_not_covered(market: MarketEnv) -> None:
    extra = "Content-Any-Words-Of-Theirs: x"
    assert "queued" in (await handed_in(market, by(mail(market.buyer_alias, extra)))).text
    assert (await market.newest()).detail.uncovered == (
        "content-*",
        "content-transfer-encoding",
        "content-type",
        "mime-version",
    )
    [relayed] = await market.deliver_due()
    assert parsed(relayed)["Subject"] == "About the table"


async def test_unsigned_thread_ids_and_fields_of_ours_have_no_effect(market: MarketEnv) -> None:
    await market.send(BUYER, market.seller_alias, login=Role.BUYER, trusted=False, Message_ID="<q@phone.example>")
    [question] = await market.deliver_due()
    known = parsed(question)["Message-ID"]
    added = (
        f"In-Reply-To: {known}",
        f"References: {known}",
        "X-Relay-Kind: order_problem",
        "X-Relay-Loop: market.example",
    )
    unsigned = by(mail(market.buyer_alias, *added))
    assert "queued" in (await handed_in(market, unsigned)).text
    shown = await market.newest()
    assert shown.kind is not Kind.ORDER_PROBLEM
    assert {"in-reply-to", "references", "x-relay-kind", "x-relay-loop"} <= set(shown.detail.uncovered)
    [relayed] = await market.deliver_due()
    assert parsed(relayed)["In-Reply-To"] is None
    assert parsed(relayed)["References"] is None
    assert parsed(relayed)["X-Relay-Loop"] == "market.example"  # our own mark alone
    covered = (*PLAIN, "in-reply-to", "references", "x-relay-kind")
    assert "queued" in (await handed_in(market, by(mail(market.buyer_alias, *added[:3], number=2), covered))).text
    assert (await market.newest()).kind is Kind.ORDER_PROBLEM
    [relayed] = await market.deliver_due()
    assert parsed(relayed)["In-Reply-To"] == "<q@phone.example>"


async def test_markers_of_automatic_mail_count_without_a_signature(market: MarketEnv) -> None:  # R-POL-14
    """They only make the relay more silent, and hardly any signer signs them."""
    for number, field in enumerate(("Auto-Submitted: auto-replied", "List-Id: <l.list.example>")):
        await handed_in(market, by(mail(market.buyer_alias, field, number=number)))
        assert (await market.newest()).detail.automatic


async def test_a_signature_is_taken_once_for_an_alias(market: MarketEnv) -> None:
    content = by(mail(market.buyer_alias))
    assert "queued" in (await handed_in(market, content)).text
    first = await market.newest()
    tagged = market.buyer_alias.replace("@", "+A-1@")
    respelled = content.replace(b"b=", b"b=\r\n ", 2)
    for again, to in (
        (content, market.buyer_alias),
        (content, tagged),
        (b"X-Any: x\r\n" + respelled, market.buyer_alias),
    ):
        reply = await handed_in(market, again, to)
        assert (reply.code, reply.text.endswith("recorded, not delivered (duplicate)")) == (250, True)
        shown = await market.newest()
        assert (shown.state, shown.detail.action) == (MessageState.RETURNED, RecordAction.DUPLICATE)
        assert shown.detail.duplicate_of == first.id
    assert [one.rcpt_to for one in await market.deliver_due()] == [BUYER]


async def test_of_several_signatures_none_is_left_for_a_second_time(market: MarketEnv) -> None:
    once = by(mail(market.buyer_alias), domain=f"mail.{SHOP}")
    twice = by(once)
    assert "queued" in (await handed_in(market, twice)).text
    for part in (once, twice, by(mail(market.buyer_alias))):
        assert "(duplicate)" in (await handed_in(market, part)).text
    assert len(await market.deliver_due()) == 1


async def test_a_bad_signature_beside_a_good_one_changes_nothing(market: MarketEnv) -> None:
    good = by(mail(market.buyer_alias))
    for number, bad in enumerate(
        (
            good.split(b"From:", 1)[0].replace(b"s=s", b"s=gone"),
            b"DKIM-Signature: nonsense\r\n",
            good.split(b"From:", 1)[0].replace(b"subject", b"sender"),
        )
    ):
        content = by(mail(market.buyer_alias, number=number))
        assert "queued" in (await handed_in(market, bad + content)).text
        wide = good.split(b"From:", 1)[0].replace(b"h=", b"h=subject : subject : ")
        assert is_unproven(await handed_in(market, wide + b"Subject: pay\r\n" + content))


async def test_spf_and_logins_are_not_touched(market: MarketEnv) -> None:
    resolve(market, SPF)
    content = b"Subject: pay\r\n" + by(mail("list@list.example"), ("from",))
    for _ in range(2):
        assert "queued" in (await handed_in(market, content, mail_from=SELLER)).text
        [reply] = await market.send_raw(content, SELLER, market.buyer_alias, login=Role.SELLER, trusted=False)
        assert "queued" in reply.text
    assert len(await market.deliver_due()) == 4


async def test_mail_that_spf_has_proven_can_be_handed_in_once_more_by_its_signature(market: MarketEnv) -> None:
    """Documents an open way (docs/security.md): a note for each plain mail would cost more than it closes."""
    content = by(mail(market.buyer_alias))
    resolve(market, SPF)
    assert "queued" in (await handed_in(market, content, mail_from=SELLER)).text
    resolve(market, NO_SPF)
    assert "queued" in (await handed_in(market, content)).text
    assert "duplicate" in (await handed_in(market, content)).text
    assert len(await market.deliver_due()) == 2


async def test_an_alias_that_no_signed_field_names_needs_the_owner(market: MarketEnv) -> None:
    alias = market.buyer_alias
    named = ("Cc: x@y.example, <" + alias.upper() + ">", "Cc: " + alias.replace("@", "+A-1@"), f"Cc: check+{alias}")
    for number, cc in enumerate(named):
        content = by(mail("list@list.example", cc, number=number), (*PLAIN, "cc"))
        assert "queued" in (await handed_in(market, content)).text, cc
    unnamed = (
        by(mail("list@list.example"), (*PLAIN, "cc")),
        by(mail("list@list.example", f"Cc: {alias}"), PLAIN),
        by(mail("list@list.example", f'Cc: "{alias}" <x@list.example>'), (*PLAIN, "cc")),
        by(mail("list@list.example", f"Cc: x{alias}"), (*PLAIN, "cc")),
        by(mail("list@list.example", f"Cc: {alias}.else.example"), (*PLAIN, "cc")),
        by(mail(market.seller_alias), PLAIN),
    )
    for content in unnamed:
        assert is_unproven(await handed_in(market, content)), content
    assert is_unproven(await handed_in(market, unnamed[0])), "held once, and the same answer"
    held = await market.store.records.messages(state=MessageState.HELD)
    assert len(held) == len(unnamed)


async def test_two_at_once_are_relayed_once(market: MarketEnv) -> None:
    content = by(mail(market.buyer_alias))
    replies = await asyncio.gather(*(handed_in(market, content) for _ in range(4)))
    assert sorted("queued" in reply.text for reply in replies) == [False, False, False, True]
    assert {reply.code for reply in replies} == {250}
    assert len(await market.deliver_due()) == 1


async def test_a_refusal_in_the_dialogue_leaves_the_signature(market: MarketEnv) -> None:
    """The client that lost the refusal gets it again, and not a 250 for mail that nobody gets."""
    await market.set_marketplace(reject_at_data=True)
    content = by(mail(market.buyer_alias).replace(b"Good day", b"Write to me@else.example"))
    for _ in range(2):
        assert "(contact_data)" in (await handed_in(market, content)).text


async def test_a_dns_fault_counts_where_spf_would_have_proven_more(market: MarketEnv) -> None:  # R-IN-08
    resolve(market, {}, [SHOP])
    by_outlook = by(mail(market.buyer_alias), ("from", "subject", "date", "message-id"))
    with pytest.raises(UnavailableError):
        await handed_in(market, by_outlook, mail_from=SELLER)
    assert "queued" in (await handed_in(market, by(mail(market.buyer_alias)), mail_from=SELLER)).text


async def test_the_end_of_a_signature_has_no_leeway(market: MarketEnv) -> None:
    market.clock.at = datetime.now(UTC)
    now = int(market.clock.now().timestamp())
    for end, is_taken in ((now - 35_000, False), (now - 1, False), (now + 1, True)):
        expiring = by(mail(market.buyer_alias, number=end), expires=end)
        assert is_unproven(await handed_in(market, expiring)) is not is_taken, end - now


# ---------------------------------------------------------------- ARC, and a server in front


async def test_a_trusted_seal_proves_what_it_covers_and_once(market: MarketEnv) -> None:
    resolve(market, NO_SPF, sealers=["list.example"])
    listed = sealed(
        mail("list@list.example", subject="[list] hello"),
        domain="list.example",
        results=f"dmarc=pass header.from={SHOP}",
    )
    for change in (TRICKS["a second Subject"], TRICKS["a second Date"], TRICKS["a second Content-Type"]):
        assert is_unproven(await handed_in(market, change(listed)))
    assert "queued" in (await handed_in(market, listed)).text
    assert "(duplicate)" in (await handed_in(market, listed)).text


async def test_a_server_in_front_speaks_for_what_is_signed(market: MarketEnv) -> None:
    resolve(market, NO_SPF, authserv_id="mx.front.example")

    async def fronted(content: bytes, results: str) -> Reply:
        stated = f"Received: by mx.front.example\r\nAuthentication-Results: mx.front.example; {results}\r\n"
        return await handed_in(market, stated.encode() + content, is_front=True)

    passed = f"spf=fail smtp.mailfrom=forwarder.example; dkim=pass header.d={SHOP}; dmarc=pass header.from={SHOP}"
    content = by(mail(market.buyer_alias))
    bogus = by(mail(market.buyer_alias), (*PLAIN, "subject", "to")).split(b"From:", 1)[0]
    for results in (passed, f"dmarc=pass header.from={SHOP}", f"dkim=pass header.i=@{SHOP}"):
        assert is_unproven(await fronted(b"Subject: pay\r\n" + content, results)), results
        assert is_unproven(await fronted(bogus + b"Subject: pay\r\n" + content, results)), results
    by_spf = f"spf=pass smtp.mailfrom={SHOP}; dmarc=pass header.from={SHOP}"
    assert "queued" in (await fronted(b"Subject: pay\r\n" + content, by_spf)).text
    assert "queued" in (await fronted(content, passed)).text
    assert "(duplicate)" in (await fronted(content, passed)).text


# ---------------------------------------------------------------- automatic replies to a return path


async def return_paths(market: MarketEnv, count: int) -> list[str]:
    """Lets the buyer write to the seller, and returns the return paths of the delivered mails."""
    for number in range(count):
        await market.send(BUYER, market.seller_alias, Subject=f"Question {number}")
    return [one.mail_from for one in await market.deliver_due()]


@pytest.mark.parametrize(
    ("to", "is_relayed"),
    [("the return path", True), ("the alias", True), ("another return path", False), ("somebody else", False)],
)
async def test_a_signed_automatic_reply_names_its_return_path_or_the_alias(
    market: MarketEnv, to: str, is_relayed: bool
) -> None:  # R-POL-14, R-OUT-04
    path, another = await return_paths(market, 2)
    named = {"the return path": path, "the alias": market.buyer_alias, "another return path": another}
    reply = by(mail(named.get(to, "x@else.example"), "Auto-Submitted: auto-replied"))
    for times in (is_relayed, False):  # the second is a duplicate, or an event again
        assert (await handed_in(market, reply, path)).code == 250
        assert [one.rcpt_to for one in await market.deliver_due()] == [BUYER] * times


async def test_an_unsigned_to_of_an_automatic_reply_proves_nothing(market: MarketEnv) -> None:
    [path] = await return_paths(market, 1)
    reply = by(mail(path, "Auto-Submitted: auto-replied"), ("from", "subject", "date", "message-id"))
    assert (await handed_in(market, reply, path)).code == 250
    assert await market.deliver_due() == []
