"""Mail to return paths: a report is a claim, and its origin says whether it counts (R-OUT-04).

The message was taken by `mx.phone.example` with the address `MX_IP`; its recipient is at `phone.example`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from relay.core.model.event import Event, EventType
from relay.core.model.message import MessageState, Peer, Port
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Quotas
from relay.edge.authenticate import MailAuthenticator
from relay.ports import Outgoing, StoredReport
from tests.support.dns import TableResolver
from tests.support.fakes import CountingObserver
from tests.support.market_env import BUYER, DOMAIN, MX_IP, SELLER, MarketEnv, parsed
from tests.support.narrowing import not_none
from tests.support.reports import delivery_report
from tests.support.signing import published, record, rsa_key, signed

OTHER_IP = "203.0.113.99"
UNLIMITED = Policy(quotas=Quotas(seller_per_day=0, pair_per_day=0, buyer_per_day=0))
Table = Mapping[str, Mapping[str, Sequence[Any]]]


def named(name: str, ip: str = OTHER_IP) -> Table:
    """Returns the records of a client whose reverse name leads back to its address."""
    return {ip_address(ip).reverse_pointer: {"PTR": [name]}, name: {"A": [ip]}}


def use_dns(market: MarketEnv, table: Table, **more: Any) -> None:
    resolver = TableResolver(table, more.pop("down", ()))
    market.services.authenticator = MailAuthenticator(resolver, CountingObserver(), **more)


async def sent(market: MarketEnv) -> Outgoing:
    """Returns a message of the seller that the buyer's server has taken."""
    await market.send(SELLER, market.buyer_alias)
    [mail] = [one for one in await market.deliver_due() if one.rcpt_to == BUYER]
    return mail


def record_id(mail: Outgoing) -> str:
    return str(parsed(mail)["Message-ID"])[1:27]


def returned(mail: Outgoing) -> str:
    return f"Message-ID: {parsed(mail)['Message-ID']}\r\nSubject: About the table\r\n"


async def history(market: MarketEnv, mail: Outgoing) -> list[Event]:
    """Returns the events of the message that reports have caused."""
    events = await market.store.records.history(record_id(mail))
    return [event for event in events if dict(event.data).get("by") == "report"]


async def outcome(market: MarketEnv, mail: Outgoing) -> str:
    """Returns the confirmation of the bounce, else the type of the last report's event."""
    state = not_none(await market.store.records.summary(record_id(mail))).state
    event = (await history(market, mail))[-1]
    assert (state is MessageState.BOUNCED) == (event.type is EventType.BOUNCED)
    assert state in {MessageState.BOUNCED, MessageState.ACCEPTED}
    return str(dict(event.data).get("confirmed", event.type))


async def kept(market: MarketEnv, mail: Outgoing) -> list[StoredReport]:
    return list(await market.store.reports.of_message(record_id(mail)))


# ---------------------------------------------------------------- a forgery, and its siblings


