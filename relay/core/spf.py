"""SPF records: their grammar and their macros (RFC 7208 §4.6, §5-7, §12). Text in, terms out; nothing is looked up.

Explanations are checked but not used, because the relay answers strangers with texts of its own.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final
from urllib.parse import quote

Address = IPv4Address | IPv6Address


class Result(StrEnum):
    """The results of RFC 7208 §2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result of RFC 7208, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SpfSyntaxError(ValueError):
    """The record violates the grammar, so that none of it counts (RFC 7208 §4.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One directive of a record.

    `result` is the meaning of its qualifier. `domain` is a domain-spec with macros, "" for the current domain.
    `prefixes` are the prefix lengths by IP version; `network` is the network of `ip4` and `ip6`.
    """

    name: str
    result: Result
    domain: str = ""
    prefixes: Mapping[int, int]
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A parsed record; `redirect` is the domain-spec of its modifier, None without one."""

    mechanisms: tuple[Mechanism, ...]
    redirect: str | None


_VERSION: Final = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_QUALIFIERS: Final = {
    "": Result.PASS,
    "+": Result.PASS,
    "-": Result.FAIL,
    "~": Result.SOFTFAIL,
    "?": Result.NEUTRAL,
}
_MODIFIER: Final = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)\Z")
_DIRECTIVE: Final = re.compile(r"([+?~-]?)([A-Za-z0-9]+)(?=[:/]|\Z)(?::(.*?))?((?:/[0-9]+)?(?://[0-9]+)?)\Z")
_LENGTH: Final = re.compile(r"(?:0|[1-9][0-9]{0,2})\Z")
_DOMAIN_END: Final = re.compile(r"\.(?![0-9]++\.?\Z)[A-Za-z0-9][A-Za-z0-9-]*+(?<!-)\.?\Z")
_MACRO: Final = re.compile(r"%(?:\{([slodiphcrtv])([0-9]*)(r?)([.+,/_=-]*)\}|([%_-]))", re.IGNORECASE)
_LITERAL: Final = re.compile(r"[!-$&-~]*\Z")
_FOR_EXPLANATIONS: Final = "crt"
_OPTIONAL, _REQUIRED, _NONE = "optional", "required", "none"
_DOMAIN_OF: Final = {
    "all": _NONE,
    "include": _REQUIRED,
    "a": _OPTIONAL,
    "mx": _OPTIONAL,
    "ptr": _OPTIONAL,
    "exists": _REQUIRED,
}
_WITH_PREFIXES: Final = frozenset({"a", "mx"})
_NETWORKS: Final = {"ip4": IPv4Network, "ip6": IPv6Network}
_WHOLE: Final = {4: 32, 6: 128}


def select(texts: Sequence[bytes]) -> list[bytes]:
    """Returns the SPF records among a name's TXT records (RFC 7208 §4.5)."""
    return [text for text in texts if _VERSION.match(text)]


