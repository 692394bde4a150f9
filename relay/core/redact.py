"""Removes real mail addresses (R-OUT-05) and host names from text that is stored or shown.

The addresses that the caller knows are removed first, then each text that looks like an address. The text of another
server is cut to a limit before, so that a long text cannot take much time.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from relay.core.providers import is_host_of_provider

MASK: Final = "***"
_SIGN: Final = r"[^\s<>()\[\]\"',;:@＠「」（）【】［］、。：；]"
_ADDRESS: Final = re.compile(f"(?<!{_SIGN}){_SIGN}++[@＠]{_SIGN}+")
_NAMES: Final = (
    r"https?://\S+"
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?i:[0-9a-f]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
    r"|[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]+"
)
_NAMED: Final = re.compile(_NAMES)
_MAY_NAME: Final = re.compile(r"\.[A-Za-z][\w-]|(?:\.\d+){3}|:[^ ]*:|://")
_HOST_AND_REST: Final = re.compile(r"\A([^/:?#]*)(.*)", re.DOTALL)
_HOST: Final = re.compile(f"<[^>]*>|{_NAMES}")
"""Angle brackets mostly contain an address, or the rest of one."""
_ADDRESS_MASK: Final = "[address]"
_MOST_TEXT: Final = 2_000
_QUOTED: Final = re.compile(r'"[^"]*"@')
_AT_SIGNS: Final = ("@", "%40", "=40", "+40", "&#64;")
_FULL_WIDTH: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})


def clip(text: str, longest: int) -> str:
    """Returns the beginning of a text as one line of at most `longest` characters.

    Each control character is replaced by a space. A text that was cut ends in "…".
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest + 1]).split(" "))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def addresses(text: str, domains: AbstractSet[str]) -> str:
    """Returns the text with each mail address replaced by MASK, except addresses under the relay's own `domains`."""
    return _ADDRESS.sub(lambda m: m[0] if re.split("[@＠]", m[0])[1].lower() in domains else MASK, text)


def masked(address: str) -> str:
    """Returns an address with most of its local part hidden, such as `s…o@pottery.example` for `sato@pottery.example`.

    The reader can tell two addresses apart and notice a typing error in the domain. A local part of fewer than four
    characters keeps only its first one. `@domain`, which stands for a whole domain, is returned unchanged.
    """
    local, _, domain = address.rpartition("@")
    if not local:
        return address
    last = local[-1] if len(local) > len("xxx") else ""
    return f"{local[0]}…{last}@{domain}"


def visible(text: str) -> str:
    """Returns a text with `[U+202E]` for a character that is not shown, or that changes how others are shown.

    An address may have such characters, so that it looks like another address.
    """
    return "".join(char if char.isprintable() else f"[U+{ord(char):04X}]" for char in text)


def answer(text: str, known: Iterable[str] = (), *, limit: int = 500) -> str:
    """Returns another server's text as one line of printable ASCII without addresses, of at most `limit` characters.

    The `known` addresses, their local parts and their domains, and each word that looks like an address, are replaced
    by "[address]".
    """
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT].rpartition(" ")[0]  # an address that is cut in two would not be recognized
    text = text.translate(_FULL_WIDTH)
    text = "".join(char if " " <= char <= "~" else " " if char.isspace() else "?" for char in text)
    low = text.lower()
    # Most answers contain no known address, and a search for a plain text is much faster than a regular expression.
    for word in sorted((word for word in _words(known) if word.lower() in low), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", _ADDRESS_MASK, text, flags=re.IGNORECASE)
    text = _QUOTED.sub("x@", text)
    words = (_ADDRESS_MASK if any(at in word for at in _AT_SIGNS) else word for word in text.split())
    return " ".join(words)[:limit]


def public_answer(text: str) -> str:
    """Returns another server's text as it may be shown to the other side of the pair, at most 300 characters.

    Addresses are removed as by `answer`. Host names and IP addresses are replaced by "[host]".
    """
    return _HOST.sub("[host]", answer(text, limit=300))


def without_hosts(text: str) -> str:
    """Returns a text, of at most 500 characters, with `[host]` for each IP address, and each host and URL of others.

    Hosts of the providers with which the relay comes stay, for their names say nothing about a person; so do URLs there
    that name no other host.
    """
    if not _MAY_NAME.search(text):  # as in most answers
        return text
    return " ".join(_NAMED.sub(_hidden, word) if _MAY_NAME.search(word) else word for word in text.split(" "))


def _hidden(found: re.Match[str]) -> str:
    address = found[0].partition("://")[2] or found[0]
    name, rest = _HOST_AND_REST.findall(address)[0]
    return found[0] if is_host_of_provider(name) and not _MAY_NAME.search(rest) else "[host]"


def _words(addresses: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for address in addresses:
        local, _, domain = address.rpartition("@")
        words |= {address, local, local.strip('"'), domain}
    return {ascii_word for word in words if len(ascii_word := word.strip()) > 1}
