"""Whether a seller may write to a buyer now, before he writes (R-POL-19): by the very decision that his mail would get.

The answer is one word, without reason and without anything about the buyer. What a quota keeps for a day still gets
there by itself, so it counts as open.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import MimeLimits, split
from relay.core.model.facts import Facts, Proof
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.policy.decide import decide

_NOTHING_WRITTEN: Final = b"\r\n"
_PLAIN: Final = Head(
    from_address="",
    from_name="",
    subject="",
    message_id="",
    references=(),
    automatic=Automatic.NO,
    kind_mark="",
    own_marks=(),
    hops=0,
)
Reach = Standing


def reach(facts: Facts, policy: Policy, now: datetime) -> Reach:
    """For the seller of `facts.pair`, writing to its buyer about `facts.order`; `facts` as they would be gathered for
    an empty message of his from a registered address."""
    if _passes(_PLAIN, facts, policy, now):
        return Reach.OPEN
    critical = any(_passes(head, facts, policy, now) for head in _critical(policy))
    return Reach.CRITICAL_ONLY if critical else Reach.CLOSED


def _critical(policy: Policy) -> Iterator[Head]:
    """A head for each thing that may lift an opt-out under this policy."""
    bypass = policy.bypass
    marks = (f"{pair[0]}{word}{pair[1]}" for pair in bypass.brackets[:1] for word in bypass.important_words[:1])
    for subject in (*marks, *bypass.additional_information[:1]):
        yield replace(_PLAIN, subject=subject)
    for kind in sorted(bypass.critical_kinds):
        yield replace(_PLAIN, kind_mark=kind)


def _passes(head: Head, facts: Facts, policy: Policy, now: datetime) -> bool:
    seller = facts.pair.seller
    peer = Peer(port=Port.SUBMISSION, client_ip="", helo="", tls=True, login_party_id=seller.party.id)
    incoming = Incoming(
        peer=peer,
        mail_from=seller.alias.address,
        rcpt_to=(facts.pair.buyer.alias.address,),
        smtputf8=False,
        content=_NOTHING_WRITTEN,
        received_at=now,
    )
    writer = Writer(role=Role.SELLER, sender=None, proof=Proof.LOGIN, registered=True)
    root = split(_NOTHING_WRITTEN, MimeLimits())
    return decide(incoming, head, root, facts, writer, policy, now).action is not Action.RETURN
