"""Identification of the writer: one incoming message and its facts give the writer, or the reason to refuse it.

A refusal from here happens in the SMTP dialogue and never by a notice: its writer is not proven, or may not use this
alias, and a notice could reach an innocent person (no backscatter).
"""

from dataclasses import dataclass

from relay.core.mail import address
from relay.core.mail.head import Head
from relay.core.model.facts import Authentication, Facts, Proof
from relay.core.model.marketplace import Fallback, Marketplace
from relay.core.model.message import Incoming
from relay.core.model.pair import Pair
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.sender import Sender, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The writer of a message.

    `role` is the author's side: the one that the recipient's alias does not stand for. `registered` means proven, with
    an approved entry. A proven writer who is not registered is unlisted (R-SND-02). `sender` is the entry for From in
    the author's list. `proof` NONE means that nothing proves that the message comes from its From address: `sender` is
    then the approved entry, or None if the list has none. Whether it has one is a secret: both cases get the same
    answer and cost the same work (R-IN-09).
    """

    role: Role
    sender: Sender | None
    proof: Proof
    registered: bool


def identify(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Returns the writer, or the reason for a 5xx.

    `head` and `facts` belong to this message and recipient; `policy` is the one in force when the message was received.
    No answer depends on the lists of the other side or of another party: a writer who may put any address into From
    would learn whose it is.
    """
    login = incoming.peer.login_party_id
    if login is None:
        return _by_mail(incoming, head, facts, policy)
    if login == facts.pair.side(facts.to).party.id:
        # A login writes to the other side's aliases only. The answer is the same whatever From says (R-IN-02).
        return Reason(code=ReasonCode.OWN_ALIAS)
    if login != facts.pair.side(facts.to.other).party.id:
        # Any other account is a stranger to this pair and must learn nothing about it (R-ADR-07).
        return _stranger()
    if facts.is_own_from:
        return Reason(code=ReasonCode.LOGIN_MISUSED)
    return _by_login(incoming, facts, policy)


def is_own_alias(
    incoming: Incoming, head: Head, pair: Pair, to: Role, marketplace: Marketplace, authentication: Authentication
) -> bool:
    """Returns whether the alias of side `to` is the writer's own, as in a reply to all (R-REW-05).

    It is so for the login of that side, and for proven mail whose From that side lists and the other side does not. For
    unproven mail it is never so: a merged copy costs less work, and would tell who lists the address (R-IN-09).
    """
    login, own = incoming.peer.login_party_id, pair.side(to)
    if login is not None:
        return login == own.party.id
    is_proven = proof_of(incoming, head, marketplace, authentication) is not Proof.NONE
    other = pair.side(to.other).sender_for(head.from_address)
    return is_proven and own.lists(head.from_address) and _listed_as(other) is None


def _by_login(incoming: Incoming, facts: Facts, policy: Policy) -> Writer | Reason:
    """Checks whether the From of a party that has logged in may write for it (R-IN-02)."""
    state = _listed_as(facts.sender)
    if state is SenderState.BLOCKED:
        return Reason(code=ReasonCode.SENDER_BLOCKED)
    if state in {None, SenderState.UNKNOWN} and not _has_room(incoming, facts, policy):
        return Reason(code=ReasonCode.TOO_MANY_PENDING)
    return Writer(role=facts.to.other, sender=facts.sender, proof=Proof.LOGIN, registered=state is SenderState.APPROVED)


