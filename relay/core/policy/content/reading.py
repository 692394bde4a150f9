"""The texts of a message as people read them, each led back to its place in the message.

A text is the subject or the decoded body of one text part. Policy judges its `view`, which
`relay.core.mail.readings` makes: without markup, entities resolved, full-width letters as plain ones, without
invisible characters. In a reply to the other side quotes are left out; in other mail lines that begin with ">" are
the writer's own.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from relay.core.mail import textbody
from relay.core.mail.body_kind import BodyKind, declared_kind
from relay.core.mail.edits import Edit
from relay.core.mail.layers import FLOWED, Layer, is_disguise
from relay.core.mail.mime import Part
from relay.core.mail.readings import SHOWN, SHOWN_HTML, Reading
from relay.core.policy import kinds
from relay.core.policy.case import Case

SUBJECT: Final = "subject"
_MOST_CHARS: Final = 1_000_000
"""The longest part of one text that is judged."""

# A message or multipart that could not be split is shown as it stands.
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
_BLOCKQUOTE: Final = re.compile(r"<(/?)blockquote\b[^>]*+>", re.IGNORECASE)
_QUOTED_LINES: Final = re.compile(
    r"^[ \t\u3000]*+[>＞|｜][^\n]*+\n?"
    r"|^[ \t]*+-{3,}+ ?(?:Original Message|Forwarded message|元のメッセージ|転送メッセージ)\b[\s\S]*",
    re.MULTILINE | re.IGNORECASE,
)


_QUOTES: Final = Layer(_QUOTED_LINES, lambda _: "", lambda _: True)


class Text:
    """One text.

    `view` is judged; spans of it are led back to `source`, the decoded text of the part. `quoted` are edits that
    leave out the quotes of an HTML source, which the writer did not write.
    """

    def __init__(self, part: str, source: str, *, quoted: Sequence[Edit[str]] = (), is_html: bool = False) -> None:
        self.part = part
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
        """Reads the text as a person does, who takes full-width letters for plain ones. It is judged after that."""
        *before, fold = SHOWN
        self.through(*before)
        self._unfolded, self._depth = self.view, self._reading.depth
        self.through(fold)

    def odd(self, start: int, end: int) -> str:
        """Returns the characters of the span that are letters or figures in another form, or invisible."""
        if self._unfolded is self.view:
            return ""
        start, end = self._reading.span(start, end, depth=self._depth)
        return "".join(filter(is_disguise, self._unfolded[start:end]))

    def look_alikes_as_latin(self) -> str:
        """The view with letters of other scripts as the Latin ones they look like, character for character."""
        return _LOOK_ALIKE.sub(lambda match: _LOOK_ALIKES[match[0]], self.view)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Leads a span of the view back to the source."""
        return self._reading.span(start, end)


def read(case: Case) -> list[Text]:
    """Returns the subject, then the text parts in their order."""
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
    body = textbody.read(case.incoming.content[part.body_start : part.end], part)
    source = body.text[:_MOST_CHARS]
    if declared_kind(part) is BodyKind.HTML:
        text = Text(part.path, source, quoted=_blockquotes(source) if is_answer else (), is_html=True)
        text.through(*SHOWN_HTML)
    else:
        text = Text(part.path, source)
        if is_answer:
            text.through(_QUOTES)
        if textbody.has_delsp(part):
            text.through(FLOWED)
    text.fold()
    return text


def _blockquotes(source: str) -> list[Edit[str]]:
    """Returns edits that leave out the outermost quotes. A quote that is not closed goes on to the end."""
    found = []
    depth = start = 0
    for tag in _BLOCKQUOTE.finditer(source):
        if not tag[1]:
            start = start if depth else tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                found.append(Edit(start, tag.end(), "\n"))
    if depth:
        found.append(Edit(start, len(source), "\n"))
    return found
