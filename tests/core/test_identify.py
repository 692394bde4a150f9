"""Who writes to whom, and who is told nothing. The table of cases is `tests/golden/policy/parties.toml`."""

import itertools
from typing import Any

import pytest

from relay.core.identify import Writer
from relay.core.model.facts import Proof
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from tests.support.mail_case import MailCase

STATES = ("approved", "blocked", "unknown", "retired", None)


def test_a_login_with_an_approved_address_is_the_registered_author() -> None:  # R-IN-02 R-SND-06
    written = MailCase()
    assert written.writer() == Writer(role=Role.SELLER, sender=written.facts.sender, proof=Proof.LOGIN, registered=True)


def test_a_login_with_an_unlisted_address_is_proven_but_not_registered() -> None:  # R-SND-02
    assert MailCase(sender=None).writer() == Writer(role=Role.SELLER, sender=None, proof=Proof.LOGIN, registered=False)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fallback", ["refuse", "hold", "known_domain"])
def test_nobody_unproven_is_ever_registered(state: str | None, fallback: str) -> None:  # R-IN-09 R-ADR-07
    writer = MailCase(login=None, sender=state, fallback=fallback, mail_from="else@mail.example").writer()
    if isinstance(writer, Writer):
        assert (writer.registered, writer.proof, fallback) == (False, Proof.NONE, "hold")
        assert (writer.sender is not None) is (state == "approved")
    else:
        assert (writer.code, fallback == "hold") == (ReasonCode.ADDRESS_UNKNOWN, False)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("known", [True, False])
def test_whoever_fails_dmarc_hears_of_that_alone(state: str | None, known: bool) -> None:  # R-IN-09
    """Approved, blocked or on no list, an address of this party, another's or nobody's: a forger learns none of it."""
    writer = MailCase(
        login=None, sender=state, dmarc_fail=True, fallback="known_domain", listed_elsewhere=known
    ).writer()
    assert writer == Reason(code=ReasonCode.DMARC_FAILED)


def test_a_login_is_not_asked_for_dmarc() -> None:  # R-IN-02
    assert isinstance(MailCase(dmarc_fail=True).writer(), Writer)


@pytest.mark.parametrize("to", ["buyer", "seller"])
def test_a_proven_unlisted_address_waits_for_the_partys_word(to: str) -> None:  # R-SND-02, R-SND-05
    writer = MailCase(to=to, login=None, proof="aligned", sender=None, from_address="new@mail.example").writer()
    assert writer == Writer(role=Role(to).other, sender=None, proof=Proof.ALIGNED, registered=False)


@pytest.mark.parametrize("facts", [{"pending_senders": 10}, {"proof": "none", "fallback": "refuse"}])
def test_an_unlisted_address_that_may_not_wait_is_a_strangers(facts: dict[str, Any]) -> None:  # R-SND-02 R-ADR-07
    known: dict[str, Any] = {"login": None, "proof": "aligned", "sender": None, "from_address": "new@mail.example"}
    assert MailCase(**(known | facts)).writer() == Reason(code=ReasonCode.ADDRESS_UNKNOWN)


def test_a_fallback_puts_nobody_on_a_list() -> None:  # R-IN-09
    writer = MailCase(login=None, fallback="known_domain", sender=None, from_address="new@mail.example").writer()
    assert writer == Reason(code=ReasonCode.ADDRESS_UNKNOWN)


def test_to_a_stranger_every_alias_looks_alike() -> None:  # R-ADR-07
    """Whatever the alias's parties are and whatever the list says of the address, a stranger gets one reason."""
    states = ("active", "suspended", "closed", "erased")
    seen = {
        MailCase(
            login=None, fallback="refuse", sender=sender, author_state=author, recipient_state=recipient, to=to
        ).writer()
        for sender, author, recipient, to in itertools.product(STATES, states, states, ("buyer", "seller"))
    }
    assert seen == {Reason(code=ReasonCode.ADDRESS_UNKNOWN)}


def test_known_domain_needs_an_envelope_that_equals_from() -> None:  # R-IN-09
    for mail_from in ("", "shop@seller.example.evil.example", "not an address", "shop@@seller.example"):
        writer = MailCase(login=None, fallback="known_domain", mail_from=mail_from).writer()
        assert isinstance(writer, Reason), mail_from


