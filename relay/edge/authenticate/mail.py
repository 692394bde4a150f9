"""Authentication of mail without a login (R-IN-08, R-IN-09).

The proof is SPF or DKIM in alignment with From (RFC 9989), or the results of a trusted server. The look-ups run at the
same time. A DNS fault has an effect only if the missing answer could change the outcome. SPF is checked first, because
a signature alone proves the writer only if it covers all fields that have an effect (`core.coverage`).
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.core import alias, coverage
from relay.core.bounce.origin import ReportOrigin
from relay.core.dmarc import Discovery, Identifier, Method, SignedBy
from relay.core.mail.address import fold_domain, split
from relay.core.mail.mime import Part, raw_value
from relay.core.model.facts import Authentication, Proof, Signature, SignatureProof
from relay.core.model.message import Incoming
from relay.edge.authenticate import arc, dkim, dmarc, origin, results, spf
from relay.edge.authenticate.arc import Chain
from relay.edge.authenticate.fields import Message
from relay.edge.authenticate.login import SessionAuthenticator
from relay.edge.authenticate.results import ReportedResults
from relay.ports import Observer, ResolveError, Resolver, UnavailableError

_LONGEST_S: Final = 45
"""The time limit in seconds for all look-ups of one message.

Clients wait ten minutes for the answer to their data (RFC 5321 §4.5.3.2.6).
"""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The results of all methods for one message.

    `author` is None if DNS did not answer about the From domain. `reported` are the results of a trusted front host, or
    None. If there are such results, `identifiers` are taken from them.
    """

    identifiers: Sequence[Identifier]
    author: Discovery | None
    chain: Chain
    reported: ReportedResults | None

    @property
    def outcomes(self) -> dict[str, str]:
        """Returns the outcomes of SPF, DKIM and ARC by the name of the method."""
        methods: tuple[Method, ...] = ("spf", "dkim")
        if self.reported:
            found = {method: self.reported.outcome_of(method) for method in methods}
        else:
            found = {
                method: dkim.best_outcome([one for one in self.identifiers if one.method == method])
                for method in methods
            }
        return {method: outcome for method, outcome in found.items() if outcome} | {"arc": self.chain.outcome}


@dataclass(frozen=True, slots=True)
class _Finding:
    """The judgement of one or more proofs of the writer.

    `aligned` says whether a proof is aligned with From, and `proven` whether it proves the writer. `signed` is set if
    the proof consists only of signatures. `uncovered` are the fields that have an effect and are covered by no
    signature.
    """

    aligned: bool = True
    proven: bool = True
    signed: SignatureProof | None = None
    uncovered: frozenset[str] = frozenset()


_NOTHING: Final = _Finding(aligned=False, proven=False)


@dataclass(frozen=True, slots=True)
class _Written:
    """The message as the relay reads it, for the comparison with the fields that a signature covers."""

    incoming: Incoming
    root: Part

    def finding(self, aligned: Sequence[Identifier], passing: Sequence[Identifier], *, sealed: bool) -> _Finding:
        """Returns the judgement for a message whose writer is proven only by signatures.

        `aligned` are the valid signatures in alignment with From, at least one. `passing` are all valid signatures of
        the organization. `sealed` means that the signature comes from an ARC set of a trusted sealer.
        """
        known = _signatures(aligned)
        if len(known) < len(aligned):
            return _Finding()  # a front host has verified a signature that is no longer in the message
        names = [field.name for field in self.root.fields]
        covering = [(one, by) for one, by in known if coverage.proves(names, by.fields)]
        uncovered = frozenset.intersection(*(coverage.uncovered(names, by.fields) for _, by in covering or known))
        if not covering:
            return _Finding(proven=False, uncovered=uncovered)
        return _Finding(
            signed=SignatureProof(
                signatures=tuple(
                    Signature(domain=one.domain, selector=by.selector, value=by.value)
                    for one, by in _signatures(passing)
                ),
                domains=tuple(dict.fromkeys(one.domain for one, _ in covering)),
                recipients=tuple(self._signed_recipients([by.fields for _, by in covering])),
                sealed=sealed,
            ),
            uncovered=uncovered,
        )

    def _signed_recipients(self, signed: Sequence[Mapping[str, int]]) -> Iterable[str]:
        for field in self.root.fields:
            if field.name in {"to", "cc"} and any(one.get(field.name) for one in signed):
                yield raw_value(self.incoming.content, field).decode("utf-8", "replace")

    def is_sure(self, finding: _Finding) -> bool:
        """Returns whether no further proof could change the outcome of the mail for any of its recipients."""
        if finding.signed is None:
            return finding.proven
        for recipient in self.incoming.rcpt_to:
            local_part, domain = split(recipient)
            name = alias.untag(local_part).local_part
            if not coverage.names(finding.signed.recipients, name, fold_domain(domain)):
                return False
        return True


