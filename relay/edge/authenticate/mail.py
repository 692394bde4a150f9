"""Authentication of mail without a login (R-IN-08, R-IN-09).

The proof is SPF or DKIM in alignment with From, or the results of a trusted server. Look-ups run at the same time. A
DNS fault counts only where its answer could have changed the outcome.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.core.bounce.origin import ReportOrigin
from relay.core.dmarc import Discovery, Identifier, Method
from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming
from relay.edge.authenticate import arc, dkim, dmarc, origin, results, spf
from relay.edge.authenticate.arc import Chain
from relay.edge.authenticate.fields import Message
from relay.edge.authenticate.login import SessionAuthenticator
from relay.edge.authenticate.results import ReportedResults
from relay.ports import Observer, ResolveError, Resolver, UnavailableError

_LONGEST_S: Final = 45
"""For all look-ups of one message. Clients wait 10 minutes for the answer to their data (RFC 5321 §4.5.3.2.6)."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The results of all methods for one message.

    `author` is None when DNS did not answer about the From domain. `reported` are the results of a trusted front host,
    if there are any; then `identifiers` are from there.
    """

    identifiers: Sequence[Identifier]
    author: Discovery | None
    chain: Chain
    reported: ReportedResults | None

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of SPF, DKIM and ARC, each by the name of the method."""
        methods: tuple[Method, ...] = ("spf", "dkim")
        if self.reported:
            found = {method: self.reported.outcome_of(method) for method in methods}
        else:
            found = {
                method: dkim.best_outcome([one for one in self.identifiers if one.method == method])
                for method in methods
            }
        return {method: outcome for method, outcome in found.items() if outcome} | {"arc": self.chain.outcome}


