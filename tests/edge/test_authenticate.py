"""Who wrote: what proves From, what refutes it, and where DNS must answer first."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.core.mail.mime import MimeLimits, split
from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming, Peer, Port
from relay.edge.authenticate import MailAuthenticator, SessionAuthenticator
from relay.ports import UnavailableError
from tests.support.dns import TableResolver
from tests.support.fakes import CountingObserver
from tests.support.signing import MAIL, published, record, rsa_key, sealed, signed

FROM = "me@shop.example"
CLIENT = "192.0.2.1"
SPF_PASS = {"shop.example": {"TXT": [b"v=spf1 ip4:192.0.2.0/24 -all"]}}
SPF_FAIL = {"shop.example": {"TXT": [b"v=spf1 -all"]}}
DMARC = {"_dmarc.shop.example": {"TXT": [b"v=DMARC1; p=none"]}}
KEYS = published(
    *(
        ("s", domain, record(rsa_key()))
        for domain in ("shop.example", "mail.shop.example", "list.example", "else.example")
    )
)
INCOMING = Incoming(
    peer=Peer(port=Port.MX, client_ip=CLIENT, helo="mx.shop.example", tls=True),
    mail_from=FROM,
    rcpt_to=("you@relay.example",),
    smtputf8=False,
    content=MAIL,
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
)
ROOT = split(MAIL, MimeLimits())


async def judged(
    table: dict[str, Any],
    content: bytes = MAIL,
    *,
    down: Any = (),
    tally: CountingObserver | None = None,
    **settings: Any,
) -> Authentication:
    peer = {key: settings.pop(key) for key in ("client_ip", "helo", "login_party_id", "is_front") if key in settings}
    given = {key: settings.pop(key) for key in ("mail_from",) if key in settings}
    authenticator = MailAuthenticator(TableResolver(table, down), tally or CountingObserver(), **settings)
    incoming = replace(INCOMING, content=content, peer=replace(INCOMING.peer, **peer), **given)
    return await authenticator.authenticate(incoming, FROM, split(content, MimeLimits()))


# ---------------------------------------------------------------- proof


async def test_a_login_proves_and_nothing_is_looked_up() -> None:  # R-IN-09
    expected = Authentication(proof=Proof.LOGIN, results=("auth=pass",))
    names = TableResolver({})
    by_login = replace(INCOMING, peer=replace(INCOMING.peer, login_party_id="seller-1"))
    assert await MailAuthenticator(names, CountingObserver()).authenticate(by_login, FROM, ROOT) == expected
    assert await SessionAuthenticator().authenticate(by_login, FROM, ROOT) == expected
    assert names.asked == []


async def test_without_verification_nothing_is_proven() -> None:
    assert await SessionAuthenticator().authenticate(INCOMING, FROM, ROOT) == Authentication(proof=Proof.NONE)


@pytest.mark.parametrize("dmarc", [{}, DMARC], ids=["no record", "record"])
@pytest.mark.parametrize(
    ("table", "content", "mail_from"),
    [
        (SPF_PASS, MAIL, FROM),
        ({"mail.shop.example": SPF_PASS["shop.example"]}, MAIL, "bounce@mail.shop.example"),
        ({"mx.shop.example": SPF_PASS["shop.example"]}, MAIL, ""),
        (SPF_FAIL | KEYS, signed(), FROM),
        (KEYS, signed(domain="mail.shop.example"), "else@else.example"),
        (KEYS, signed(signed(), domain="list.example"), "list@list.example"),
    ],
    ids=["spf", "spf below", "spf of HELO", "dkim", "dkim below", "the second dkim"],
)
async def test_spf_or_dkim_in_alignment_proves(
    table: dict[str, Any], content: bytes, mail_from: str, dmarc: dict[str, Any]
) -> None:  # R-IN-09
    found = await judged(table | dmarc, content, mail_from=mail_from)
    assert (found.proof, found.dmarc_fail) == (Proof.ALIGNED, False)
    assert ("dmarc=pass" if dmarc else "dmarc=none") in found.results


@pytest.mark.parametrize(
    ("table", "content", "mail_from"),
    [
        ({}, MAIL, FROM),
        (SPF_FAIL, MAIL, FROM),
        ({"else.example": SPF_PASS["shop.example"]}, MAIL, "me@else.example"),
        (KEYS, signed(domain="else.example"), FROM),
        (KEYS, signed().replace(b"Bye", b"Now"), FROM),
    ],
    ids=["nothing", "spf fails", "spf of another", "dkim of another", "dkim broken"],
)
async def test_what_is_not_aligned_proves_nothing_and_fails_where_a_record_is(
    table: dict[str, Any], content: bytes, mail_from: str
) -> None:  # R-IN-09
    without = await judged(table, content, mail_from=mail_from)
    assert (without.proof, without.dmarc_fail) == (Proof.NONE, False)
    with_record = await judged(table | DMARC, content, mail_from=mail_from)
    assert (with_record.proof, with_record.dmarc_fail) == (Proof.NONE, True)


async def test_what_the_very_domain_proves_waits_for_nobody_elses_dns() -> None:  # R-IN-08
    table = KEYS | {"list.example": SPF_PASS["shop.example"]}
    names = TableResolver(table, {"_dmarc.list.example"})
    incoming = replace(INCOMING, content=signed(), mail_from="bounce@list.example")
    found = await MailAuthenticator(names, CountingObserver()).authenticate(
        incoming, FROM, split(signed(), MimeLimits())
    )
    assert found.proof is Proof.ALIGNED
    assert ("_dmarc.list.example", "TXT") not in names.asked


@pytest.mark.parametrize("policy", ["none", "quarantine", "reject"])
@pytest.mark.parametrize("more", ["", "; t=y", "; sp=none; np=none"])
async def test_dmarc_fails_whatever_policy_is_asked_for(policy: str, more: str) -> None:  # R-IN-09
    found = await judged({"_dmarc.shop.example": {"TXT": [f"v=DMARC1; p={policy}{more}".encode()]}})
    assert found.dmarc_fail


async def test_strict_alignment_is_the_records_word() -> None:  # R-IN-09
    table = {
        "mail.shop.example": SPF_PASS["shop.example"],
        "_dmarc.shop.example": {"TXT": [b"v=DMARC1; p=none; aspf=s"]},
    }
    assert (await judged(table, mail_from="me@mail.shop.example")).dmarc_fail


async def test_results_are_words_and_counted_and_name_nobody() -> None:  # R-IN-08
    tally = CountingObserver()
    found = await judged(SPF_FAIL | DMARC | KEYS, signed(domain="else.example"), tally=tally)
    assert found.results == ("spf=fail", "dkim=pass", "arc=none", "dmarc=fail")
    assert found.spf_fail
    assert tally.of("authentications", method="spf", result="fail") == 1
    assert tally.of("authentications", method="dmarc", result="fail") == 1


# ---------------------------------------------------------------- DNS faults


@pytest.mark.parametrize(
    ("table", "content", "down"),
    [
        ({}, MAIL, ["shop.example"]),
        (DMARC, MAIL, ["shop.example"]),
        (DMARC, signed(), ["s._domainkey.shop.example"]),
        (KEYS | DMARC, signed(domain="else.example"), ["shop.example"]),
        ({}, MAIL, ["_dmarc.shop.example"]),
        ({}, MAIL, ["_dmarc.example"]),
        (KEYS, signed(domain="mail.shop.example"), ["_dmarc.mail.shop.example"]),
    ],
    ids=["spf", "spf, record", "key", "spf beside a stranger's key", "record", "record above", "organization"],
)
async def test_a_fault_that_could_change_the_answer_is_temporary(
    table: dict[str, Any], content: bytes, down: list[str]
) -> None:  # R-IN-08
    tally = CountingObserver()
    with pytest.raises(UnavailableError):
        await judged(table, content, down=down, tally=tally)
    assert tally.of("authentications", result="temperror") == 1


@pytest.mark.parametrize(
    ("table", "content", "mail_from", "down", "proof"),
    [
        (KEYS | DMARC, signed(), FROM, ["shop.example"], Proof.ALIGNED),
        (SPF_PASS, signed(), FROM, ["s._domainkey.shop.example"], Proof.ALIGNED),
        (SPF_PASS, MAIL, FROM, ["_dmarc.shop.example"], Proof.ALIGNED),
        ({}, signed(domain="else.example"), FROM, ["s._domainkey.else.example"], Proof.NONE),
        ({}, MAIL, "me@else.example", ["else.example"], Proof.NONE),
    ],
    ids=["spf beside dkim", "key beside spf", "record of an exact match", "a stranger's key", "a stranger's spf"],
)
async def test_a_fault_that_changes_nothing_stops_nothing(
    table: dict[str, Any], content: bytes, mail_from: str, down: list[str], proof: Proof
) -> None:  # R-IN-08
    assert (await judged(table, content, mail_from=mail_from, down=down)).proof is proof


async def test_silence_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(TableResolver):
        async def txt(self, name: str) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr("relay.edge.authenticate.mail._LONGEST_S", 0.01)
    with pytest.raises(UnavailableError):
        await MailAuthenticator(Silent({}), CountingObserver()).authenticate(INCOMING, FROM, ROOT)


# ---------------------------------------------------------------- ARC

PASSED = "dmarc=pass header.from=shop.example"


def listed(results: str = PASSED, *, domain: str = "list.example", mail: bytes = MAIL) -> bytes:
    """As a list passes it on: changed, so that no signature of the author's holds, and sealed."""
    return sealed(mail.replace(b"Subject:  ", b"Subject: [list] "), domain=domain, results=results)


