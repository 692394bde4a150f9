"""Writes a footer as plain text or as HTML.

Two marks, one above and one below the footer, distinguish it from all other text in any language, charset and style of
quoting. The marks are ASCII, too short to be wrapped, and contain no character that HTML or a transfer encoding must
escape.
"""

import html
import re
from collections.abc import Sequence
from typing import Final

from relay.core.rewrite.plan import FooterLine

_ABOVE: Final = ".:" + "-" * 32 + ":."
_BELOW: Final = ".:" + "_" * 32 + ":."
ABOVE: Final = re.compile(r"\.:-{20,60}:\.")
BELOW: Final = re.compile(r"\.:_{20,60}:\.")
SIGN: Final = ".:--------"
"""The beginning of every mark that stands above a footer."""
_LONGEST: Final = 200
_STUFFED: Final = (" ", ">", "From ")  # RFC 3676 §4.4


def plain(lines: Sequence[FooterLine], text: str, newline: str, *, flowed: bool) -> str:
    """Returns the footer as plain text, to be appended to `text`, with line ends `newline`.

    A link stands on a line of its own, below the line with its description. `flowed` says that the text has the format
    "flowed" (RFC 3676).
    """
    written = [_ABOVE]
    for line in lines:
        says = _one_line(line.text)
        written += (_label(says), line.url) if line.url else (says,)
    written.append(_BELOW)
    if flowed:
        written = [" " + line if line.startswith(_STUFFED) else line for line in written]
    gap = newline if text else ""
    if text and not text.endswith("\n"):
        gap += newline
    if flowed and text.endswith(f" {newline}") and not text.endswith(f"-- {newline}"):
        gap += newline  # the last line would be joined with the next one (RFC 3676 §4.2)
    return gap + newline.join(written) + newline


def as_html(lines: Sequence[FooterLine], language: str, newline: str) -> str:
    """Returns the footer as HTML, to be put at the end of a body element, with line ends `newline`.

    Each link has its own line, so that no line becomes too long.
    """
    written = [_ABOVE, *map(_html_line, lines), _BELOW]
    style = "clear:both;margin-top:1em;color:#666666;font-size:small"
    inner = f"<br>{newline}".join(written)
    return f'{newline}<div lang="{html.escape(language)}" style="{style}">{inner}</div>{newline}'


def _html_line(line: FooterLine) -> str:
    says = html.escape(_one_line(line.text))
    return f'<a href="{html.escape(line.url)}">{says}</a>' if line.url else says


def _label(text: str) -> str:
    return text if text.endswith((":", "：")) else text + (":" if text.isascii() else "：")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