def _by_mail(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Identifies a writer without login: by authentication, or by the fallback for listed addresses (R-IN-09)."""
    if facts.authentication.dmarc_fail:
        # This depends on the mail only, not on the alias or the list, so that a forger learns nothing about them.
        return Reason(code=ReasonCode.DMARC_FAILED)
    is_addressed = not awaits_domain(facts)
    proof = proof_of(incoming, head, facts.marketplace, facts.authentication, is_addressed=is_addressed)
    if facts.is_own_from and proof is Proof.ALIGNED:
        # The relay's own mail has come back; the policy ends the loop (R-OUT-08), and no list gets an entry.
        return Writer(role=facts.to.other, sender=None, proof=proof, registered=False)
    state = _listed_as(facts.sender)
    if proof is Proof.NONE:
        if facts.marketplace.authentication is not Fallback.HOLD:
            return _stranger()
        # A writer who may have forged the address must not learn whether it is listed, blocked or waits.
        may_wait = state is SenderState.APPROVED and _has_room(incoming, facts, policy)
        listed = facts.sender if may_wait else None
        return Writer(role=facts.to.other, sender=listed, proof=proof, registered=False)
    if state is SenderState.APPROVED:
        return Writer(role=facts.to.other, sender=facts.sender, proof=proof, registered=True)
    if state is SenderState.BLOCKED:
        return Reason(code=ReasonCode.SENDER_BLOCKED)
    if proof is Proof.ALIGNED and _may_wait(incoming, facts, policy):
        return Writer(role=facts.to.other, sender=facts.sender, proof=proof, registered=False)
    return _stranger()


def _may_wait(incoming: Incoming, facts: Facts, policy: Policy) -> bool:
    """Whether an unlisted address may wait, on the writing party's list, for a decision (R-SND-02).

    It may not when that party is not active: a writer who is not known to belong to the account must not learn that.
    An address that another party lists, the other side included, waits like any other.
    """
    if facts.pair.side(facts.to.other).party.state is not PartyState.ACTIVE:
        return False
    return _has_room(incoming, facts, policy)


def _has_room(incoming: Incoming, facts: Facts, policy: Policy) -> bool:
    """Whether this mail may wait for the account owner: few mails and bytes of one writer may, in few places."""
    limits, waiting = policy.senders, facts.waiting
    mails, size_bytes = (
        (limits.domain_mails, limits.domain_bytes)
        if waiting.by_domain
        else (limits.address_mails, limits.address_bytes)
    )
    fits = waiting.mails < mails and waiting.size_bytes + len(incoming.content) <= size_bytes
    return waiting.has_place and fits


def awaits_domain(facts: Facts) -> bool:
    """Whether a valid signature names the writer, and only its domain's confirmation by the owner is missing.

    A signed message can be handed in by everybody who has it. So the alias must stand in a To or Cc that is signed, or
    the owner must have said once that mail signed by this domain may come without.
    """
    return facts.authentication.proof is Proof.ALIGNED and not facts.is_addressed and not facts.domain_confirmed


def proof_of(
    incoming: Incoming,
    head: Head,
    marketplace: Marketplace,
    authentication: Authentication,
    *,
    is_addressed: bool = True,
) -> Proof:
    """Returns what proves that the message comes from its From address, NONE if nothing does.

    `is_addressed` is False for mail that signatures alone prove, and that names neither this alias nor a domain which
    the owner has confirmed: then the signatures do not count. The fallback `known_domain`, and a trusted network, prove
    a writer whose envelope and From are equal.
    """
    if authentication.proof is Proof.LOGIN or (authentication.proof is Proof.ALIGNED and is_addressed):
        return authentication.proof
    known_domain = marketplace.authentication is Fallback.KNOWN_DOMAIN or incoming.peer.trusted
    if known_domain and not authentication.spf_fail and _folded(incoming.mail_from) == head.from_address:
        return Proof.KNOWN_DOMAIN
    return Proof.NONE


def _listed_as(sender: Sender | None) -> SenderState | None:
    """Returns the state of a list entry.

    None for no entry and for a retired one, whose address counts as unlisted (R-SND-03).
    """
    if sender is None or sender.state is SenderState.RETIRED:
        return None
    return sender.state


def _folded(mail_from: str) -> str:
    try:
        return address.fold(mail_from)
    except address.AddressError:
        return ""


def _stranger() -> Reason:
    return Reason(code=ReasonCode.ADDRESS_UNKNOWN)
