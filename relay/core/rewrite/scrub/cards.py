"""Scrubs iCalendar (RFC 5545) and vCard (RFC 2426, RFC 6350, and version 2.1, which phones write).

Reads folded lines and encoded values, and also hides the real names beside a known address. Lines without a hidden
value stay as they are. A line with a hidden value is written again and folded at 75 octets.

An address in a card shows which party the card describes, so every name in that card is the real name of the party. An
id that may name a machine is replaced, by the same id in every update of its event. Ids of the big calendar services
are kept, so that replies find their events.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from relay.core.mail import encodings, readings
from relay.core.mail.edits import apply_edits
from relay.core.rewrite.scrub import search, trace
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence

_LINE: Final = re.compile(r"[^\r\n]++(?>(?:\r?\n[ \t][^\r\n]*+)*)")
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_SOFT_BREAK: Final = re.compile(r"=[ \t]*\r?\n[ \t]*")
_PROPERTY: Final = re.compile(
    r"(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)((?>(?:;(?>(?:[^;:\"]++|\"[^\"]*+\")*))*)):(.*)\Z", re.DOTALL
)
_NAMING: Final = re.compile(r";(?:CN|X-[A-Z-]*NAME)=(?:\"[^\"]*+\"|[^;:\"]*+)", re.IGNORECASE)
_ENCODING: Final = re.compile(r";(?:ENCODING=)?(?:QUOTED-PRINTABLE|BASE64|B)(?=[;:]|\Z)", re.IGNORECASE)
_CHARSET: Final = re.compile(r";CHARSET=\"?([^;:\"]+)", re.IGNORECASE)
_PEOPLE: Final = frozenset({"ORGANIZER", "ATTENDEE", "CONTACT", "X-MS-OLK-SENDER"})
_IDS: Final = frozenset({"UID", "RELATED-TO", "X-WR-RELCALID"})
_NAMES: Final = re.compile(r"(?:FN|N|NICKNAME|SORT-STRING|SOUND|AGENT|X-.*NAME.*|X-.*PHONETIC.*)\Z")
_WIDTH: Final = 75


@dataclass(frozen=True, slots=True)
class _Property:
    """One logical line with its place in the text. `value` is the value after unfolding and decoding."""

    start: int
    end: int
    name: str
    params: str
    value: str
    is_encoded: bool


def occurrences(text: str, secrets: HiddenValues) -> list[Occurrence]:
    """Returns occurrences that cover whole lines, each with the line that replaces it.

    Only lines of calendars and cards are searched; other modules search the rest of the text.
    """
    if not ("BEGIN:V" in text or "begin:v" in text or "Begin:V" in text):
        return []
    hits: list[Occurrence] = []
    card: list[_Property] = []
    in_card = False
    for line in _properties(text):
        is_vcard = line.value.strip().upper() == "VCARD"
        if in_card and line.name != "END":
            card.append(line)
        elif in_card:
            hits += _card(card, secrets)
            card, in_card = [], False
        elif line.name == "BEGIN" and is_vcard:
            in_card = True
        else:
            hits += _calendar_line(line, secrets)
    return hits + list(_card(card, secrets))


def _properties(text: str) -> Iterator[_Property]:
    done = 0
    for match in _LINE.finditer(text):
        if match.start() < done:
            continue
        written = match[0]
        head = written.partition(":")[0].upper()
        done = match.end()
        if "QUOTED-PRINTABLE" in head:
            done = _soft_end(text, match.start())
            written = _SOFT_BREAK.sub("", text[match.start() : done])
        parsed = _PROPERTY.match(_FOLD.sub("", written))
        if parsed:
            value, is_encoded = _decoded(parsed[2], parsed[3])
            yield _Property(match.start(), done, parsed[1].upper(), parsed[2], value, is_encoded)


def _soft_end(text: str, start: int) -> int:
    """Returns the end of the line that starts at `start`, including its continuations after soft line breaks."""
    while True:
        end = text.find("\n", start)
        if end < 0:
            return len(text)
        line_end = end - 1 if text[end - 1] == "\r" else end
        if not text[start:line_end].rstrip(" \t").endswith("="):
            return line_end
        start = end + 1


def _decoded(params: str, value: str) -> tuple[str, bool]:
    encoding = _ENCODING.search(params)
    if encoding is None:
        return value, False
    raw = value.encode("utf-8", "replace")
    octets = binascii.a2b_qp(raw) if "Q" in encoding[0].upper() else encodings.decode_base64(raw)
    charset = _CHARSET.search(params)
    return encodings.decode_text(octets, encodings.codec_of(charset[1] if charset else "", octets)), True


def _calendar_line(line: _Property, secrets: HiddenValues) -> Iterator[Occurrence]:
    params = line.params
    if line.name in _IDS and _may_name_machine(line.value, secrets):
        yield Occurrence(
            line.start,
            line.end,
            f"{line.name}{params}:{secrets.opaque('card', line.value)}@{secrets.domain}",
            "content-id",
        )
        return
    hits = _hits(f"{params}:{line.value}", secrets, label=line.name in _PEOPLE)
    if any(hit.kind == "address" for hit in hits):
        params = _NAMING.sub("", params)
        hits = _hits(f"{params}:{line.value}", secrets, label=line.name in _PEOPLE)
    if hits or params != line.params:
        said = apply_edits(f"{params}:{line.value}", hits)
        yield Occurrence(line.start, line.end, _folded(f"{line.name}{said}"), hits[0].kind if hits else "name")


def _may_name_machine(value: str, secrets: HiddenValues) -> bool:
    host = value.rpartition("@")[2].strip().lower()
    may_stay = "@" not in value or host == secrets.domain or trace.is_of_calendar(host)
    return not may_stay or bool(secrets.find(value, whole=False))


def _card(card: Sequence[_Property], secrets: HiddenValues) -> Iterator[Occurrence]:
    found = [_hits(line.value, secrets, label=bool(_NAMES.match(line.name))) for line in card]
    owner = next((hit for hits in found for hit in hits if hit.kind == "address"), None)
    for line, hits in zip(card, found, strict=True):
        if owner and _NAMES.match(line.name) and line.value.strip("; ") not in {"", owner.replacement}:
            said = owner.replacement + ";;;;" * (line.name == "N")
            yield Occurrence(line.start, line.end, _folded(f"{line.name}:{said}"), "name")
        elif hits:
            said = apply_edits(line.value, hits)
            yield Occurrence(line.start, line.end, _written(line, said), hits[0].kind)


def _hits(text: str, secrets: HiddenValues, *, label: bool) -> list[Occurrence]:
    return search.occurrences(text, secrets, readings.PLAIN, label=label)


def _written(line: _Property, value: str) -> str:
    """Returns the line with a new value.

    If the old value was encoded, the new value is written as plain ASCII if possible, or else as quoted-printable
    UTF-8.
    """
    if not line.is_encoded:
        return _folded(f"{line.name}{line.params}:{value}")
    params = _CHARSET.sub("", _ENCODING.sub("", line.params))
    if value.isascii() and value.isprintable():
        return _folded(f"{line.name}{params}:{value}")
    quoted = "".join(f"={octet:02X}" for octet in value.encode("utf-8", "replace"))
    lines = [quoted[at : at + 72] for at in range(0, len(quoted), 72)]
    return f"{line.name}{params};CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=\r\n" + "=\r\n".join(lines)


def _folded(line: str) -> str:
    """Returns the line folded at 75 octets; each line except the first begins with a space (RFC 5545 §3.1)."""
    pieces: list[str] = [""]
    width = 0
    for char in line:
        octets = len(char.encode("utf-8", "replace"))
        if width + octets > _WIDTH:
            pieces.append("")
            width = 1
        pieces[-1] += char
        width += octets
    return "\r\n ".join(pieces)