def test_a_claim_of_proof_by_fallback_is_judged_by_the_marketplace_alone() -> None:  # R-IN-09
    writer = MailCase(login=None, fallback="refuse", proof="known_domain").writer()
    assert isinstance(writer, Reason)


def test_a_trusted_network_proves_like_known_domain() -> None:  # R-IN-09
    writer = MailCase(login=None, fallback="hold", trusted=True).writer()
    assert isinstance(writer, Writer)
    assert (writer.proof, writer.registered) == (Proof.KNOWN_DOMAIN, True)


def test_the_number_of_pending_addresses_is_the_policys() -> None:  # R-SND-02
    held = MailCase(sender=None, pending_senders=2, policy={"senders": {"pending": 3}}).writer()
    refused = MailCase(sender=None, pending_senders=3, policy={"senders": {"pending": 3}}).writer()
    assert isinstance(held, Writer)
    assert refused == Reason(code=ReasonCode.TOO_MANY_PENDING)


@pytest.mark.parametrize("from_address", ["hanako@mail.example", "shop@seller.example", "any@x.example"])
@pytest.mark.parametrize("facts", [{}, {"listed_elsewhere": True}, {"pending_senders": 10}, {"is_own_from": True}])
def test_a_login_to_its_own_alias_gets_one_answer(from_address: str, facts: dict[str, Any]) -> None:  # R-IN-02
    written = MailCase(login="recipient", from_address=from_address, sender=None, **facts)
    assert written.writer() == Reason(code=ReasonCode.OWN_ALIAS)


@pytest.mark.parametrize("how", [{}, {"login": None, "proof": "aligned"}])
@pytest.mark.parametrize("pending", [0, 10])
def test_an_address_of_another_account_is_answered_like_an_unlisted_one(how: dict[str, Any], pending: int) -> None:
    """R-IN-02 R-SND-02: an address of the side that the mail goes to, of any other account, and of nobody."""
    unlisted: dict[str, Any] = {"sender": None, "pending_senders": pending, **how}
    answers = {
        MailCase(from_address=address, listed_elsewhere=listed, **unlisted).writer()
        for address, listed in itertools.product(("hanako@mail.example", "new@mail.example"), (True, False))
    }
    assert len(answers) == 1


@pytest.mark.parametrize("to", ["buyer", "seller"])
@pytest.mark.parametrize("more", [{}, {"pending_senders": 10}, {"listed_elsewhere": True}, {"author_state": "closed"}])
def test_own_mail_that_returns_is_on_no_list_and_ends_as_a_loop(to: str, more: dict[str, Any]) -> None:  # R-OUT-08
    written = MailCase(to=to, login=None, proof="aligned", is_own_from=True, sender="approved", **more)
    assert written.writer() == Writer(role=Role(to).other, sender=None, proof=Proof.ALIGNED, registered=False)
    verdict = written.verdict()
    assert (verdict.action, verdict.main_reason.code, verdict.notify) == (Action.RETURN, ReasonCode.LOOP, False)


@pytest.mark.parametrize("known", [{"fallback": "refuse"}, {"fallback": "known_domain"}, {"trusted": True}])
def test_an_own_address_without_alignment_is_a_strangers(known: dict[str, Any]) -> None:  # R-ADR-07
    """The facts have no entry of a list for it."""
    writer = MailCase(login=None, sender=None, from_address="any@ichiba.example", is_own_from=True, **known).writer()
    assert writer == Reason(code=ReasonCode.ADDRESS_UNKNOWN)


def test_a_login_does_not_write_from_an_own_address() -> None:  # R-IN-02
    writer = MailCase(is_own_from=True, sender=None).writer()
    assert writer == Reason(code=ReasonCode.LOGIN_MISUSED)


def test_to_a_foreign_account_an_own_address_is_like_any_other() -> None:  # R-ADR-07
    writer = MailCase(login="somebody-else", is_own_from=True, sender=None).writer()
    assert writer == Reason(code=ReasonCode.ADDRESS_UNKNOWN)