def read(text: bytes) -> SpfRecord:
    """Parses a record. Raises SpfSyntaxError."""
    try:
        terms = text.decode("ascii").split(" ")[1:]
    except UnicodeDecodeError as error:
        raise SpfSyntaxError("the record is not ASCII") from error
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, terms):
        modifier = _MODIFIER.match(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in {"redirect", "exp"}:
            if name in modifiers:
                raise SpfSyntaxError(f"{name}= occurs twice")  # RFC 7208 §6
            modifiers[name] = _domain_spec(value)
        else:
            _check_macros(value)
    return SpfRecord(tuple(mechanisms), modifiers.get("redirect"))


def _check_macros(text: str) -> None:
    for _ in _pieces(text, letters_in_explanations=True):
        pass


def _mechanism(term: str) -> Mechanism:
    match = _DIRECTIVE.match(term)
    if match is None:
        raise SpfSyntaxError("a term is not a directive")
    qualifier, name, domain, lengths = match[1], match[2].lower(), match[3], match[4]
    result = _QUALIFIERS[qualifier]
    if name in _NETWORKS:
        return Mechanism(name=name, result=result, prefixes=_WHOLE, network=_network(name, f"{domain or ''}{lengths}"))
    takes = _DOMAIN_OF.get(name)
    if takes is None:
        raise SpfSyntaxError("a mechanism is unknown")
    if lengths and name not in _WITH_PREFIXES:
        domain, lengths = None if domain is None else domain + lengths, ""
        if domain is None:
            raise SpfSyntaxError("a mechanism may not have a prefix length")
    if (domain is None) if takes is _REQUIRED else (domain is not None and takes is _NONE):
        raise SpfSyntaxError("a mechanism lacks a domain, or may not have one")
    return Mechanism(
        name=name,
        result=result,
        domain="" if domain is None else _domain_spec(domain),
        prefixes=_prefixes(lengths),
    )


def _network(name: str, text: str) -> IPv4Network | IPv6Network:
    address, slash, length = text.partition("/")
    if "%" in address or (slash and not _LENGTH.match(length)):
        raise SpfSyntaxError("not a network")
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise SpfSyntaxError("not a network") from error
    if not isinstance(network, _NETWORKS[name]):
        raise SpfSyntaxError("a network is of the other IP version")
    return network


def _prefixes(lengths: str) -> Mapping[int, int]:
    """Reads `/24//64`, in which each part is optional (RFC 7208 §5.6). Raises SpfSyntaxError."""
    four, _, six = lengths.partition("//")
    given = dict(_WHOLE)
    for version, text in ((4, four.removeprefix("/")), (6, six)):
        if text:
            if not _LENGTH.match(text) or int(text) > _WHOLE[version]:
                raise SpfSyntaxError("a prefix length is not valid")
            given[version] = int(text)
    return given


def _domain_spec(text: str) -> str:
    """Returns a valid domain-spec unchanged. Raises SpfSyntaxError.

    domain-spec = macro-string domain-end; domain-end = ( "." toplabel [ "." ] ) / macro-expand
    """
    pieces = ["", *_pieces(text, letters_in_explanations=False)]
    if isinstance(pieces[-1], str) and not _DOMAIN_END.search(pieces[-1]):
        raise SpfSyntaxError("a domain does not end in a top-level name")
    return text


def _pieces(text: str, *, letters_in_explanations: bool) -> Iterator[str | re.Match[str]]:
    """Yields the literals and macros of a macro-string in order. Raises SpfSyntaxError."""
    position = 0
    while position < len(text):
        macro = _MACRO.match(text, position)
        if macro is None:
            end = text.find("%", position)
            literal = text[position : end if end >= 0 else len(text)]
            if not literal or not _LITERAL.match(literal):
                raise SpfSyntaxError("a character is not allowed in a macro-string")
            yield literal
            position += len(literal)
            continue
        if macro[2] and not int(macro[2][:4]):
            raise SpfSyntaxError("a macro keeps no part of its value")
        if not letters_in_explanations and macro[1] and macro[1].lower() in _FOR_EXPLANATIONS:
            raise SpfSyntaxError("a macro is allowed in explanations only")
        yield macro
        position = macro.end()


_LITERAL_MACROS: Final = {"%": "%", "_": " ", "-": "%20"}
_LONGEST_NAME: Final = 253


def asks_for_name(domain_spec: str) -> bool:
    """Whether the expansion needs the client's validated name, and so look-ups."""
    return "%{p" in domain_spec.lower()


def expand(domain_spec: str, value: Callable[[str], str]) -> str:
    """Returns the domain name of a domain-spec; `value(letter)` is the value of a macro (RFC 7208 §7.3).

    A name that is too long loses labels from its left side.
    """
    pieces = _pieces(domain_spec, letters_in_explanations=False)
    name = "".join(piece if isinstance(piece, str) else _expansion(piece, value) for piece in pieces).rstrip(".")
    while len(name) > _LONGEST_NAME and "." in name:
        name = name.partition(".")[2]
    return name


def _expansion(macro: re.Match[str], value: Callable[[str], str]) -> str:
    letter, digits, reverse, delimiters, literal = macro.groups()
    if literal:
        return _LITERAL_MACROS[literal]
    text = value(letter.lower())
    if digits or reverse or delimiters:
        parts = re.split(f"[{re.escape(delimiters or '.')}]", text)
        if reverse:
            parts.reverse()
        text = ".".join(parts[-int(digits[:4]) :] if digits else parts)
    return quote(text, safe="-._~") if letter.isupper() else text


def dotted(address: Address) -> str:
    """Returns the value of `%{i}`; an IPv6 address is written as its nibbles (RFC 7208 §7.4)."""
    return str(address) if isinstance(address, IPv4Address) else ".".join(f"{int(address):032x}")
