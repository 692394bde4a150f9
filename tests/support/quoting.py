"""Quotes a text as mail programs do.

The forms are quote marks, lines wrapped again, format=flowed, and pages of HTML read as text.
"""

import html
import textwrap
from collections.abc import Iterator
from email.message import MIMEPart
from html.parser import HTMLParser

_BLOCKS = frozenset({"p", "div", "blockquote", "ul", "ol", "li", "table", "tr", "hr", "h1", "h2", "h3", "pre"})
_UNSEEN = frozenset({"style", "script", "head", "title"})


class _Reader(HTMLParser):
    def __init__(self, link: str, quote: str) -> None:
        super().__init__(convert_charrefs=True)
        self._link, self._quote = link, quote
        self.lines: list[str] = []
        self._line = ""
        self._depth = self._unseen = 0
        self._href, self._label_from = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._end_line(empty=False)
        if tag == "br":
            self._end_line(empty=True)
        elif tag == "blockquote":
            self._depth += 1
        elif tag == "a":
            self._href, self._label_from = dict(attrs).get("href") or "", len(self._line)
        elif tag in _UNSEEN:
            self._unseen += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            label = self._line[self._label_from :]
            if self._href.startswith("http") and self._href != label:
                self._line = self._line[: self._label_from] + self._link.format(label=label, url=self._href)
            self._href = ""
        if tag in _BLOCKS:
            self._end_line(empty=False)
        if tag == "blockquote":
            self._depth -= 1
        elif tag in _UNSEEN:
            self._unseen -= 1

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # A no-break space holds an empty paragraph open.
            self._line += " ".join(data.replace("\n", " ").split(" ")) if self._line else data.lstrip(" \r\n\t")

    def close(self) -> None:
        super().close()
        self._end_line(empty=False)

    def _end_line(self, *, empty: bool) -> None:
        if self._line.strip(" ") or empty:
            self.lines.append((self._quote * self._depth + self._line.rstrip(" \r\n").replace("\xa0", "")).rstrip())
        self._line = ""


def as_text(page: str, *, link: str = "{label} <{url}>", quote: str = "> ") -> str:
    """Returns the text of an HTML page, with LF between lines. `link` is the format of a link, `quote` the mark of a quote."""
    reader = _Reader(link, quote)
    reader.feed(page.replace("\r\n", "\n"))
    reader.close()
    return "\n".join(reader.lines)


def as_page(text: str) -> str:
    return "<br>\r\n".join(html.escape(line, quote=False) for line in text.splitlines())


def marked(text: str) -> str:
    """Returns the text with quote marks, without spaces between them (RFC 3676 §4.5)."""
    return "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in text.splitlines())


def wrapped(text: str, width: int) -> str:
    lines = (textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())
    return "\n".join("\n".join(pieces) for pieces in lines)


def flowed(text: str, *, delsp: bool) -> str:
    return "".join(piece + "\r\n" for line in text.splitlines() for piece in _soft_broken(line.rstrip(), delsp=delsp))


def _soft_broken(line: str, *, delsp: bool) -> Iterator[str]:
    marks = line[: len(line) - len(line.lstrip(">"))]
    rest = line[len(marks) :].removeprefix(" ") if marks else line
    stuffed = f"{marks} " if marks or rest.startswith((" ", "From ", ">")) else ""
    while len(rest) > 70 and (at := rest.rfind(" ", 0, 70)) > 0:
        yield f"{stuffed}{rest[: at + 1]}{' ' if delsp else ''}"
        rest = rest[at + 1 :]
    yield (stuffed + rest).rstrip()


def unflowed(part: MIMEPart) -> str:
    text = str(part.get_content()).replace("\r\n", "\n")
    if part.get_param("format") != "flowed":
        return text
    lines: list[str] = []
    goes_on = ""
    for line in text.split("\n"):
        marks = line[: len(line) - len(line.lstrip(">"))]
        rest = line[len(marks) :].removeprefix(" ")
        whole = rest.removesuffix(" ") if rest.endswith(" ") and part.get_param("delsp") == "yes" else rest
        if lines and goes_on == marks + "+":
            lines[-1] += whole
        else:
            lines.append(f"{marks} {whole}" if marks else whole)
        goes_on = marks + "+" if rest.endswith(" ") and rest != "-- " else ""
    return "\n".join(lines)
