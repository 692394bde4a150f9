"""The texts of a message as people read them, each led back to where it stands in the message.

A text is the subject or the decoded body of one text part. What is judged is its `view`: without markup, entities
resolved, full-width letters as plain ones, invisible characters gone. A quote is left out where there is something to
quote: in an answer to the other side. Elsewhere lines that begin with ">" are the writer's own.
"""

import html.entities
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from relay.core.mail import encodings
from relay.core.mail.mime import Part
from relay.core.mail.origin import Origin, origin_of
from relay.core.policy import kinds
from relay.core.policy.case import Case

SUBJECT: Final = "subject"
_MOST_CHARS: Final = 1_000_000
"""Of one text; nobody reads on."""

# What could not be split is shown as it stands.
_TEXT: Final = ("text/", "multipart/", "message/rfc822", "message/global")
_NOT_WRITING: Final = frozenset({"text/calendar", "text/rfc822-headers", "text/css", "text/javascript"})

_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
)
_ODD: Final = re.compile(f"[\uff10-\uff19\uff20-\uff3a\uff41-\uff5a\ud800-\udfff{_INVISIBLE}]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FULL_WIDTH: Final = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)} | {"\u3000": " ", "\uff61": "."}
# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES: Final = dict(
    zip(
        "авеёзікмнорстухѕјһԁԛԝѵӏαβεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТУХІЈЅ",
        "abee3ikmhopctyxsjhdqwvlabeiknoptuxwABEZHIKMNOPTYXABEKMHOPCTYXIJS",
        strict=True,
    )
)
_LOOK_ALIKE: Final = re.compile(f"[{''.join(_LOOK_ALIKES)}]")
# A comment without an end goes on to the end of the text. Style sheets are no text, unless there is markup in them.
_MARKUP: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(style|script)\b[^>]*+>(?:\s*+<!--)?[^<]*+</\1\b[^>]*+>"
    r"|</?([A-Za-z][A-Za-z0-9]*+)[^>]*+(?:>|\Z)|<[!?/][^>]*+(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_INLINE: Final = frozenset(
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt "
    "u var wbr".split()
)
_ENTITY: Final = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,30}));?")
_NAMED: Final = {name: char for name, char in html.entities.html5.items() if len(char) == 1}
_BLOCKQUOTE: Final = re.compile(r"<(/?)blockquote\b[^>]*+>", re.IGNORECASE)
_QUOTED_LINES: Final = re.compile(
    r"^[ \t\u3000]*+[>＞|｜][^\n]*+\n?"
    r"|^[ \t]*+-{3,}+ ?(?:Original Message|Forwarded message|元のメッセージ|転送メッセージ)\b[\s\S]*",
    re.MULTILINE | re.IGNORECASE,
)


class Layer(NamedTuple):
    """`pattern.sub(value, text)` is what is read; `value` gives "", one character or the match as it is."""

    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], str]


def _markup(match: re.Match[str]) -> str:
    return "" if (match[2] or "").lower() in _INLINE else "\n"


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED.get(match[3] + ";") or _NAMED.get(match[3]) or match[0]
    code = int(match[1]) if match[1] else int(match[2], 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else match[0]


_TAGS: Final = Layer(_MARKUP, _markup)
_ENTITIES: Final = Layer(_ENTITY, _entity)
_UNSEEN: Final = Layer(re.compile(f"[{_INVISIBLE}]"), lambda _: "")
_QUOTES: Final = Layer(_QUOTED_LINES, lambda _: "")


class Text:
    """One text. `view` is what is judged; spans of it are led back to `source`, the decoded text of the part. `quoted`
    are spans of an HTML source that are no words of the writer."""

    def __init__(self, part: str, source: str, *, html_quotes: tuple[tuple[int, int], ...] | None = None) -> None:
        self.part = part
        self.source = source
        self.is_html = html_quotes is not None
        self.quoted = html_quotes or ()
        self.view = self._unfolded = source
        self._below: list[tuple[Layer, str] | Origin] = []
        if self.quoted:
            self._leave_out(self.quoted)

    def through(self, layer: Layer) -> None:
        above = layer.pattern.sub(layer.value, self.view)
        if above != self.view:
            self._below.append((layer, self.view))
            self.view = above

    def fold(self) -> None:
        """Full-width forms stay as wide as they are; what does not show goes."""
        self._unfolded = self.view
        if not self.view.isascii() and _ODD.search(self.view):
            self.view = _SURROGATE.sub("\ufffd", self.view)
            for char in _FULL_WIDTH.keys() & set(self.view):
                self.view = self.view.replace(char, _FULL_WIDTH[char])
            self.through(_UNSEEN)

    def odd(self, start: int, end: int) -> str:
        """What is written there in full-width letters and figures, or does not show."""
        if self._unfolded is self.view:
            return ""
        if len(self._unfolded) != len(self.view):
            start, end = self._origin(len(self._below) - 1).span(start, end)
        return "".join(_ODD.findall(self._unfolded, start, end))

    def look_alikes_as_latin(self) -> str:
        """The view with letters of other scripts as the Latin ones they look like, character for character."""
        return _LOOK_ALIKE.sub(lambda match: _LOOK_ALIKES[match[0]], self.view)

    def span(self, start: int, end: int) -> tuple[int, int]:
        for step in range(len(self._below) - 1, -1, -1):
            start, end = self._origin(step).span(start, end)
        return start, end

    def _origin(self, step: int) -> Origin:
        """Made only when something is found."""
        below = self._below[step]
        if isinstance(below, tuple):
            layer, text = below
            below = self._below[step] = origin_of(layer.pattern, layer.value, text)
        return below

    def _leave_out(self, ranges: tuple[tuple[int, int], ...]) -> None:
        origin = Origin()
        pieces: list[str] = []
        at = 0
        for start, end in ranges:
            origin.add(start, end, width=1)
            pieces += (self.view[at:start], "\n")
            at = end
        self._below.append(origin)
        self.view = "".join((*pieces, self.view[at:]))


def read(case: Case) -> list[Text]:
    """The subject, then the text parts in their order."""
    is_answer = kinds.answers(case)
    subject = Text(SUBJECT, case.head.subject)
    subject.fold()
    return [subject, *(_of_part(case, part, is_answer=is_answer) for part in _written(case.root))]


def _written(root: Part) -> Iterator[Part]:
    return (
        part
        for part in root.walk()
        if part.content_type.startswith(_TEXT) and not part.children and part.content_type not in _NOT_WRITING
    )


def _of_part(case: Case, part: Part, *, is_answer: bool) -> Text:
    octets = encodings.decode(case.incoming.content[part.body_start : part.end], part.encoding)
    source = encodings.decode_text(octets, encodings.codec_of(part.params.get("charset", ""), octets))[:_MOST_CHARS]
    if part.content_type == "text/html":
        text = Text(part.path, source, html_quotes=_blockquotes(source) if is_answer else ())
        text.through(_TAGS)
        if "&" in text.view:
            text.through(_ENTITIES)
    else:
        text = Text(part.path, source)
        if is_answer:
            text.through(_QUOTES)
    text.fold()
    return text


def _blockquotes(source: str) -> tuple[tuple[int, int], ...]:
    """The outermost ones; one that is not closed goes on to the end."""
    ranges = []
    depth = start = 0
    for tag in _BLOCKQUOTE.finditer(source):
        if not tag[1]:
            start = start if depth else tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                ranges.append((start, tag.end()))
    if depth:
        ranges.append((start, len(source)))
    return tuple(ranges)