async def test_a_seal_of_a_believed_sealer_proves_what_it_saw() -> None:  # R-IN-09
    found = await judged(DMARC | KEYS, listed(), sealers=["list.example"])
    assert (found.proof, found.dmarc_fail) == (Proof.ALIGNED, False)
    assert {"arc=pass", "dmarc=fail"} <= set(found.results)


@pytest.mark.parametrize(
    "results",
    [
        PASSED,
        "dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=shop.example",
        "dmarc=pass action=none header.from=shop.example",
        "spf=pass smtp.mailfrom=me@shop.example",
        "spf=pass (client is allowed) smtp.mailfrom=mail.shop.example",
        "dkim=fail header.d=shop.example; dkim=pass header.i=@mail.shop.example header.s=x",
    ],
)
async def test_any_aligned_pass_that_was_sealed_counts(results: str) -> None:  # R-IN-09
    assert (await judged(DMARC | KEYS, listed(results), sealers=["list.example"])).proof is Proof.ALIGNED


@pytest.mark.parametrize(
    "results",
    ["dmarc=fail header.from=shop.example", "dmarc=pass header.from=else.example", "spf=pass smtp.mailfrom=else.example", "dkim=fail header.d=shop.example", "spf=none"],
)  # fmt: skip
async def test_a_seal_over_no_aligned_pass_proves_nothing(results: str) -> None:  # R-IN-09
    assert (await judged(DMARC | KEYS, listed(results), sealers=["list.example"])).dmarc_fail


