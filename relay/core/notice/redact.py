"""The last look before words leave in a notice: no address but aliases (R-OUT-05), no host of the other side.

Who fills a request has taken known addresses out already; what still looks like one goes here, known or not. Texts are
clipped first, so that a hostile length costs nothing.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from relay.core import smtp_reply

MASK: Final = "***"
_ATOM: Final = r"[^\s<>()\[\]\"',;:@＠「」（）【】［］、。：；]+"
_ADDRESS: Final = re.compile(f"{_ATOM}[@＠]{_ATOM}")
_HOST: Final = re.compile(
    r"<[^>]*>|https?://\S+"  # angle brackets mostly hold an address, or what is left of one
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?i:[0-9a-f]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
    r"|[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]+"
)


def clip(text: str, longest: int) -> str:
    """One line of at most `longest` characters, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest + 1]).split(" "))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def addresses(text: str, domains: AbstractSet[str]) -> str:
    """The text with every address masked that is not under one of our own `domains`."""
    return _ADDRESS.sub(lambda m: m[0] if re.split("[@＠]", m[0])[1].lower() in domains else MASK, text)


def remote(text: str) -> str:
    """Another server's words without addresses, host names and IP addresses; printable ASCII, at most 300."""
    return _HOST.sub("[host]", smtp_reply.redact(text, limit=300))
