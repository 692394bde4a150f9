"""Authentication-Results (RFC 8601) of servers that are believed: a configured one in front of us, a sealer of ARC."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import authres

from relay.core.dmarc import Identifier, Method
from relay.edge.authenticate.dkim import folded
from relay.edge.authenticate.fields import Message

_LONGEST: Final = 8_192
_ACTION: Final = re.compile(r" action=[a-z.]{1,20}(?=[ ;]|\Z)")
"""Microsoft's addition to `dmarc=`, which the grammar has no place for."""
_OUTCOMES: Final = frozenset(
    {"none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"}  # RFC 8601 §2.7
)
_INSTANCE: Final = re.compile(r"[ \t]*i[ \t]*=[ \t]*[0-9]{1,2}[ \t]*;")
_DOMAINS: Final[dict[Method, tuple[tuple[str, str], ...]]] = {
    "spf": (("smtp", "mailfrom"), ("smtp", "mfrom"), ("smtp", "helo")),
    "dkim": (("header", "d"), ("header", "i")),
}


@dataclass(frozen=True, slots=True)
class ReportedResults:
    """What one server says. `dmarc` is its result, "" when it names none; `dmarc_domain` the From domain that it is
    about, "" when it does not say."""

    server: str
    identifiers: tuple[Identifier, ...]
    dmarc: str = ""
    dmarc_domain: str = ""

    def passes(self, domain: str) -> bool:
        """Whether it says that DMARC passed for this From domain."""
        return self.dmarc == "pass" and self.dmarc_domain in {"", domain}

    def outcome_of(self, method: Method) -> str:
        outcomes = [one.outcome for one in self.identifiers if one.method == method]
        return "pass" if "pass" in outcomes else outcomes[0] if outcomes else ""


def read(text: str) -> ReportedResults | None:
    """A field's unfolded value, None when it is none or too long."""
    if len(text) > _LONGEST:
        return None
    try:
        header: Any = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {_ACTION.sub('', text)}")
    except (authres.AuthResError, ValueError, AttributeError, RecursionError):
        return None
    dmarc = [one for one in header.results if one.method == "dmarc"]
    return ReportedResults(
        server=str(header.authserv_id).lower(),
        identifiers=tuple(_identifiers(header.results)),
        dmarc=_outcome(dmarc[0]) if dmarc else "",
        dmarc_domain=_domain(dmarc[0], (("header", "from"),)) if dmarc else "",
    )


def sealed(text: str) -> ReportedResults | None:
    """That of an ARC-Authentication-Results field, whose instance stands before it (RFC 8617 §4.1.1)."""
    instance = _INSTANCE.match(text)
    return read(text[instance.end() :].strip()) if instance else None


def _identifiers(results: list[Any]) -> Iterator[Identifier]:
    for one in results:
        if one.method in _DOMAINS:
            yield Identifier(one.method, _domain(one, _DOMAINS[one.method]), _outcome(one))


def _outcome(result: Any) -> str:
    return str(result.result) if result.result in _OUTCOMES else "none"


def _domain(result: Any, properties: tuple[tuple[str, str], ...]) -> str:
    """The domain in the first of these properties that is there."""
    values = {(one.type, one.name): str(one.value) for one in result.properties}
    text = next((values[name] for name in properties if name in values), "")
    return folded(text.rpartition("@")[2])


def of_front(message: Message, server: str) -> ReportedResults | None:
    """What the server in front of us says: in the fields of its name that stand together at the top, above any trace
    of servers before it. A method's topmost field counts, so that nothing is added below it; removing what others
    wrote in its name is that server's duty (RFC 8601 §5)."""
    reported: list[ReportedResults] = []
    for field in message.fields:
        if field.name == b"received" and reported:
            break
        if field.name != b"authentication-results" or not field.value.lower().startswith(server.lower()):
            continue  # what anybody may have written by the hundred is not worth a parser's time
        one = read(field.value)
        if one and one.server == server.lower():
            reported.append(one)
    if not reported:
        return None
    first = {method: next((one for one in reported if one.outcome_of(method)), None) for method in _DOMAINS}
    dmarc = next((one for one in reported if one.dmarc), reported[0])
    return ReportedResults(
        server=server,
        identifiers=tuple(
            identifier
            for method, one in first.items()
            for identifier in (one.identifiers if one else ())
            if identifier.method == method
        ),
        dmarc=dmarc.dmarc,
        dmarc_domain=dmarc.dmarc_domain,
    )
