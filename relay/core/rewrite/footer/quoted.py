"""Finds quoted footers of the relay, and signed links outside of them.

Both are removed before another person reads the text. A footer is recognised by its marks or, if one mark is missing,
by its links. If a person wrote text into the middle of a quoted footer, this text is kept, and only the links are
removed.
"""

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final

from relay.core.mail import textbody
from relay.core.mail.edits import Edit, merge_ranges
from relay.core.mail.layers import TAG, TAG_NAME
from relay.core.mail.textbody import TextBody
from relay.core.own_links import OwnLinks
from relay.core.rewrite.footer.form import ABOVE, BELOW, SIGN

_MOST_FOOTERS: Final = 100  # if a text has more footers, only the links of the rest are removed
_MOST_LINES: Final = 40
_LONGEST_LINE: Final = 2_000
_MOST_WORDS: Final = 400  # counted in characters, without the links
_MOST_MARKUP: Final = 8_000
_QUOTE: Final = re.compile(r"(?:[ \t]*[>|])*[ \t]*")
_LABEL: Final = re.compile(r"[^\r\n]{1,80}[:：][ \t]*\r?\n\Z")
_VOID: Final = frozenset({"area", "base", "br", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_GOES: Final = _VOID | {"a", "http", "https"}  # a link in angle brackets looks like a tag named http or https
_ANCHOR_END: Final = re.compile(r"</a\s*>", re.IGNORECASE)
_LONGEST_ANCHOR: Final = 2_000
_OPENED: Final = re.compile(r"<(div|span|p|font|small|i|b)\b[^<>]{0,400}>\s*\Z", re.IGNORECASE)
# Microsoft Word ends each paragraph with an empty element of its own kind.
_CLOSED: Final = re.compile(r"(?:\s|<o:p>(?:\s|&nbsp;)*</o:p>)*</([a-z]+)\s*>(?:\r?\n)?", re.IGNORECASE)
_DEEPEST: Final = 8
_START: Final = attrgetter("start")


def removals(body: TextBody, links: OwnLinks) -> list[Edit[str]]:
    """Returns the edits that remove footers and links, sorted. The list is empty for nearly every text."""
    found = links.find(body.text, is_html=body.is_html, is_delsp=textbody.has_delsp(body.part))
    if not found and SIGN not in body.text:
        return []
    return _in_html(body.text, found) if body.is_html else _in_plain(body.text, found)


# ---------------------------------------------------------------- plain text


def _in_plain(text: str, links: Sequence[Edit[str]]) -> list[Edit[str]]:
    return merge_ranges([*_plain_footers(text, links), *(_line_of(text, link) for link in links)])


def _plain_footers(text: str, links: Sequence[Edit[str]]) -> Iterator[Edit[str]]:
    for mark in itertools.islice(ABOVE.finditer(text), _MOST_FOOTERS):
        line_start = _line_start(text, mark.start())
        prefix = text[line_start : mark.start()]
        end = _plain_end(text, mark.end(), prefix.count(">"), links)
        if end and _QUOTE.fullmatch(prefix):
            above = _line_start(text, line_start - 1)
            # The empty line between the mail and the footer is removed too.
            is_empty = line_start and _QUOTE.fullmatch(text[above:line_start].rstrip("\r\n"))
            yield Edit(above if is_empty else line_start, end, "")
        elif end:
            yield Edit(mark.start(), end, "")


def _plain_end(text: str, at: int, depth: int, links: Sequence[Edit[str]]) -> int | None:
    """Returns the end of the footer whose first mark ends at `at`, or None if the text there is not a footer.

    `depth` is the number of quote marks (">") before the first mark. `links` are the edits that remove signed links.
    """
    end, words = None, 0
    for number in range(_MOST_LINES):
        line_end = _line_end(text, at)
        inside = _overlapping(links, at, line_end)
        if inside:
            line_end = max(line_end, _line_end(text, inside[-1].end - 1))
        line = text[at:line_end]
        below = BELOW.search(line)
        if number and line.count(">") < depth and not inside:
            return end
        if below:
            return at + below.end() if line[below.end() :].strip() else line_end
        if inside:
            end = line_end
        else:
            words += len(line.strip())
        if words > _MOST_WORDS or line_end == len(text):
            return end
        at = line_end
    return end


def _overlapping(links: Sequence[Edit[str]], start: int, end: int) -> list[Edit[str]]:
    first = max(0, bisect_left(links, start, key=_START) - 1)
    near = itertools.takewhile(lambda link: link.start < end, itertools.islice(links, first, first + _MOST_LINES))
    return [link for link in near if start < link.end]


def _line_of(text: str, link: Edit[str]) -> Edit[str]:
    """Returns the edit that removes a link.

    If the link is alone on its line, the whole line is removed, and also the line above if that line is the label of
    the link.
    """
    start, end, _ = link
    line_start, line_end = _line_start(text, start), _line_end(text, end)
    if text[end:line_end].strip() or not _QUOTE.fullmatch(text, line_start, start):
        return link
    above = _line_start(text, line_start - 1)
    return Edit(above if line_start and _LABEL.match(text, above, line_start) else line_start, line_end, "")


def _line_start(text: str, at: int) -> int:
    """Returns the start of the line that contains `at`.

    Looks back over a limited number of characters: in a line that is too long for a footer, returns a place in the
    line.
    """
    return text.rfind("\n", max(0, at - _LONGEST_LINE), max(0, at)) + 1 or max(0, at - _LONGEST_LINE)


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at, at + _LONGEST_LINE) + 1 or min(len(text), at + _LONGEST_LINE)


# ---------------------------------------------------------------- HTML


def _in_html(text: str, links: Sequence[Edit[str]]) -> list[Edit[str]]:
    gone = merge_ranges([*_html_footers(text, links), *(_element(text, link) for link in links)])
    return [Edit(start, end, _tags_left(text[start:end])) for start, end, _ in gone]


def _html_footers(text: str, links: Sequence[Edit[str]]) -> Iterator[Edit[str]]:
    for mark in itertools.islice(ABOVE.finditer(text), _MOST_FOOTERS):
        below = BELOW.search(text, mark.end(), mark.end() + _MOST_MARKUP)
        end = below.end() if below else _last_link(text, mark.end(), links)
        if end and _is_footer(text[mark.end() : end]):
            yield _emptied(text, mark.start(), end)


def _last_link(text: str, at: int, links: Sequence[Edit[str]]) -> int | None:
    end = None
    first = bisect_left(links, at, key=_START)
    for link in itertools.islice(links, first, first + _MOST_LINES):
        element = _element(text, link)
        if element.start - at > _MOST_MARKUP // 10:
            break
        end = at = element.end
    return end


def _is_footer(markup: str) -> bool:
    return len(" ".join(TAG.sub(" ", markup).split())) <= _MOST_WORDS + markup.count("://") * 250


def _element(text: str, link: Edit[str]) -> Edit[str]:
    """Returns the edit that removes the HTML element that contains the link.

    For an anchor the element reaches up to its end tag. If the link is not in a tag that may be removed, only the link
    is removed.
    """
    start, end, _ = link
    opened = text.rfind("<", max(0, start - _LONGEST_ANCHOR), start)
    if opened < 0 or opened < text.rfind(">", max(0, start - _LONGEST_ANCHOR), start):
        return link
    tag = TAG.match(text, opened, end + _LONGEST_ANCHOR)
    name = TAG_NAME.match(text, opened)
    if tag is None or name is None or tag.end() < end or not tag[0].endswith(">"):
        return link
    if name[2].lower() == "a":
        closed = _ANCHOR_END.search(text, tag.end(), tag.end() + _LONGEST_ANCHOR)
        if closed and "<a " not in text[tag.end() : closed.start()].lower():
            return Edit(opened, closed.end(), "")
    return Edit(opened, tag.end(), "") if name[2].lower() in _GOES else link


def _emptied(text: str, start: int, end: int) -> Edit[str]:
    """Returns the edit that removes a footer together with the elements that would become empty.

    These are elements around the whole footer, and elements in which the footer begins or ends.
    """
    for _ in range(_DEEPEST):
        left = [kind for kind, _tag in _halves(text[start:end])]
        opened = _OPENED.search(text[max(0, start - 500) : start])
        closed = _CLOSED.match(text, end, end + 500)
        before = opened[1].lower() if opened else ""
        after = closed[1].lower() if closed else ""
        if opened and left[:1] == [f"/{before}"]:
            start -= len(opened[0])
        elif closed and left[-1:] == [after]:
            end = closed.end()
        elif opened and closed and before == after and not left:
            start, end = start - len(opened[0]), closed.end()
        else:
            break
    before = text[max(0, start - 2) : start]
    return Edit(start - (2 if before == "\r\n" else before.endswith("\n")), end, "")


def _tags_left(markup: str) -> str:
    """Returns the tags in `markup` whose start or end tag is outside of `markup`.

    These tags are kept, so that the rest of the HTML keeps its structure.
    """
    return "".join(tag for _, tag in _halves(markup))


def _halves(markup: str) -> list[tuple[str, str]]:
    left: list[tuple[str, str]] = []
    for match in TAG.finditer(markup):
        name = TAG_NAME.match(match[0])
        if name is None or name[2].lower() in _GOES:
            continue
        kind = name[1] + name[2].lower()
        if kind.startswith("/") and left and left[-1][0] == kind[1:]:
            left.pop()
        else:
            left.append((kind, match[0]))
    return left