def _signatures(identifiers: Iterable[Identifier]) -> list[tuple[Identifier, SignedBy]]:
    return [(one, one.signed_by) for one in identifiers if one.signed_by is not None]


class MailAuthenticator(SessionAuthenticator):
    """Implements `ports.Authenticator` with all methods.

    The results that a front host adds under the name `authserv_id` are trusted (RFC 8601).
    `sealers` are folded domains whose ARC seals are trusted.
    """

    def __init__(
        self,
        resolver: Resolver,
        observer: Observer,
        *,
        authserv_id: str = "",
        sealers: Iterable[str] = (),
    ) -> None:
        self._resolver = resolver
        self._observer = observer
        self._authserv_id = authserv_id
        self._sealers = frozenset(sealers)

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        if incoming.peer.login_party_id is not None:
            return await super().authenticate(incoming, from_address, root)
        domain = from_address.rpartition("@")[2]
        try:
            async with asyncio.timeout(_LONGEST_S):
                evidence = await self._gather(incoming, domain)
                finding, dmarc_outcome = await self._judge(evidence, _Written(incoming, root), domain)
        except (ResolveError, TimeoutError) as error:
            self._observer.count("authentications", method="dmarc", result="temperror")
            raise UnavailableError("DNS did not answer whether the writer may use the From domain") from error
        outcomes = evidence.outcomes | {"dmarc": dmarc_outcome}
        for method, result in outcomes.items():
            self._observer.count("authentications", method=method, result=result)
        return Authentication(
            proof=Proof.ALIGNED if finding.proven else Proof.NONE,
            results=tuple(f"{method}={result}" for method, result in outcomes.items()),
            spf_fail=outcomes.get("spf") == "fail",
            dmarc_fail=dmarc_outcome == "fail" and not finding.proven,
            signed=finding.signed,
            uncovered=tuple(sorted(finding.uncovered)),
        )

    async def origin(self, incoming: Incoming, domain: str, *, by_dns: bool) -> ReportOrigin:
        if not by_dns or incoming.peer.login_party_id is not None:
            return await super().origin(incoming, domain, by_dns=by_dns)
        message = Message(incoming.content)
        if incoming.peer.passes_on:
            return await origin.through_front(self._resolver, incoming, message, self._reported(incoming, message))
        return await origin.of_client(self._resolver, incoming, message, domain)

    async def _gather(self, incoming: Incoming, domain: str) -> _Evidence:
        message = Message(incoming.content)
        reported = self._reported(incoming, message)
        if reported:
            author, chain = await asyncio.gather(
                self._discover(domain), arc.verify(self._resolver, message, incoming.received_at)
            )
            return _Evidence(_with_signatures(reported, message, author), author, chain, reported)
        author, chain, by_host, signatures = await asyncio.gather(
            self._discover(domain),
            arc.verify(self._resolver, message, incoming.received_at),
            self._host(incoming),
            dkim.verify(self._resolver, message, incoming.received_at),
        )
        return _Evidence((by_host, *signatures), author, chain, None)

    def _reported(self, incoming: Incoming, message: Message) -> ReportedResults | None:
        """Returns the results of the front host that delivered this mail, or None.

        When a front host names its client (XCLIENT, PROXY), the client's address replaces the address of the front
        host. The relay then verifies the mail itself, and ignores results that the client may have written under the
        name of the front host.
        """
        if not self._authserv_id or not incoming.peer.is_front:
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

    async def _judge(self, evidence: _Evidence, written: _Written, domain: str) -> tuple[_Finding, str]:
        """Returns the proof of From and the outcome of DMARC.

        Raises ResolveError if a missing DNS answer could change them.
        """
        reported, author = evidence.reported, evidence.author
        if reported and reported.dmarc == "temperror":
            raise ResolveError("the front host got no answer from DNS", permanent=False)
        if author is None:
            # A proof for exactly the From domain is aligned under any DMARC record.
            exact = [one for one in evidence.identifiers if one.outcome == "pass" and one.domain == domain]
            if exact and (finding := written.finding(exact, exact, sealed=False)).proven:
                return finding, "temperror"
            raise ResolveError("DNS did not answer about the From domain", permanent=False)
        finding = _NOTHING
        if not reported or reported.dmarc != "fail":
            finding = await self._aligned(author, evidence.identifiers, written)
            if reported and reported.passes(domain) and not finding.aligned:
                finding = _Finding()  # the front host does not name the method
        failed = "fail" if author.policy or (reported and reported.dmarc == "fail") else "none"
        passed = "pass" if author.policy or (reported and reported.passes(domain)) else "none"
        outcome = passed if finding.aligned else failed
        if not finding.proven and await self._sealed(author, evidence.chain) and (newest := evidence.chain.newest):
            sealed = written.finding([newest], [newest], sealed=True)
            finding = sealed if sealed.proven else finding
        return finding, outcome

    async def _aligned(self, author: Discovery, identifiers: Sequence[Identifier], written: _Written) -> _Finding:
        """Returns the proofs in alignment with From: SPF, or else the valid signatures and the fields that they cover.

        Raises ResolveError if a missing DNS answer could prove more.
        """
        fault: ResolveError | None = None
        try:
            if await self._any_aligned(author, [one for one in identifiers if one.method == "spf"]):
                return _Finding()
        except ResolveError as error:
            fault = error
        aligned: list[Identifier] = []
        signatures = [one for one in identifiers if one.method == "dkim" and dmarc.may_align(author, one.domain)]
        # Signatures of the From domain are first, because they need no further DNS query.
        for one in sorted(signatures, key=lambda each: each.domain != author.domain):
            if one.outcome not in {"pass", "temperror"}:
                continue
            if one.domain != author.domain and aligned and written.finding(aligned, aligned, sealed=False).proven:
                break
            try:
                if not await dmarc.aligned(self._resolver, author, one.method, one.domain):
                    continue
            except ResolveError as error:
                fault = error
                continue
            if one.outcome == "pass":
                aligned.append(one)
            else:
                fault = ResolveError("dkim got no answer from DNS", permanent=False)
        passing = [one for one in signatures if one.outcome == "pass"]
        finding = written.finding(aligned, passing, sealed=False) if aligned else _NOTHING
        if fault and not written.is_sure(finding):
            raise fault
        return finding

    async def _any_aligned(self, author: Discovery, identifiers: Sequence[Identifier]) -> bool:
        """Returns whether a proven identifier is aligned with From.

        Raises ResolveError if no identifier is aligned, but a missing DNS answer could change that.
        """
        fault: ResolveError | None = None
        # Proofs for the From domain are first, because they need no further DNS query.
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
        """Returns whether a trusted ARC sealer has found From proven, and each later sealer is trusted (RFC 8617 §9.3).

        A later server that is not trusted may have changed the mail. Raises ResolveError if the keys of the seals could
        not be looked up.
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


def _with_signatures(reported: ReportedResults, message: Message, author: Discovery | None) -> list[Identifier]:
    """Returns the identifiers that a front host reports, each DKIM signature with the fields that it signs.

    The results do not say which signature of a domain has passed. Therefore a field counts only if all signatures of
    the domain sign it. If DMARC has passed without a result for DKIM, the pass may come from any signature of the
    organization.
    """
    found: list[Identifier] = []
    for one in reported.identifiers:
        is_passed = one.method == "dkim" and one.outcome == "pass" and one.domain
        found += (_signed(message, one.domain) or [one]) if is_passed else [one]
    if author and reported.passes(author.domain) and not any(one.method == "dkim" for one in reported.identifiers):
        found += _least(dkim.stated(message, lambda domain: dmarc.may_align(author, domain)))
    return found


def _signed(message: Message, domain: str) -> list[Identifier]:
    """Returns one identifier with the result "pass" for each signature of a folded domain or a domain above it."""
    return _least(dkim.stated(message, lambda signer: f".{domain}".endswith(f".{signer}")))


def _least(signatures: Sequence[tuple[str, SignedBy]]) -> list[Identifier]:
    """Returns one identifier with the result "pass" for each (domain, fields that its signature signs).

    Each identifier has only the fields that all of the signatures sign.
    """
    if not signatures:
        return []
    fields = Counter(signatures[0][1].fields)
    for _, by in signatures[1:]:
        fields &= Counter(by.fields)
    return [Identifier("dkim", domain, "pass", by._replace(fields=fields)) for domain, by in signatures]
