"""Who writes to whom: one incoming message and its facts give the writer, or the reason for which it is refused.

What is refused here is refused in the SMTP dialogue and never by a notice: whoever it is has not been proven, or has no
business with this alias, and a mail back could hit a bystander (no backscatter).
"""

from dataclasses import dataclass

from relay.core.mail import address
from relay.core.mail.head import Head
from relay.core.model.facts import Facts, Proof
from relay.core.model.marketplace import Fallback
from relay.core.model.message import Incoming
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.sender import Sender, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """`role` is the author's side. A `role` equal to `Facts.to` is someone writing to the alias that stands for
    himself; that is never relayed (`policy.parties`), and what his list says of From is not among the facts, so he is
    not called registered and a notice goes to his mailbox. `sender` is the entry of the author's list that fits From;
    `registered`: proven, and that entry is approved. Proven and not registered: unlisted (R-SND-02); not registered
    and `proof` NONE: on the list, but unproven (R-IN-09)."""

    role: Role
    sender: Sender | None
    proof: Proof
    registered: bool


def identify(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Returns the writer, or the reason for a 5xx. `head` and `facts` belong to this message and recipient; `policy` is
    the one in force when the message was received."""
    login = incoming.peer.login_party_id
    if login is None:
        return _by_mail(incoming, head, facts, policy)
    if login not in {facts.pair.buyer.party.id, facts.pair.seller.party.id}:
        # Any other account is a stranger to this pair, and learns nothing about it (R-ADR-07).
        return _stranger()
    if facts.is_own_from:
        return Reason(code=ReasonCode.LOGIN_MISUSED)
    if login == facts.pair.side(facts.to.other).party.id:
        return _by_login(facts, policy)
    return _to_oneself_by_login(head, facts)


def _by_login(facts: Facts, policy: Policy) -> Writer | Reason:
    """The author proved himself; what is left is whether his From may write for him (R-IN-02)."""
    state = _listed_as(facts.sender)
    if state is SenderState.BLOCKED:
        return Reason(code=ReasonCode.SENDER_BLOCKED)
    if state is None and facts.listed_elsewhere:
        return Reason(code=ReasonCode.LOGIN_MISUSED)
    if state is None and facts.pending_senders >= policy.senders.pending:
        return Reason(code=ReasonCode.TOO_MANY_PENDING)
    return Writer(role=facts.to.other, sender=facts.sender, proof=Proof.LOGIN, registered=state is SenderState.APPROVED)


def _to_oneself_by_login(head: Head, facts: Facts) -> Writer | Reason:
    own = facts.pair.side(facts.to).lists(head.from_address)
    if facts.listed_elsewhere and not own:
        return Reason(code=ReasonCode.LOGIN_MISUSED)
    return Writer(role=facts.to, sender=None, proof=Proof.LOGIN, registered=False)


def _by_mail(incoming: Incoming, head: Head, facts: Facts, policy: Policy) -> Writer | Reason:
    """Without a login: proof by authentication, or by fallback for addresses that are listed (R-IN-09)."""
    if facts.authentication.dmarc_fail:
        # Said of the mail alone, whatever the alias and whoever may be listed: it tells a forger nothing of either.
        return Reason(code=ReasonCode.DMARC_FAILED)
    proof = _proof(incoming, head, facts)
    if facts.is_own_from and proof is Proof.ALIGNED:
        # The relay's own mail has returned; policy ends the loop (R-OUT-08), and nobody joins a list.
        return Writer(role=facts.to.other, sender=None, proof=proof, registered=False)
    state = _listed_as(facts.sender)
    if state is SenderState.APPROVED:
        if proof is not Proof.NONE:
            return Writer(role=facts.to.other, sender=facts.sender, proof=proof, registered=True)
        if facts.marketplace.authentication is Fallback.HOLD:
            return Writer(role=facts.to.other, sender=facts.sender, proof=proof, registered=False)
        return _stranger()
    if proof is Proof.NONE:
        # Not even "blocked" is said to somebody who may have forged the address.
        return _stranger()
    if state is SenderState.BLOCKED:
        return Reason(code=ReasonCode.SENDER_BLOCKED)
    if state is None and facts.pair.side(facts.to).lists(head.from_address):
        return Writer(role=facts.to, sender=None, proof=proof, registered=False)
    if proof is Proof.ALIGNED and _may_wait(facts, state, policy):
        return Writer(role=facts.to.other, sender=facts.sender, proof=proof, registered=False)
    return _stranger()


def _may_wait(facts: Facts, state: SenderState | None, policy: Policy) -> bool:
    """Whether an unlisted address may wait, on the writing party's list, for its word (R-SND-02). Nobody waits for a
    party that is away: who is not known to be of its account hears nothing of that."""
    if facts.pair.side(facts.to.other).party.state is not PartyState.ACTIVE:
        return False
    room = not facts.listed_elsewhere and facts.pending_senders < policy.senders.pending
    return room or state is SenderState.UNKNOWN


def _proof(incoming: Incoming, head: Head, facts: Facts) -> Proof:
    if facts.authentication.proof is Proof.ALIGNED:
        return Proof.ALIGNED
    known_domain = facts.marketplace.authentication is Fallback.KNOWN_DOMAIN or incoming.peer.trusted
    if known_domain and not facts.authentication.spf_fail and _folded(incoming.mail_from) == head.from_address:
        return Proof.KNOWN_DOMAIN
    return Proof.NONE


def _listed_as(sender: Sender | None) -> SenderState | None:
    """A retired entry is history: its address counts as unlisted (R-SND-03)."""
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
