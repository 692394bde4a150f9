"""Converts HTML to plain text, for readers whose mail program shows only text.

Blocks become lines, the target of a link follows its text, and pictures become their descriptions. If HTML is nested
too deeply, only its tags are removed, because the time of the parser is quadratic in the depth.
"""

import html
import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.core.mail.html_depth import is_flat_enough
from relay.core.mail.layers import TAG

_UNSEEN: Final = frozenset({"head", "style", "script", "template", "title", "noscript", "-comment"})
_SPACED: Final = re.compile("blockquote|h[1-6]|ol|p|pre|table|ul")
_BLOCK: Final = re.compile(
    "address|article|aside|center|d[dlt]|div|fieldset|figure|footer|form|header|hr|li|main|nav|section|tr"
)
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_LINE, _PARAGRAPH = "\x1e", "\x1d"
"""The marks at the beginning and end of a block: `_LINE` for a new line, `_PARAGRAPH` for a new paragraph.

Several marks in a row count as one.
"""
_BREAKS: Final = re.compile(r" *[\n\x1d\x1e][ \n\x1d\x1e]*")


def of_html(source: str) -> str:
    """Returns the text as lines that end in LF, or "" if the HTML shows no text."""
    if not is_flat_enough(source):
        return _tidy(html.unescape(TAG.sub(" ", source)))
    root = LexborHTMLParser(source).root
    pieces: list[str] = []
    if root is not None:
        _read(root, pieces)
    return _tidy("".join(pieces))


def _read(root: LexborNode, pieces: list[str]) -> None:
    """Appends the text of the tree to `pieces`.

    Each node is visited twice: before its children, and after them. The second visit knows the index in `pieces` at
    which the text of the children began.
    """
    waiting: list[tuple[LexborNode, int]] = [(root, -1)]
    while waiting:
        node, start = waiting.pop()
        tag = node.tag or ""
        if start >= 0:
            if tag == "a":
                pieces.append(_target(node, "".join(pieces[start:])))
            pieces.append(_gap(tag))
        elif tag == "-text":
            pieces.append(_SPACE.sub(" ", node.text_content or ""))
        elif tag not in _UNSEEN:
            pieces += (_gap(tag), _opening(node, tag))
            waiting.append((node, len(pieces)))
            waiting += [(child, -1) for child in reversed([*node.iter(include_text=True)])]


def _gap(tag: str) -> str:
    return _PARAGRAPH if _SPACED.fullmatch(tag) else _LINE if _BLOCK.fullmatch(tag) else ""


def _opening(node: LexborNode, tag: str) -> str:
    match tag:
        case "br":
            return "\n"
        case "li":
            return "- "
        case "td" | "th":
            return " "
        case "img":
            return node.attributes.get("alt") or ""
        case _:
            return ""


def _target(node: LexborNode, shown: str) -> str:
    """Returns the target of a link in angle brackets, or "" if the text of the link already contains the target."""
    target = (node.attributes.get("href") or "").strip().removeprefix("mailto:")
    leads_out = target and target not in shown and not target.startswith(("#", "javascript:", "cid:"))
    return f" <{target}>" if leads_out else ""


def _tidy(text: str) -> str:
    text = _BREAKS.sub(_break, re.sub(r"[ \t\xa0]+", " ", text)).strip()
    return text + "\n" if text else ""


def _break(found: re.Match[str]) -> str:
    return "\n\n" if _PARAGRAPH in found[0] or found[0].count("\n") > 1 else "\n"
