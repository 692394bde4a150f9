"""The origin of a report to a return path: the facts that DNS proves about its client and its signatures (R-OUT-04).

Nothing is raised: a fact whose DNS look-up takes too long is not proven.
"""

import asyncio
from typing import Final

from relay.core.bounce.origin import ReportOrigin, own_address
from relay.core.dmarc import Identifier
from relay.core.model.message import Incoming
from relay.core.spf import Result
from relay.edge.authenticate import dkim, spf
from relay.edge.authenticate.fields import Message
from relay.edge.authenticate.results import ReportedResults
from relay.ports import Resolver

_LONGEST_S: Final = 30


async def of_client(resolver: Resolver, incoming: Incoming, message: Message, domain: str) -> ReportOrigin:
    """Returns the origin of a report that was delivered by a client outside of the installation."""
    peer = incoming.peer
    try:
        async with asyncio.timeout(_LONGEST_S):
            names, by_helo, by_recipient, signatures = await asyncio.gather(
                spf.client_names(resolver, peer.client_ip),
                spf.check(resolver, client_ip=peer.client_ip, helo=peer.helo, mail_from=""),
                _in_recipient_spf(resolver, incoming, domain),
                dkim.verify(resolver, message, incoming.received_at),
            )
    except TimeoutError:
        return ReportOrigin(
            address=own_address(peer, is_front=False, content=incoming.content), results=("dns=temperror",)
        )
    helo, result = by_helo
    return ReportOrigin(
        address=own_address(peer, is_front=False, content=incoming.content),
        names=tuple(names),
        helo=helo if result is Result.PASS else "",
        signers=_signers(signatures),
        in_recipient_spf=by_recipient is Result.PASS,
        results=(
            f"iprev={'pass' if names else 'none'}",
            f"helo={result}",
            f"recipient={by_recipient}",
            f"dkim={dkim.best_outcome(signatures)}",
        ),
    )


async def _in_recipient_spf(resolver: Resolver, incoming: Incoming, domain: str) -> Result:
    if not domain:
        return Result.NONE
    sender, peer = f"postmaster@{domain}", incoming.peer
    return (await spf.check(resolver, client_ip=peer.client_ip, helo=peer.helo, mail_from=sender))[1]


async def through_front(
    resolver: Resolver, incoming: Incoming, message: Message, reported: ReportedResults | None
) -> ReportOrigin:
    """Returns the origin of a report that a server in front of the relay has passed on or has written itself.

    The name and address of the client belong to this server. Therefore only the results of this server and the
    signatures prove anything.
    """
    address = own_address(incoming.peer, is_front=True, content=incoming.content)
    if reported is not None:
        signatures = [one for one in reported.identifiers if one.method == "dkim"]
        by_host = [one.domain for one in reported.identifiers if one.method == "spf" and one.outcome == "pass"]
    else:
        by_host = []
        try:
            async with asyncio.timeout(_LONGEST_S):
                signatures = await dkim.verify(resolver, message, incoming.received_at)
        except TimeoutError:
            signatures = []
    return ReportOrigin(
        address=address,
        helo=by_host[0] if by_host else "",
        signers=_signers(signatures),
        results=(f"spf={'pass' if by_host else 'none'}", f"dkim={dkim.best_outcome(signatures)}"),
    )


def _signers(signatures: list[Identifier]) -> tuple[str, ...]:
    return tuple(one.domain for one in signatures if one.outcome == "pass" and one.domain)