async def test_a_seal_of_anybody_else_or_a_broken_one_proves_nothing() -> None:  # R-IN-09
    assert (await judged(DMARC | KEYS, listed())).dmarc_fail
    assert (await judged(DMARC | KEYS, listed(), sealers=["else.example"])).dmarc_fail
    assert (await judged(DMARC | KEYS, listed().replace(b"Bye", b"Now"), sealers=["list.example"])).dmarc_fail
    forged = listed("dmarc=fail header.from=shop.example").replace(b"dmarc=fail", b"dmarc=pass")
    assert (await judged(DMARC | KEYS, forged, sealers=["list.example"])).dmarc_fail


async def test_everybody_since_the_believed_seal_must_be_believed() -> None:  # R-IN-09
    chain = listed("dmarc=fail header.from=shop.example", domain="else.example", mail=listed())
    assert (await judged(DMARC | KEYS, chain, sealers=["list.example"])).dmarc_fail
    found = await judged(DMARC | KEYS, chain, sealers=["list.example", "else.example"])
    assert found.proof is Proof.ALIGNED


async def test_a_seals_key_that_dns_does_not_give_is_temporary() -> None:  # R-IN-08
    down = ["s._domainkey.list.example"]
    with pytest.raises(UnavailableError):
        await judged(DMARC, listed(), sealers=["list.example"], down=down)
    assert (await judged(DMARC, listed(), down=down)).dmarc_fail