class MailAuthenticator(SessionAuthenticator):
    """Implements `ports.Authenticator` with all methods.

    `front_hosts` are networks whose servers' results under the name `authserv_id` are trusted. `sealers` are folded
    domains whose ARC seals are trusted.
    """

    def __init__(
        self,
        resolver: Resolver,
        observer: Observer,
        *,
        front_hosts: Iterable[str] = (),
        authserv_id: str = "",
        sealers: Iterable[str] = (),
    ) -> None:
        super().__init__(front_hosts=front_hosts)
        self._resolver = resolver
        self._observer = observer
        self._authserv_id = authserv_id
        self._sealers = frozenset(sealers)

    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:
        if incoming.peer.login_party_id is not None:
            return await super().authenticate(incoming, from_address)
        domain = from_address.rpartition("@")[2]
        try:
            async with asyncio.timeout(_LONGEST_S):
                evidence = await self._gather(incoming, domain)
                proven, dmarc_outcome = await self._judge(evidence, domain)
        except (ResolveError, TimeoutError) as error:
            self._observer.count("authentications", method="dmarc", result="temperror")
            raise UnavailableError("DNS did not answer whether the writer may use the From domain") from error
        outcomes = evidence.outcomes | {"dmarc": dmarc_outcome}
        for method, result in outcomes.items():
            self._observer.count("authentications", method=method, result=result)
        return Authentication(
            proof=Proof.ALIGNED if proven else Proof.NONE,
            results=tuple(f"{method}={result}" for method, result in outcomes.items()),
            spf_fail=outcomes.get("spf") == "fail",
            dmarc_fail=dmarc_outcome == "fail" and not proven,
        )

    async def origin(self, incoming: Incoming, destination: str, *, by_dns: bool) -> ReportOrigin:
        if not by_dns or incoming.peer.login_party_id is not None:
            return await super().origin(incoming, destination, by_dns=by_dns)
        message = Message(incoming.content)
        if self._passes_on(incoming):
            return await origin.through_front(self._resolver, incoming, message, self._reported(incoming, message))
        return await origin.of_client(self._resolver, incoming, message, destination)

    async def _gather(self, incoming: Incoming, domain: str) -> _Evidence:
        message = Message(incoming.content)
        reported = self._reported(incoming, message)
        if reported:
            author, chain = await asyncio.gather(self._discover(domain), arc.verify(self._resolver, message))
            return _Evidence(reported.identifiers, author, chain, reported)
        author, chain, by_host, signatures = await asyncio.gather(
            self._discover(domain),
            arc.verify(self._resolver, message),
            self._host(incoming),
            dkim.verify(self._resolver, message),
        )
        return _Evidence((by_host, *signatures), author, chain, None)

    def _reported(self, incoming: Incoming, message: Message) -> ReportedResults | None:
        """Returns the results of the front host that delivered this mail, None if there are none.

        When a front host names its client (XCLIENT, PROXY), the client's address takes the place of its own. The relay
        then verifies the mail itself and ignores results that the client may have written in the front host's name.
        """
        if not self._authserv_id or not self._is_front(incoming.peer.client_ip):
            return None
        return results.of_front(message, self._authserv_id)

    async def _discover(self, domain: str) -> Discovery | None:
        try:
            return await dmarc.discover(self._resolver, domain)
        except ResolveError:
            return None

    async def _host(self, incoming: Incoming) -> Identifier:
        peer = incoming.peer
        domain, result = await spf.check(
            self._resolver, client_ip=peer.client_ip, helo=peer.helo, mail_from=incoming.mail_from
        )
        return Identifier("spf", domain, result)

    async def _judge(self, evidence: _Evidence, domain: str) -> tuple[bool, str]:
        """Whether From is proven, and the outcome of DMARC. Raises ResolveError when a missing DNS answer decides."""
        if evidence.reported and evidence.reported.dmarc == "temperror":
            raise ResolveError("the front host got no answer from DNS", permanent=False)
        author = evidence.author
        if author is None:
            # A proof for exactly the From domain is aligned under any DMARC record.
            if any(one.outcome == "pass" and one.domain == domain for one in evidence.identifiers):
                return True, "temperror"
            raise ResolveError("DNS did not answer about the From domain", permanent=False)
        refused_in_front = evidence.reported is not None and evidence.reported.dmarc == "fail"
        if evidence.reported and evidence.reported.passes(domain):
            return True, "pass"
        if not refused_in_front and await self._any_aligned(author, evidence.identifiers):
            return True, "pass" if author.policy else "none"
        failed = "fail" if author.policy or refused_in_front else "none"
        return await self._sealed(author, evidence.chain), failed

    async def _any_aligned(self, author: Discovery, identifiers: Sequence[Identifier]) -> bool:
        """Whether a proven identifier is aligned with From.

        Raises ResolveError when none is, but a missing DNS answer could have made one so.
        """
        fault: ResolveError | None = None
        # The From domain comes first, because a proof for it needs no further DNS query.
        for one in sorted(identifiers, key=lambda each: each.domain != author.domain):
            if one.outcome not in {"pass", "temperror"} or not one.domain:
                continue
            try:
                aligned = await dmarc.aligned(self._resolver, author, one.method, one.domain)
            except ResolveError as error:
                fault = error
                continue
            if aligned and one.outcome == "pass":
                return True
            if aligned:
                fault = ResolveError(f"{one.method} got no answer from DNS", permanent=False)
        if fault:
            raise fault
        return False

    async def _sealed(self, author: Discovery, chain: Chain) -> bool:
        """Whether a trusted sealer saw From proven, and all later sealers are trusted too (RFC 8617 §9.3).

        An untrusted later server may have changed the mail. Raises ResolveError when the keys of the seals could not be
        read.
        """
        if chain.outcome == "temperror" and self._sealers:
            raise ResolveError("DNS did not answer about the keys of the seals", permanent=False)
        for seal in chain.seals:
            if seal.domain not in self._sealers:
                return False
            reported = results.sealed(seal.results)
            if reported and (reported.passes(author.domain) or await self._any_aligned(author, reported.identifiers)):
                return True
        return False
