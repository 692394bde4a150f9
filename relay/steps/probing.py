"""The limit on verdicts that a writer gets for mail that is not relayed (R-POL-11).

This module decides which mail counts towards the limit, and the outcome of mail above the limit.
"""

from dataclasses import replace

from relay.core.mail.head import Head
from relay.core.model.facts import Facts, Proof
from relay.core.model.message import Incoming, Peer
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason
from relay.core.model.verdict import Action
from relay.core.policy.decide import is_loop
from relay.core.policy.rules import probing
from relay.ports import SecretStore, Use
from relay.steps import quota
from relay.steps.notices import OWN_ALIAS
from relay.steps.offload import offload
from relay.steps.outcomes import Judgement, Refused, Returned
from relay.steps.recipients import PartyRecipient


async def uses(secrets: SecretStore, incoming: Incoming, judgement: Judgement) -> tuple[Use, ...]:
    """Returns the counts that a returned or checked message uses up.

    A message in a loop uses up nothing. A message with an unproven From address uses up nothing either: it is refused
    if the address is on no list, so that only listed addresses would reach the limit, and a reached limit would show
    that an address is listed (R-IN-09).
    """
    if judgement.writer.proof is Proof.NONE or is_loop(judgement.verdict.reasons):
        return ()
    mail = quota.probed(judgement.facts, judgement.mail.head.subject)
    return await _uses(secrets, incoming, mail, judgement.recipient.policy)


async def refused(
    secrets: SecretStore, incoming: Incoming, recipient: PartyRecipient, facts: Facts, reason: Reason
) -> Refused:
    """Returns the refusal of a writer whom nothing proves.

    Mail from a client with a login counts towards the limit, and is put off with 450 above the limit.
    """
    if incoming.peer.login_party_id is None:
        return Refused(recipient=recipient, reason=reason)
    if over := probing.exceeded(facts, recipient.policy, incoming.received_at):
        return Refused(recipient=recipient, reason=over)
    used = await _uses(secrets, incoming, quota.probed(facts), recipient.policy)
    return Refused(recipient=recipient, reason=reason, uses=used)


async def own_alias(secrets: SecretStore, incoming: Incoming, head: Head, recipient: PartyRecipient) -> Refused:
    """Returns the refusal of mail from a client with a login to an alias of its own side (R-IN-02).

    Nothing is looked up that depends on From, so that the refusal shows nothing about that address. The mail is
    counted, but has no limit, because the refusal is always the same.
    """
    mail = quota.Probed(
        writer_key=recipient.pair.side(recipient.to).party.id,
        pair_id=recipient.pair.id,
        to=recipient.to,
        from_address=head.from_address,
        is_check=recipient.check,
    )
    used = await _uses(secrets, incoming, mail, recipient.policy)
    return Refused(recipient=recipient, reason=OWN_ALIAS, uses=tuple(replace(use, limit=0) for use in used))


def check_above_limit(judgement: Judgement, peer: Peer) -> Returned | Refused:
    """Returns the outcome of a check above the limit (R-POL-19).

    The check does not wait for the reset of the limit, because a check is never relayed. It is refused for a client
    with a login, and returned for any other client.
    """
    verdict = judgement.verdict
    if peer.login_party_id is not None:
        return Refused(recipient=judgement.recipient, reason=verdict.reasons[0])
    ended = replace(verdict, action=Action.RETURN, not_before=None, disclosed_until=None, strips=())
    return Returned(judgement=replace(judgement, verdict=ended))


async def _uses(secrets: SecretStore, incoming: Incoming, mail: quota.Probed, policy: Policy) -> tuple[Use, ...]:
    return await offload(len(incoming.content), quota.probe_uses, secrets, incoming, mail, policy)
