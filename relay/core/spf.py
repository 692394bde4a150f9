"""Parses SPF records and expands their macros (RFC 7208 §4.6, §5-7, §12), without DNS look-ups.

The explanation of a record (`exp=`) is checked for its grammar but not used, because the relay refuses mail with its
own texts.
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
    """The results of a check of SPF (RFC 7208 §2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result of RFC 7208, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SpfSyntaxError(ValueError):
    """The record violates the grammar, so the whole record is invalid (RFC 7208 §4.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One directive of a record, such as `-all` or `ip4:192.0.2.0/24`.

    `name` is the mechanism in lower case. `result` is the result if the mechanism matches; the qualifier determines it.
    `domain` is the domain-spec, with its macros; "" means the current domain. `prefixes` has the prefix length for each
    IP version (4 and 6). `network` is the network of an `ip4` or `ip6`, None for every other mechanism.
    """

    name: str
    result: Result
    domain: str = ""
    prefixes: Mapping[int, int]
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A parsed record; `redirect` is the domain-spec of its `redirect=` modifier, None if it has no such modifier."""

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
    """Returns the SPF records among the TXT records of a name (RFC 7208 §4.5)."""
    return [text for text in texts if _VERSION.match(text)]


def read(text: bytes) -> SpfRecord:
    """Returns the parsed record; `text` begins with `v=spf1`. Raises SpfSyntaxError if the grammar is violated."""
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
    """Returns the prefix length for each IP version, from a text such as `/24//64` (RFC 7208 §5.6).

    Each of the two parts may be missing; its length is then 32 (IPv4) or 128 (IPv6). Raises SpfSyntaxError.
    """
    four, _, six = lengths.partition("//")
    given = dict(_WHOLE)
    for version, text in ((4, four.removeprefix("/")), (6, six)):
        if text:
            if not _LENGTH.match(text) or int(text) > _WHOLE[version]:
                raise SpfSyntaxError("a prefix length is not valid")
            given[version] = int(text)
    return given


def _domain_spec(text: str) -> str:
    """Returns the domain-spec unchanged if it is valid. Raises SpfSyntaxError if it is not.

    domain-spec = macro-string domain-end; domain-end = ( "." toplabel [ "." ] ) / macro-expand
    """
    pieces = ["", *_pieces(text, letters_in_explanations=False)]
    if isinstance(pieces[-1], str) and not _DOMAIN_END.search(pieces[-1]):
        raise SpfSyntaxError("a domain does not end in a top-level name")
    return text


def _pieces(text: str, *, letters_in_explanations: bool) -> Iterator[str | re.Match[str]]:
    """Yields the parts of a macro-string in order: a literal as text, a macro as its match of _MACRO.

    `letters_in_explanations` allows the macros c, r and t, which only an explanation may have. Raises SpfSyntaxError.
    """
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
    """Returns whether the domain-spec contains the macro `%{p}`.

    The value of this macro is the validated host name of the client, so it needs DNS look-ups.
    """
    return "%{p" in domain_spec.lower()


def expand(domain_spec: str, value: Callable[[str], str]) -> str:
    """Returns the domain name that a domain-spec stands for (RFC 7208 §7.3).

    `value` returns the value of a macro, by the macro's letter in lower case. If the name is longer than 253
    characters, labels are removed from its left side.
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
    """Returns an IP address as the value of the macro `%{i}` (RFC 7208 §7.4).

    An IPv6 address is written as its 32 hexadecimal digits, separated by dots.
    """
    return str(address) if isinstance(address, IPv4Address) else ".".join(f"{int(address):032x}")
