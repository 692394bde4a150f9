"""Finds the quotes in a text, and reads the text that its writer has newly written."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from relay.core.mail import textbody
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.layers import FLOWED, Layer
from relay.core.mail.message_texts import message_texts
from relay.core.mail.mime import Part
from relay.core.mail.readings import SHOWN, SHOWN_HTML

_QUOTE_MARKS: Final = (">", "＞", "|", "｜")
QUOTED_LINES: Final = Layer(
    re.compile(
        r"^[ \t\u3000]*+[>＞|｜][^\n]*+\n?"
        r"|^[ \t]*+-{3,}+ ?(?:Original Message|Forwarded message|元のメッセージ|転送メッセージ)\b[\s\S]*",
        re.MULTILINE | re.IGNORECASE,
    ),
    lambda _: "",
    lambda text: any(sign in text for sign in (*_QUOTE_MARKS, "---")),
)
"""Removes the lines that begin with a quote mark, and all text after a line such as "--- Original Message ---"."""

_HEADER_OR_SIGNATURE: Final = ("From", "from", "FROM", "差出人", "送信者", "送信元", "\n--")
COPIED_HEADER: Final = Layer(
    re.compile(
        r"""
        ^ [ \t*]* (?: From | 差出人 | 送信者 | 送信元 ) [ \t*]* [:：] [^\n]{0,300} \n
          (?: [ \t*\r]* \n )?
          [ \t*]* (?: Sent | Date | To | Cc | Subject | 送信日時 | 送信日 | 日時 | 日付 | 宛先 | 件名 ) [ \t*]* [:：]
          [\s\S]*
        | ^ -- [ ]? \r?\n [\s\S]*
        """,
        re.MULTILINE | re.IGNORECASE | re.VERBOSE,
    ),
    lambda _: "",
    lambda text: text.startswith("--") or any(sign in text for sign in _HEADER_OR_SIGNATURE),
)
"""Removes a quote that begins with its own header, and the text after the mark of a signature (RFC 3676 §4.3)."""

# A line that names the writer and the time of the quoted mail, which may be broken once, and the text after it. If
# marked quotes follow such a line, they alone are the quote.
_ATTRIBUTED: Final = Layer(
    re.compile(
        r"""
        ^ [ \t]* (?: On [ ] [^\n]{5,200} (?: \n [^\n]{0,200} )? \b wrote
                   | 20[0-9]{2} [年/-] [^\n]{3,200} (?: \n [^\n]{0,200} )? > [ ]? (?: のメール | さんは書きました )?
                 ) [ \t]* [:：] [ \t\r]* (?: \n | \Z )
          (?! \s* [>＞|｜] ) [\s\S]*
        """,
        re.MULTILINE | re.VERBOSE,
    ),
    lambda _: "",
    lambda _: True,
)
# The line that names the writer of the marked quote below it.
_ATTRIBUTION: Final = Layer(
    re.compile(r"^[^\n]*[:：][ \t\r]*\n(?=(?:[ \t\r]*\n)*[ \t\u3000]*[>＞|｜])", re.MULTILINE),
    lambda _: "",
    lambda text: any(sign in text for sign in _QUOTE_MARKS),
)
_TEXTS: Final = frozenset({"text/plain", "text/html"})
_MOST_BYTES: Final = 65_536
_BLOCKQUOTE: Final = re.compile(r"<(/?)blockquote\b[^>]*+>", re.IGNORECASE)


def blockquotes(source: str) -> list[Edit[str]]:
    """Returns edits that remove the outermost quotes from an HTML text. An unclosed quote extends to the end."""
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


class WrittenText:
    """The beginning of one text of a mail. `source` is the decoded text; `is_whole` says whether it is all of it."""

    def __init__(self, content: bytes, part: Part) -> None:
        end = min(part.end, part.body_start + _MOST_BYTES)
        self.is_whole = end == part.end
        self._body = textbody.read(content[part.body_start : end], part)

    @property
    def source(self) -> str:
        return self._body.text

    @cached_property
    def newly_written(self) -> str:
        """The text as a person reads it, without quoted text. A quote in an unknown form is not removed."""
        source, is_html = self.source, self._body.is_html
        text = apply_edits(source, blockquotes(source)) if is_html else source
        flowed = (FLOWED,) if textbody.has_delsp(self._body.part) else ()
        quotes = _ATTRIBUTED, _ATTRIBUTION, QUOTED_LINES, COPIED_HEADER
        for layer in (*SHOWN_HTML, *quotes, *SHOWN) if is_html else (*quotes, *flowed, *SHOWN):
            text = layer.read(text)
        return text


class WrittenTexts:
    """The texts that the writer of a mail has written, without attachments. Each is read at most once, when needed."""

    def __init__(self, content: bytes, root: Part) -> None:
        self._content = content
        self._root = root

    @cached_property
    def texts(self) -> Sequence[WrittenText]:
        """The texts in their order. HTML is left out if there is plain text before it, because it says the same."""
        found: list[WrittenText] = []
        for part in message_texts(self._root, with_signed=True):
            is_html = part.content_type == "text/html"
            if part.content_type in _TEXTS and not (is_html and any(text.source.strip() for text in found)):
                found.append(WrittenText(self._content, part))
        return found