async def test_a_forged_bounce_from_any_host_does_not_change_the_state(market: MarketEnv) -> None:
    # R-OUT-04, R-OUT-05: the reproduction of the attack
    mail = await sent(market)
    use_dns(market, named("host.evil.example"))
    text = "no mailbox, write to kenji@evil.example or http://evil.example/kenji"
    report = delivery_report(mail.mail_from, sender="whoever@evil.example", text=text)
    for _ in range(2):
        [reply] = await market.send_raw(
            report, "whoever@evil.example", mail.mail_from, client_ip=OTHER_IP, trusted=False
        )
        assert reply.code == 250
    assert await outcome(market, mail) == "reported_undeliverable"
    [notice] = await market.deliver_due()
    assert (notice.mail_from, notice.rcpt_to) == ("", SELLER)
    told = parsed(notice)
    assert told["Subject"] == "Perhaps not delivered: About the table"
    assert told.get_content_type() == "text/plain"  # no program may take it for a report of a failure
    assert "could not verify" in told.get_content()
    for word in ("evil.example", "kenji", "whoever", OTHER_IP, BUYER.partition("@")[0], "phone.example", "5.1.1"):
        assert word not in notice.content.decode(), word
    [first, again] = await history(market, mail)
    assert dict(first.data)["reason"] == "mailbox_unknown"
    assert dict(first.data)["auth"] == "iprev=pass,helo=none,recipient=none,dkim=none"
    assert dict(first.data)["report"] == dict(again.data)["report"] == first.id
    for word in ("evil", OTHER_IP, "kenji"):
        assert word not in str((first, again))
    [stored] = await kept(market, mail)
    assert stored.content == report
    assert (stored.source.client_ip, stored.source.mail_from) == (OTHER_IP, "whoever@evil.example")
    assert stored.source.names == ("host.evil.example",)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A report and what DNS says. `signer` signs it; `returns` is "ours", "other", "short" or "none"."""

    client_ip: str = OTHER_IP
    mail_from: str = ""
    sender: str = "mailer-daemon@phone.example"
    helo: str = "mx.phone.example"
    login: Role | None = None
    trusted: bool = False
    received: str = ""
    returns: str = "ours"
    signer: str = ""
    dns: Table | None = None
    down: tuple[str, ...] = ()


REVERSE = ip_address(OTHER_IP).reverse_pointer
ALLOWED = {"TXT": [f"v=spf1 ip4:{OTHER_IP} -all".encode()]}
OTHERS: Table = {
    "mx.phone.example": {"TXT": [b"v=spf1 ip4:192.0.2.1 -all"]},
    "phone.example": {"TXT": [b"v=spf1 -all"]},
}
OWN_TRACE = "by mx.phone.example (Postfix) id 1; Mon, 23 Nov 2026 10:00:00 +0900"
PASSED_ON = f"from mx.phone.example ([{OTHER_IP}]) by front.market.example; Mon, 23 Nov 2026 10:00:00 +0900"

CONFIRMED = {
    "the host that took it": (Case(client_ip=MX_IP), "same_host"),
    "the same host over IPv6 sockets": (Case(client_ip=f"::ffff:{MX_IP}"), "same_host"),
    "without the returned message": (Case(client_ip=MX_IP, returns="none"), "same_host"),
    "with a returned header that is cut short": (Case(client_ip=MX_IP, returns="short"), "same_host"),
    "from postmaster": (Case(client_ip=MX_IP, mail_from="postmaster@phone.example"), "same_host"),
    "a smarthost of ours, which wrote it": (Case(client_ip=MX_IP, trusted=True, received=OWN_TRACE), "same_host"),
    "another host of the organization": (Case(dns=named("out7.mail.phone.example")), "reverse_dns"),
    "HELO by SPF": (Case(dns={"mx.phone.example": ALLOWED}), "helo"),
    "the recipient's SPF": (Case(dns={"phone.example": ALLOWED}), "recipient_spf"),
    "a signature": (Case(signer="phone.example"), "dkim"),
    "a signature through a server of ours": (Case(signer="phone.example", trusted=True, received=PASSED_ON), "dkim"),
    "a signature, whatever the envelope": (Case(signer="phone.example", mail_from="x@evil.example"), "dkim"),
}
FORGED = {
    "a user of the recipient's server": Case(client_ip=MX_IP, mail_from=BUYER),
    "a login behind the same address": Case(client_ip=MX_IP, login=Role.BUYER),
    "from the right host about another message": Case(client_ip=MX_IP, returns="other"),
    "the name of the host in HELO": Case(dns=OTHERS),
    "a reverse name that does not lead back": Case(dns={REVERSE: {"PTR": ["mx.phone.example"]}}),
    "a customer's line of the recipient's provider": Case(dns=named("p4711.dsl.osaka.phone.example")),
    "a line that spells its address": Case(dns=named("203-0-113-99.osaka.phone.example")),
    "a domain that only ends alike": Case(dns=named("mx.notphone.example")),
    "passed on by a server of ours that also took it": Case(client_ip=MX_IP, trusted=True, received=PASSED_ON),
    "a mail that a user wrote, signed by the provider": Case(sender=BUYER, signer="phone.example"),
    "a signed report of another message, sent again": Case(signer="phone.example", returns="other"),
    "a signed report without a message": Case(signer="phone.example", returns="none"),
    "a signed report that does not name it": Case(signer="phone.example", returns="short"),
    "a signature of somebody else": Case(signer="evil.example"),
    "DNS is down": Case(dns=named("mx.phone.example"), down=(REVERSE, "phone.example", "mx.phone.example")),
}


async def _report(market: MarketEnv, case: Case, mail: Outgoing, other: Outgoing) -> None:
    names = {**(case.dns or {}), **published(("s", case.signer or "none.example", record(rsa_key())))}
    use_dns(market, names, down=case.down)
    header = {"ours": returned(mail), "other": returned(other), "short": "Subject: Hi\r\n", "none": ""}[case.returns]
    content = delivery_report(mail.mail_from, sender=case.sender, received=case.received, returned=header)
    if case.signer:
        content = signed(content, domain=case.signer)
    [reply] = await market.send_raw(
        content,
        case.mail_from,
        mail.mail_from,
        client_ip=case.client_ip,
        helo=case.helo,
        login=case.login,
        trusted=case.trusted,
    )
    assert reply.code == 250


async def test_a_report_counts_if_its_origin_confirms_it(market: MarketEnv) -> None:  # R-OUT-04
    await market.set_marketplace(policies=(UNLIMITED,))
    other = await sent(market)
    for name, (case, expected) in CONFIRMED.items():
        mail = await sent(market)
        await _report(market, case, mail, other)
        assert await outcome(market, mail) == expected, name
        [notice] = await market.deliver_due()
        assert "could not be delivered" in notice.content.decode(), name
    assert (await history(market, other)) == []


async def test_a_report_that_nothing_confirms_leaves_the_message_accepted(market: MarketEnv) -> None:  # R-OUT-04
    await market.set_marketplace(policies=(UNLIMITED,))
    other = await sent(market)
    for name, case in FORGED.items():
        market.clock.forward(timedelta(days=1).total_seconds() + 1)  # a pair gets three such notices a day
        mail = await sent(market)
        await _report(market, case, mail, other)
        assert await outcome(market, mail) == "reported_undeliverable", name
        assert len(await market.deliver_due()) == 1, name
        assert len(await kept(market, mail)) == 1, name
    assert (await history(market, other)) == []


async def test_one_mail_to_two_return_paths_confirms_neither(market: MarketEnv) -> None:
    one, other = await sent(market), await sent(market)
    report = delivery_report(one.mail_from)
    replies = await market.send_raw(report, "", one.mail_from, other.mail_from, client_ip=MX_IP)
    assert [reply.code for reply in replies] == [250, 250]
    for mail in (one, other):
        assert await outcome(market, mail) == "reported_undeliverable"


async def test_the_results_of_a_front_host_are_taken_for_the_client(market: MarketEnv) -> None:  # R-IN-08
    mail = await sent(market)
    use_dns(market, named("mx.phone.example"), authserv_id="front.market.example")
    results = "front.market.example; spf={} smtp.helo=mx.phone.example"
    for outcome_in_front, expected in (("fail", "reported_undeliverable"), ("pass", "helo")):
        stated = f"Authentication-Results: {results.format(outcome_in_front)}\r\n".encode()
        report = stated + delivery_report(mail.mail_from, received=PASSED_ON)
        await market.send_raw(report, "", mail.mail_from, client_ip=OTHER_IP, trusted=False, is_front=True)
        assert await outcome(market, mail) == expected


# ---------------------------------------------------------------- who may write there, and how often


async def test_an_expired_or_forged_return_path_is_an_unknown_address(market: MarketEnv) -> None:
    mail = await sent(market)
    local_part = mail.mail_from.partition("@")[0]
    forged = f"{local_part[:-1]}{'a' if local_part[-1] != 'a' else 'b'}@{DOMAIN}"
    peer = Peer(port=Port.MX, client_ip=MX_IP, helo="mx.phone.example", tls=True)
    unknown = await market.intake.rcpt_to(peer, "", f"aaaaaaaaaaaaaaaa@{DOMAIN}")
    assert (unknown.code, unknown.enhanced) == (550, "5.1.1")
    assert await market.intake.rcpt_to(peer, "", forged) == unknown
    assert (await market.intake.rcpt_to(peer, "", mail.mail_from)).code == 250
    market.clock.forward(timedelta(days=15).total_seconds())
    assert await market.intake.rcpt_to(peer, "", mail.mail_from) == unknown
    # It may also expire between RCPT and DATA.
    [reply] = await market.send_raw(delivery_report(mail.mail_from), "", mail.mail_from, client_ip=MX_IP)
    assert (reply.code, reply.enhanced) == (550, "5.1.1")
    assert await history(market, mail) == []


async def test_a_pair_gets_three_uncertain_notices_a_day_and_a_message_one(market: MarketEnv) -> None:  # R-OUT-04
    await market.set_marketplace(policies=(UNLIMITED,))
    mails = [await sent(market) for _ in range(5)]
    for mail in mails:
        for text in ("once", "twice"):
            await market.send_raw(delivery_report(mail.mail_from, text=text), "", mail.mail_from)
    assert len(await market.deliver_due()) == 3
    assert [await outcome(market, mail) for mail in mails] == ["reported_undeliverable"] * 5
    market.clock.forward(timedelta(days=1).total_seconds() + 1)
    for mail in mails:
        await market.send_raw(delivery_report(mail.mail_from, text="tomorrow"), "", mail.mail_from)
    assert len(await market.deliver_due()) == 2


async def test_the_true_report_counts_after_a_forged_one(market: MarketEnv) -> None:
    mail = await sent(market)
    for number in range(60):
        await market.send_raw(delivery_report(mail.mail_from, text=f"forged {number}"), "", mail.mail_from)
    assert len(await history(market, mail)) == 50
    assert len(await kept(market, mail)) == 3
    await market.send_raw(delivery_report(mail.mail_from), "", mail.mail_from, client_ip=MX_IP)
    assert await outcome(market, mail) == "same_host"
    assert len(await market.deliver_due()) == 2
    await market.send_raw(delivery_report(mail.mail_from, text="late"), "", mail.mail_from)
    assert not_none(await market.store.records.summary(record_id(mail))).state is MessageState.BOUNCED


# ---------------------------------------------------------------- other mail to a return path


FEEDBACK = (
    b"From: fbl@phone.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=f;"
    b" report-type=feedback-report\r\n\r\n--f\r\nContent-Type: message/feedback-report\r\n\r\n"
    b"Feedback-Type: abuse\r\n\r\n--f--\r\n"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"From: mailer-daemon@phone.example\r\nSubject: failed\r\n\r\nYour mail could not be delivered.\r\n",
            "unread",
        ),
        (b"no header at all\r\n", "unread"),
        (FEEDBACK, "feedback"),
        (f"From: {BUYER}\r\nAuto-Submitted: auto-replied\r\n\r\nAway\r\n".encode(), "auto_reply"),
        (delivery_report("b.x@market.example", action="delayed", status="4.4.1"), "ignored"),
        (delivery_report("b.x@market.example", action="delivered", status="2.0.0"), "ignored"),
    ],
)
async def test_other_mail_is_kept_with_an_event_and_no_notice(
    market: MarketEnv, content: bytes, expected: str
) -> None:  # R-OUT-04
    mail = await sent(market)
    [reply] = await market.send_raw(content, "", mail.mail_from, client_ip=MX_IP)
    assert reply.code == 250
    [event] = await history(market, mail)
    assert (event.type, dict(event.data)["outcome"]) == (EventType.REPORT_RECEIVED, expected)
    assert [one.content for one in await kept(market, mail)] == [content]
    assert await market.deliver_due() == []
    assert not_none(await market.store.records.summary(record_id(mail))).state is MessageState.ACCEPTED


async def test_a_proven_automatic_reply_is_relayed_as_if_it_had_come_to_the_alias(market: MarketEnv) -> None:
    # R-POL-14, R-OUT-08
    mail = await sent(market)
    use_dns(market, {"phone.example": ALLOWED})
    reply = f"From: {BUYER}\r\nTo: <{mail.mail_from}>\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nAway\r\n"
    for count in (1, 0):  # once a day
        [answer] = await market.send_raw(reply.encode(), BUYER, mail.mail_from, client_ip=OTHER_IP, trusted=False)
        assert answer.code == 250
        relayed = await market.deliver_due()
        assert [one.rcpt_to for one in relayed] == [SELLER] * count
        for one in relayed:
            assert parsed(one)["From"].addresses[0].addr_spec == market.buyer_alias
            assert BUYER not in one.content.decode()
    assert await history(market, mail) == []
    [second, first, _] = await market.store.records.messages()
    assert (first.state, second.state) == (MessageState.ACCEPTED, MessageState.RETURNED)


async def test_the_forms_of_one_return_path_are_one_report(market: MarketEnv) -> None:  # R-IN-05, R-OUT-04
    mail = await sent(market)
    path = mail.mail_from
    forms = [path[:4] + path[4:length].upper() + path[length:] for length in range(4, 30)]
    answers = await market.send_raw(delivery_report(path), "", *forms, client_ip=MX_IP)
    assert {answer.code for answer in answers} == {250}
    assert len(answers) == len(forms) > len(set(forms)) > 1
    assert [event.type for event in await history(market, mail)] == [EventType.BOUNCED]


async def test_an_automatic_reply_answers_one_message(market: MarketEnv) -> None:  # R-POL-14
    mails = [await sent(market), await sent(market)]
    use_dns(market, {"phone.example": ALLOWED})
    reply = f"From: {BUYER}\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nAway\r\n".encode()
    paths = [mail.mail_from for mail in mails]
    await market.send_raw(reply, BUYER, *paths, client_ip=OTHER_IP, trusted=False)
    assert await market.deliver_due() == []
    for mail in mails:
        [event] = await history(market, mail)
        assert dict(event.data)["outcome"] == "auto_reply"
    await market.send_raw(reply, BUYER, paths[0], paths[0].upper(), client_ip=OTHER_IP, trusted=False)
    assert [one.rcpt_to for one in await market.deliver_due()] == [SELLER]


async def test_a_person_who_writes_to_the_return_path_reaches_nobody(market: MarketEnv) -> None:
    mail = await sent(market)
    use_dns(market, {"phone.example": ALLOWED})
    letter = f"From: {BUYER}\r\nTo: <{mail.mail_from}>\r\nSubject: Hello\r\n\r\nAre you there?\r\n".encode()
    [answer] = await market.send_raw(letter, BUYER, mail.mail_from, client_ip=OTHER_IP, trusted=False)
    assert answer.code == 250
    assert await market.deliver_due() == []
    [event] = await history(market, mail)
    assert dict(event.data)["outcome"] == "unread"


async def test_a_reply_whose_proof_dns_does_not_give_is_an_event(market: MarketEnv) -> None:
    mail = await sent(market)
    use_dns(market, {}, down=("_dmarc.phone.example", "phone.example"))
    reply = f"From: {BUYER}\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nAway\r\n".encode()
    [answer] = await market.send_raw(reply, BUYER, mail.mail_from, client_ip=OTHER_IP, trusted=False)
    assert answer.code == 250
    [event] = await history(market, mail)
    assert dict(event.data)["outcome"] == "auto_reply"