# ---------------------------------------------------------------- a server in front

FRONT: dict[str, Any] = {"is_front": True, "authserv_id": "mx.front.example"}


def told(results: str, server: str = "mx.front.example", mail: bytes = MAIL) -> bytes:
    return f"Received: by {server}\r\nAuthentication-Results: {server};\r\n {results}\r\n".encode() + mail


@pytest.mark.parametrize(
    ("results", "proof", "dmarc_fail"),
    [
        (PASSED, Proof.ALIGNED, False),
        ("spf=pass smtp.mailfrom=me@shop.example; dkim=none", Proof.ALIGNED, False),
        ("dkim=pass header.d=mail.shop.example", Proof.ALIGNED, False),
        ("dkim=pass header.d=else.example; spf=fail smtp.mailfrom=shop.example", Proof.NONE, True),
        ("dmarc=fail header.from=shop.example; spf=pass smtp.mailfrom=shop.example", Proof.NONE, True),
        ("dmarc=pass header.from=else.example", Proof.NONE, True),
        ("spf=pass smtp.mailfrom=me@shop.example; dmarc=bestguesspass", Proof.ALIGNED, False),
    ],
)
async def test_results_of_the_server_in_front_are_taken(
    results: str, proof: Proof, dmarc_fail: bool
) -> None:  # R-IN-08
    """Our own look at SPF would say the contrary of what the server in front says."""
    own = SPF_FAIL if proof is Proof.ALIGNED else SPF_PASS
    found = await judged(own | DMARC, told(results), **FRONT)
    assert (found.proof, found.dmarc_fail) == (proof, dmarc_fail)


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (told(PASSED), {"is_front": False}),
        (told(PASSED), {"authserv_id": ""}),
        (told(PASSED, "mx.else.example"), {}),
        (told(PASSED, "mx.front.example.else.example"), {}),
        (told("spf=none") + b"x", {}),
        (b"Authentication-Results: mx.front.example; spf=none\r\nReceived: by x\r\n" + told(PASSED), {}),
        (b"Authentication-Results: mx.front.example; dmarc=fail header.from=shop.example\r\n" + told(PASSED), {}),
        (told("=;=" + PASSED), {}),
    ],
    ids=["another client", "not configured", "another's", "longer name", "none told", "below trace", "below its own", "unreadable"],
)  # fmt: skip
async def test_results_of_anybody_else_are_not_believed(content: bytes, changes: dict[str, Any]) -> None:  # R-IN-08
    found = await judged(SPF_FAIL | DMARC, content, **(FRONT | changes))
    assert (found.proof, found.dmarc_fail) == (Proof.NONE, True)


async def test_without_results_of_the_server_in_front_the_relay_looks_itself() -> None:  # R-IN-08
    assert (await judged(SPF_PASS | DMARC, MAIL, **FRONT)).proof is Proof.ALIGNED


async def test_what_the_server_in_front_could_not_know_is_temporary() -> None:  # R-IN-08
    with pytest.raises(UnavailableError):
        await judged(SPF_PASS, told("dmarc=temperror header.from=shop.example"), **FRONT)
    with pytest.raises(UnavailableError):
        await judged(SPF_PASS, told("spf=temperror smtp.mailfrom=shop.example"), **FRONT)
