"""The implementation of `relay.ports.Intake` over the store and the flow.

On the MX port every existing alias gets 250 at RCPT, because From and signatures are not known yet. Answers that depend
on the writer are given after DATA. In a session with a login the writer is known, so aliases that are closed or belong
to others are refused at RCPT.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from relay import flow
from relay.core import alias, verp
from relay.core.mail.address import fold_domain, split
from relay.core.model.message import Incoming, Peer
from relay.core.model.pair import Pair
from relay.core.model.party import PartyState
from relay.core.model.reason import ReasonCode
from relay.core.model.reply import Reply
from relay.core.notice import smtp_text
from relay.logins import Logins
from relay.steps import bounces, rcpt_refusals
from relay.steps.recipients import OPERATOR_LOCAL_PARTS
from relay.steps.services import Services

_OK: Final = Reply(250, "2.1.5", "recipient ok")
_TAKEN: Final = Reply(250, "2.0.0", "taken note of")


class SmtpIntake:
    """Implements `relay.ports.Intake`."""

    def __init__(self, services: Services, logins: Logins) -> None:
        self._services = services
        self._logins = logins

    async def remembered_login(self, username: str, password: str) -> str | None:
        return await self._logins.remembered(username, password)

    async def login(self, username: str, password: str) -> str | None:
        return await self._logins.check(username, password)

    async def mail_from(self, peer: Peer, address: str) -> Reply:  # noqa: ARG002 - the port's shape
        return Reply(250, "2.1.0", "sender ok")

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        local_part, domain = split(address)
        domain = fold_domain(domain)
        marketplace = self._services.marketplaces.by_domain.get(domain)
        if marketplace is None:
            reason: ReasonCode | None = ReasonCode.NO_RELAYING
        else:
            reason = await self._why_refused(peer, local_part, domain)
        if reason is None:
            return _OK
        self._services.event_log.recipient_refused(peer.port, peer.login_party_id, reason)
        if peer.login_party_id is not None:
            pair = await self._own_pair(peer.login_party_id, local_part, domain)
            tagged = bool(alias.untag(local_part).tag)
            await rcpt_refusals.keep(self._services, peer, mail_from, pair, tagged=tagged, reason=reason)
        return smtp_text.reply(reason, marketplace)

    async def _why_refused(self, peer: Peer, local_part: str, domain: str) -> ReasonCode | None:
        store = self._services.store
        name = alias.untag(local_part).local_part
        if name in OPERATOR_LOCAL_PARTS or self._returned_item(local_part):
            return None
        if not alias.is_valid(name, domain, store.secrets.get("alias")):
            return ReasonCode.ADDRESS_UNKNOWN
        if peer.login_party_id is None:
            return None if await store.pairs.alias(name, domain) else ReasonCode.ADDRESS_UNKNOWN
        pair = await self._own_pair(peer.login_party_id, local_part, domain)
        if pair is None:
            return ReasonCode.ADDRESS_UNKNOWN
        other = pair.seller if pair.buyer.party.id == peer.login_party_id else pair.buyer
        own = pair.buyer if other is pair.seller else pair.seller
        if own.party.state is not PartyState.ACTIVE:
            return ReasonCode.SENDER_SUSPENDED
        if other.party.state is not PartyState.ACTIVE:
            return ReasonCode.RECIPIENT_UNAVAILABLE
        return None

    async def _own_pair(self, party_id: str, local_part: str, domain: str) -> Pair | None:
        """Returns the pair of the party to which an alias belongs; None for an alias of others and any other address.

        A retired alias belongs to no pair any more. Raises UnavailableError.
        """
        store, name = self._services.store, alias.untag(local_part).local_part
        if not alias.is_valid(name, domain, store.secrets.get("alias")):
            return None
        pair = await store.pairs.by_alias(name, domain)
        if pair is None or pair.role_of(name, domain) is None:
            return None
        return pair if party_id in (pair.buyer.party.id, pair.seller.party.id) else None

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        """Returns one reply for each recipient, in order, after the commit. Raises UnavailableError.

        The mail to a return path of the relay is kept as a report, once for each item. The mail to other recipients is
        accepted as a message.
        """
        returned = {a: item_id for a in incoming.rcpt_to if (item_id := self._returned_item(a.rpartition("@")[0]))}
        if not returned:
            return await flow.accept(self._services, incoming)
        written = tuple(address for address in incoming.rcpt_to if address not in returned)
        # Reports are written first. If the store fails after them, the client sends the whole mail again. A report may
        # then be stored twice, but a message must not.
        paths = {item_id: address for address, item_id in reversed(returned.items())}
        for item_id, path in paths.items():
            await self._report(replace(incoming, rcpt_to=(path,)), item_id, alone=len(paths) == 1)
        replies = iter(await flow.accept(self._services, replace(incoming, rcpt_to=written)) if written else ())
        return [_TAKEN if address in returned else next(replies) for address in incoming.rcpt_to]

    async def _report(self, incoming: Incoming, item_id: str, *, alone: bool) -> None:
        """Keeps a mail to one return path. Raises UnavailableError.

        `alone` is True if the transaction names no other item among its recipients. Only then the mail may be an
        automatic reply, because no program answers several messages in one transaction.
        """
        opened = await bounces.read(self._services, incoming, item_id)
        if opened is not None:
            to_alias = replace(incoming, rcpt_to=(opened.answers,), return_path=incoming.rcpt_to[0])
            is_reply = alone and opened.answers and await flow.accept_reply(self._services, to_alias)
            if not is_reply:
                await bounces.keep(self._services, incoming, opened, alone=alone)

    def _returned_item(self, local_part: str) -> str | None:
        """Returns the id of the item whose return path has this local part; None if it belongs to no return path."""
        if not verp.is_shaped(local_part):
            return None
        return verp.read(local_part, self._services.clock.now(), self._services.store.secrets.get("verp"))
