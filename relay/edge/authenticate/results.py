"""Authentication-Results (RFC 8601) of trusted servers: of a configured front host, or of an ARC sealer."""

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
"""Matches a part that Microsoft's servers add to `dmarc=`, and that the grammar does not allow."""
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
    """The authentication results of one server.

    `dmarc` is its result for DMARC, or "". `dmarc_domain` is the From domain to which this result belongs, or "" if the
    server does not name it.
    """

    server: str
    identifiers: tuple[Identifier, ...]
    dmarc: str = ""
    dmarc_domain: str = ""

    def passes(self, domain: str) -> bool:
        """Returns whether the server reports that DMARC has passed for this From domain."""
        return self.dmarc == "pass" and self.dmarc_domain in {"", domain}

    def outcome_of(self, method: Method) -> str:
        """Returns "pass" if any result of the method is "pass", else its first result; "" without a result."""
        outcomes = [one.outcome for one in self.identifiers if one.method == method]
        return "pass" if "pass" in outcomes else outcomes[0] if outcomes else ""


def read(text: str) -> ReportedResults | None:
    """Returns the results in the unfolded value of an Authentication-Results field; None if it is invalid.

    A value that is too long is invalid.
    """
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
    """Returns the results in the value of an ARC-Authentication-Results field (RFC 8617 §4.1.1), or None.

    The instance number in front of the results is left out.
    """
    instance = _INSTANCE.match(text)
    return read(text[instance.end() :].strip()) if instance else None


def _identifiers(results: list[Any]) -> Iterator[Identifier]:
    for one in results:
        if one.method in _DOMAINS:
            yield Identifier(one.method, _domain(one, _DOMAINS[one.method]), _outcome(one))


def _outcome(result: Any) -> str:
    return str(result.result) if result.result in _OUTCOMES else "none"


def _domain(result: Any, properties: tuple[tuple[str, str], ...]) -> str:
    """Returns the folded domain in the first of these properties that the result has; "" if it has none of them."""
    values = {(one.type, one.name): str(one.value) for one in result.properties}
    text = next((values[name] for name in properties if name in values), "")
    return folded(text.rpartition("@")[2])


def of_front(message: Message, server: str) -> ReportedResults | None:
    """Returns the results that the front host `server` has added, or None.

    Only fields of this server above the next Received field count, because fields further down come from earlier
    servers. For each method the topmost field counts, so that a field that was added further down has no effect. The
    front host must remove fields that others have written in its name (RFC 8601 §5).
    """
    reported: list[ReportedResults] = []
    for field in message.fields:
        if field.name == b"received" and reported:
            break
        if field.name != b"authentication-results" or not field.value.lower().startswith(server.lower()):
            continue  # a mail may contain hundreds of such fields, and none of them is parsed
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
