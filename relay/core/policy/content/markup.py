"""Finds the places where HTML links to other servers or loads from them: links, linked logos, tracking pixels.

An HTML parser lists the elements; their places in the source are found by a search for their attribute values. HTML
that is nested too deeply is judged as text only, because the time of the parser is quadratic in the depth.
"""

import html
import itertools
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.core.mail.html_depth import is_flat_enough
from relay.core.model.reason import ReasonCode
from relay.core.policy.content import clues, contacts, hosts
from relay.core.policy.content.external_links import MOST
from relay.core.policy.content.finding import Hit

_LEADING: Final = ("href", "src", "action", "background", "srcset", "poster", "data")
_SELECTED: Final = ",".join(f"[{name}]" for name in _LEADING)
_VALUE: Final = re.compile(
    rf"""
    <[A-Za-z]
    | \b ({"|".join(_LEADING)}) \s{{0,3}} = \s{{0,3}}
      (?: "([^"]{{0,4000}})" | '([^']{{0,4000}})' | ([^\s>"']{{1,4000}}+) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REMOTE: Final = re.compile(r"\s*(?:https?:[/\\]*+|[/\\]{2,}+)(.*)\Z", re.IGNORECASE | re.DOTALL)
_HIDDEN: Final = re.compile(
    r"""
    display \s* : \s* none
    | visibility \s* : \s* hidden
    | opacity \s* : \s* 0 (?! [.\d]* [1-9] )
    | (?<! [-\w] ) (?: max- )? (?: width | height ) \s* : \s* [0-3] (?:px)? \s* (?: ; | ! | \Z )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TINY: Final = re.compile(r"\s*[0-3](?:px)?\s*\Z")
_LEADS_OUT: Final = r"//|\\|&(?:#|sol|bsol|colon)|(?:mailto|tel|sms|line|skype|whatsapp|tg|weixin|messenger):"
_DROPPED: Final = str.maketrans("", "", "\t\r\n")
"""The characters that browsers ignore anywhere in a URL."""
_STYLE_URL: Final = re.compile(r"url\(\s{0,3}[\"']?\s{0,3}(?:https?:)?//([^\s\"')]{1,500})", re.IGNORECASE)
_A_END: Final = re.compile(r"</a\s*>", re.IGNORECASE)


class PairDomains(NamedTuple):
    """The addresses that are not contact data (`contacts.own_addresses`) and the domains that links may lead to."""

    addresses: frozenset[str]
    domains: frozenset[str]


def found(source: str, owner: PairDomains) -> Iterator[Hit]:
    """Yields hits with spans of `source`; the span is (0, 0) if the value of an element is not found there."""
    if not clues.first((_LEADS_OUT,), source):
        return
    if clues.first((r"url\(",), source):
        for match in itertools.islice(_STYLE_URL.finditer(source), MOST):
            host = hosts.of_url(match[1])
            if host and not hosts.is_under(host, owner.domains):
                yield Hit(ReasonCode.EXTERNAL_LINK, *match.span(), host)
    if not is_flat_enough(source):
        return
    places: dict[str, deque[tuple[int, int]]] | None = None
    logo_ends = -1
    judged = (item for node in LexborHTMLParser(source).css(_SELECTED) for item in _judged(node, owner))
    for code, value, host in itertools.islice(judged, MOST):
        places = _places(source) if places is None else places
        start, end = _extent(source, places[value].popleft(), code) if places.get(value) else (0, 0)
        if end and start < logo_ends:
            continue  # the link around it is removed with its whole content
        if code is ReasonCode.LINKED_LOGO:
            logo_ends = end
        yield Hit(code, start, end, host)


def _judged(node: LexborNode, owner: PairDomains) -> Iterator[tuple[ReasonCode, str, str]]:
    attributes = node.attributes
    for name in _LEADING:
        value = attributes.get(name)
        if not value:
            continue
        url = value.translate(_DROPPED).strip()
        scheme = url.partition(":")[0].lower()
        if scheme == "mailto":
            address = unquote(url.partition(":")[2].partition("?")[0]).strip()
            if address and not contacts.is_own(address, owner.addresses, owner.domains):
                yield ReasonCode.CONTACT_DATA, value, "email"
        elif scheme in {"tel", "sms", "line", "skype", "whatsapp", "tg", "weixin", "fb-messenger"}:
            yield ReasonCode.CONTACT_DATA, value, "phone" if scheme in {"tel", "sms"} else "account"
        elif remote := _REMOTE.match(url):
            yield from _remote(node, name, value, hosts.of_url(remote[1]), owner)


def _remote(
    node: LexborNode, name: str, value: str, host: str, owner: PairDomains
) -> Iterator[tuple[ReasonCode, str, str]]:
    if not host:
        return
    is_allowed = hosts.is_under(host, owner.domains)
    if node.tag == "img" and name in {"src", "srcset"} and _is_pixel(node):
        if not is_allowed:
            yield ReasonCode.TRACKING_PIXEL, value, host
    elif hosts.leads_to_account(host) and node.tag == "a":
        yield ReasonCode.CONTACT_DATA, value, "account"
    elif not is_allowed:
        is_logo = node.tag == "a" and node.css_first("img") is not None
        yield ReasonCode.LINKED_LOGO if is_logo else ReasonCode.EXTERNAL_LINK, value, host


def _is_pixel(node: LexborNode) -> bool:
    attributes = node.attributes
    width, height = attributes.get("width") or "", attributes.get("height") or ""
    return (
        bool(_TINY.match(width) and _TINY.match(height))
        or "hidden" in attributes
        or bool(_HIDDEN.search((attributes.get("style") or "")[:1_000]))
    )


def _places(source: str) -> dict[str, deque[tuple[int, int]]]:
    """Returns the places at which each attribute value occurs: the start of the tag and the end of the value."""
    places: dict[str, deque[tuple[int, int]]] = defaultdict(deque)
    tag = 0
    for match in _VALUE.finditer(source):
        if match[1]:
            places[html.unescape(match[2] or match[3] or match[4] or "")].append((tag, match.end()))
        else:
            tag = match.start()
    return places


def _extent(source: str, place: tuple[int, int], code: ReasonCode) -> tuple[int, int]:
    """Returns the range of the tag in `source`; for a linked logo, the range up to the end of `</a>`."""
    start, value_end = place
    end = source.find(">", value_end) + 1 or len(source)
    if code is ReasonCode.LINKED_LOGO and (closing := _A_END.search(source, end)):
        end = closing.end()
    return start, end
