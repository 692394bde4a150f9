"""Identifies the writer of one incoming message, or returns the reason to refuse the message.

A message that this module refuses gets a 5xx answer in the SMTP dialogue and never a notice. Its writer is not proven
or may not use this alias, so a notice could reach an innocent person (backscatter).
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

    `role` is the writer's side of the pair, so the recipient's alias stands for the other side. `sender` is the entry
    for the From address in the writer's list of senders, None if there is no entry. `registered` is True if the writer
    is proven and that entry is approved; a proven writer who is not registered is unlisted (R-SND-02).

    `proof` is NONE if nothing proves that the message comes from its From address. In this case `sender` is only set if
    the entry is approved and the message may wait for the party. The stranger who sent the message must not learn
    whether there is such an entry, so the answer and the cost are the same with and without an entry (R-IN-09).
    """

    role: Role
    sender: Sender | None
    proof: Proof
    registered: bool


def identify(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Returns the writer of a message, or the reason for which it is refused with a 5xx answer.

    `head` and `facts` belong to this message and recipient; `policy` is the policy in force when the message was
    received. The answer depends on the list of senders of the writer's own side only. Otherwise a writer could put any
    address into From and learn from the answer to which party the address belongs.
    """
    login = incoming.peer.login_party_id
    if login is None:
        return _by_mail(incoming, head, facts, policy)
    if login == facts.pair.side(facts.to).party.id:
        # A party that has logged in may write to the other side's aliases only, with any From address (R-IN-02).
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
    """Returns whether the alias of side `to` is the writer's own, for example after a "reply to all" (R-REW-05).

    This is True if the party of that side has logged in. Without a login it is True if the mail is proven, that side
    lists the From address, and the other side does not list it. For mail that is not proven it is always False: a copy
    to the writer's own alias costs the relay less work, so a forger could measure which side lists the address
    (R-IN-09).
    """
    login, own = incoming.peer.login_party_id, pair.side(to)
    if login is not None:
        return login == own.party.id
    is_proven = proof_of(incoming, head, marketplace, authentication) is not Proof.NONE
    other = pair.side(to.other).sender_for(head.from_address)
    return is_proven and own.lists(head.from_address) and _listed_as(other) is None


def _by_login(incoming: Incoming, facts: Facts, policy: Policy) -> Writer | Reason:
    """Returns the writer of a message that came with a login, or the reason to refuse it (R-IN-02).

    The message is refused if the From address is blocked, or if it is unlisted and no more unlisted mail may wait.
    """
    state = _listed_as(facts.sender)
    if state is SenderState.BLOCKED:
        return Reason(code=ReasonCode.SENDER_BLOCKED)
    if state in {None, SenderState.UNKNOWN} and not _has_room(incoming, facts, policy):
        return Reason(code=ReasonCode.TOO_MANY_PENDING)
    return Writer(role=facts.to.other, sender=facts.sender, proof=Proof.LOGIN, registered=state is SenderState.APPROVED)


def _by_mail(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Returns the writer of a message that came without a login, or the reason to refuse it (R-IN-09).

    The writer is proven by SPF or DKIM in alignment with From, or by the marketplace's fallback for listed addresses.
    """
    if facts.authentication.dmarc_fail:
        # The answer depends on the mail only, so that a forger learns nothing about the alias or the list of senders.
        return Reason(code=ReasonCode.DMARC_FAILED)
    is_addressed = not awaits_domain(facts)
    proof = proof_of(incoming, head, facts.marketplace, facts.authentication, is_addressed=is_addressed)
    if facts.is_own_from and proof is Proof.ALIGNED:
        # This is the relay's own mail in a loop. The policy ends the loop (R-OUT-08); no list gets an entry.
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
    """Returns whether mail from an unlisted address may wait for the decision of the writing party (R-SND-02).

    It may not wait if that party is not active. The writer may not belong to the account, so they get the same answer
    as a stranger and do not learn the party's state. It makes no difference whether another party lists the address.
    """
    if facts.pair.side(facts.to.other).party.state is not PartyState.ACTIVE:
        return False
    return _has_room(incoming, facts, policy)


def _has_room(incoming: Incoming, facts: Facts, policy: Policy) -> bool:
    """Returns whether one more mail of this size may wait for the party's decision.

    The policy limits the mails and bytes of one writer that may wait, and the unlisted senders that a party may have.
    """
    limits, waiting = policy.senders, facts.waiting
    mails, size_bytes = (
        (limits.domain_mails, limits.domain_bytes)
        if waiting.by_domain
        else (limits.address_mails, limits.address_bytes)
    )
    fits = waiting.mails < mails and waiting.size_bytes + len(incoming.content) <= size_bytes
    return waiting.has_place and fits


def awaits_domain(facts: Facts) -> bool:
    """Returns whether a valid signature proves the From address, but the party must still confirm the signing domain.

    Everybody who has a signed message can send it to the relay again. So a signature counts only if it signs a To or
    Cc field that contains the alias, or if the party has once confirmed the signing domain.
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
    """Returns how it is proven that the message comes from its From address; NONE if it is not proven.

    `is_addressed` is False if only signatures prove the address, none of them signs a To or Cc field that contains this
    alias, and the party has confirmed none of the signing domains; the signatures do not count in this case. With the
    fallback `known_domain`, or from a trusted network, a From address that is equal to the envelope's sender is proven
    unless SPF fails.
    """
    if authentication.proof is Proof.LOGIN or (authentication.proof is Proof.ALIGNED and is_addressed):
        return authentication.proof
    known_domain = marketplace.authentication is Fallback.KNOWN_DOMAIN or incoming.peer.trusted
    if known_domain and not authentication.spf_fail and _folded(incoming.mail_from) == head.from_address:
        return Proof.KNOWN_DOMAIN
    return Proof.NONE


def _listed_as(sender: Sender | None) -> SenderState | None:
    """Returns the state of an entry in a list of senders; None if there is no entry, or if it is retired.

    The address of a retired entry counts as unlisted (R-SND-03).
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
