"""Reads the texts of a message as people read them, and maps each span of such a text to the message.

A text is the subject or the decoded body of one text part. The policy judges the `view` of a text, which
`relay.core.mail.readings` makes: it has no markup and no invisible characters, entities are resolved, and full-width
letters are plain letters. In a reply to the other side quotes are left out; in other mail, lines that begin with ">"
count as the writer's own text.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from relay.core.mail import textbody
from relay.core.mail.body_kind import BodyKind, declared_kind
from relay.core.mail.edits import Edit
from relay.core.mail.layers import FLOWED, Layer, is_disguise
from relay.core.mail.mime import Part
from relay.core.mail.quotes import COPIED_HEADER, QUOTED_LINES, blockquotes
from relay.core.mail.readings import SHOWN, SHOWN_HTML, Reading
from relay.core.policy import kinds
from relay.core.policy.case import Case

SUBJECT: Final = "subject"
_MOST_CHARS: Final = 1_000_000
"""The maximum number of characters of one text that are judged; all characters after them are ignored."""

# Mail programs show a message or multipart that could not be split as plain text.
_TEXT: Final = ("text/", "multipart/", "message/rfc822", "message/global", "application/xhtml+xml")
_NOT_WRITING: Final = frozenset({"text/calendar", "text/rfc822-headers", "text/css", "text/javascript"})

# Letters of other scripts that look like Latin ones.
_LOOK_ALIKES: Final = dict(
    zip(
        "авеёзікмнорстухѕјһԁԛԝѵӏαβεικνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТУХІЈЅ",
        "abee3ikmhopctyxsjhdqwvlabeiknoptuxwABEZHIKMNOPTYXABEKMHOPCTYXIJS",
        strict=True,
    )
)
_LOOK_ALIKE: Final = re.compile(f"[{''.join(_LOOK_ALIKES)}]")
_JAPANESE: Final = "[\u3040-\u30ff\u3400-\u9fff]"
_WRAPPED_CHARS: Final = 30
"""The least characters of a Japanese line that a mail program, and not the writer, may have ended."""
_LINE_END: Final = re.compile(rf"(?:\r\n|\n)(?={_JAPANESE})")


def _line_end(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    is_long = start - text.rfind("\n", 0, start) > _WRAPPED_CHARS
    return "" if is_long and _is_japanese(text[start - 1]) else match[0]


def _is_japanese(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff"


def _unwrapped(text: str) -> str:
    lines = text.split("\n")
    joined = [lines[0]]
    for before, line in pairwise(lines):
        end = before.removesuffix("\r")
        if len(end) >= _WRAPPED_CHARS and line and _is_japanese(line[0]) and _is_japanese(end[-1]):
            joined[-1] = end
        else:
            joined.append("\n")
        joined.append(line)
    return "".join(joined)


_WRAPPED_LINES: Final = Layer(_LINE_END, _line_end, lambda text: not text.isascii(), quickly=_unwrapped)
"""Joins the lines of a Japanese text that was wrapped within a sentence."""


class NewlyWritten(NamedTuple):
    """The part of a text that the writer has newly written, without quotes and signature. `read` has its words."""

    text: "Text"
    read: Reading

    @property
    def words(self) -> str:
        return self.read.text

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Returns the span of the text's `source` from which a span of `words` was made."""
        return self.text.span(*self.read.span(start, end))


class Text:
    """One text of a message, with the view that the policy judges.

    `source` is the decoded text of the part; `span` maps a span of `view` to `source`. `quoted` are edits that remove
    the quotes from an HTML source, because the writer did not write them. `is_attached` is True for an attached file.
    """

    def __init__(
        self,
        part: str,
        source: str,
        *,
        quoted: Sequence[Edit[str]] = (),
        is_html: bool = False,
        is_attached: bool = False,
    ) -> None:
        self.part = part
        self.is_attached = is_attached
        self.is_html = is_html
        self.quoted = quoted
        self._reading = Reading(source)
        if quoted:
            self._reading.edit(quoted)
        self._unfolded, self._depth = source, 0

    @property
    def source(self) -> str:
        return self._reading.source

    @property
    def view(self) -> str:
        return self._reading.text

    def through(self, *layers: Layer) -> None:
        for layer in layers:
            self._reading.through(layer)

    def fold(self) -> None:
        """Completes the view: reads full-width letters as plain letters, as a person does.

        The view is judged after this call.
        """
        *before, fold = SHOWN
        self.through(*before)
        self._unfolded, self._depth = self.view, self._reading.depth
        self.through(fold)

    def odd(self, start: int, end: int) -> str:
        """Returns the disguised characters in a span of the view: invisible ones, and full-width letters or figures."""
        if self._unfolded is self.view:
            return ""
        start, end = self._reading.span(start, end, depth=self._depth)
        return "".join(filter(is_disguise, self._unfolded[start:end]))

    def look_alikes_as_latin(self) -> str:
        """Returns the view with a Latin letter in place of each letter of another script that looks like it."""
        return _LOOK_ALIKE.sub(lambda match: _LOOK_ALIKES[match[0]], self.view)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Returns the span of `source` from which a span of `view` was made."""
        return self._reading.span(start, end)

    def newly_written(self) -> NewlyWritten:
        """Returns the newly written part of the view. Quotes are left out in any mail, even if it is no answer."""
        text = self
        if self.is_html and not self.quoted and (quotes := blockquotes(self.source)):
            text = Text(self.part, self.source, quoted=quotes, is_html=True)
            text.through(*SHOWN_HTML)
            text.fold()
        reading = Reading(text.view)
        for layer in (QUOTED_LINES, COPIED_HEADER, _WRAPPED_LINES):
            reading.through(layer)
        return NewlyWritten(text, reading)


def of(case: Case) -> Sequence[Text]:
    """Returns the texts of the message, which are read only once for one decision."""
    return case.texts if case.texts is not None else read(case)


def read(case: Case) -> list[Text]:
    """Returns the texts of the message: the subject, then the text parts in their order."""
    is_answer = kinds.answers(case)
    subject = Text(SUBJECT, case.head.subject)
    subject.fold()
    return [subject, *(_of_part(case, part, is_answer=is_answer) for part in _written(case.root))]


def html_sources(case: Case) -> Iterator[tuple[str, str]]:
    """Yields the path and the decoded HTML of each HTML part of the message."""
    for part in _written(case.root):
        if declared_kind(part) is BodyKind.HTML:
            yield part.path, textbody.read(case.incoming.content[part.body_start : part.end], part).text[:_MOST_CHARS]


def _written(root: Part) -> Iterator[Part]:
    return (
        part
        for part in root.walk()
        if part.content_type.startswith(_TEXT) and not part.children and part.content_type not in _NOT_WRITING
    )


def _of_part(case: Case, part: Part, *, is_answer: bool) -> Text:
    body = textbody.read(case.incoming.content[part.body_start : part.end], part)
    source = body.text[:_MOST_CHARS]
    is_attached = part.disposition == "attachment" or bool(part.filename)
    if declared_kind(part) is BodyKind.HTML:
        quoted = blockquotes(source) if is_answer else ()
        text = Text(part.path, source, quoted=quoted, is_html=True, is_attached=is_attached)
        text.through(*SHOWN_HTML)
    else:
        text = Text(part.path, source, is_attached=is_attached)
        if is_answer:
            text.through(QUOTED_LINES)
        if textbody.has_delsp(part):
            text.through(FLOWED)
    text.fold()
    return text
