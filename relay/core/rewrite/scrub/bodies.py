"""Scrubbing the body of one part that is text: from the raw bytes to the readings of a client, and back as cuts."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from relay.core.rewrite import encodings
from relay.core.rewrite.encodings import Cut
from relay.core.rewrite.mime import Part
from relay.core.rewrite.scrub import reading
from relay.core.rewrite.scrub.find import HIDDEN, Hit, Secrets, merged, replaced

_ROUNDS: Final = 3
_REPORTS: Final = frozenset({"message/disposition-notification", "message/delivery-status"})
_MACHINE: Final = re.compile(
    r"^(?:reporting-ua|(?:reporting|received-from|remote)-mta|(?:dsn|mdn)-gateway)[ \t]*:[ \t]*+(?!\[hidden\])"
    r"(\S[^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_TEXT: Final = frozenset({"application/json", "application/xml", "application/xhtml+xml"})


def is_text(part: Part) -> bool:
    """A leaf that clients show or open as text. What could not be split is shown as it stands."""
    kind = part.content_type
    return kind.startswith(("text/", "message/", "multipart/")) or kind.endswith("+xml") or kind in _TEXT


def scrub(raw: bytes, part: Part, secrets: Secrets) -> tuple[list[Cut], list[Hit]]:
    """Cuts of the raw body, sorted, and what they hide. Empty when nothing had to change."""
    octets = encodings.decode(raw, part.encoding)
    cuts, hits = _octet_cuts(octets, part, secrets)
    if cuts:
        return encodings.cut_raw(raw, part.encoding, cuts), hits
    return hidden_in_noise(raw, part.encoding, secrets)


def hidden_in_noise(raw: bytes, encoding: str, secrets: Secrets) -> tuple[list[Cut], list[Hit]]:
    """Clients skip what is no digit of base64, readers do not: footers of mailing lists stand there."""
    if encoding != "base64" or b"@" not in raw:
        return [], []
    hits = secrets.find(raw.decode("latin-1"))
    return (encodings.cut_raw(raw, encoding, []), hits) if hits else ([], hits)


def _octet_cuts(octets: bytes, part: Part, secrets: Secrets) -> tuple[list[Cut], list[Hit]]:
    codec = encodings.codec_of(part.params.get("charset", ""), octets)
    text = encodings.decode_text(octets, codec)
    hits = reading.search(text, secrets, _ways(part))
    if part.content_type in _REPORTS:
        hits = merged([*hits, *_machines(text)])
    spans = encodings.octet_spans(octets, codec, text, [(hit.start, hit.end) for hit in hits]) if hits else []
    found = [Hit(start, end, hit.replacement, hit.what) for hit, (start, end) in zip(hits, spans, strict=True)]
    if found and _after(octets, codec, found)[0] != replaced(text, hits):
        return _anew(octets, text, codec, part, secrets), found
    if len(text) != len(octets):
        # Whatever charset a client takes it for, the plain bytes do not hold an address either.
        found = merged(found + secrets.find(octets.decode("latin-1")))
    if not found:
        return [], []
    text, cuts = _after(octets, codec, found)
    if reading.search(text, secrets, _ways(part)):
        return _anew(octets, text, codec, part, secrets), found
    return cuts, found


def _machines(text: str) -> Iterator[Hit]:
    """What a receipt or report says of the program and the servers it was made by (RFC 8098 §3.2, RFC 3464 §2)."""
    return (Hit(match.start(1), match.end(1), HIDDEN, "host") for match in _MACHINE.finditer(text))


def _after(octets: bytes, codec: str, hits: Sequence[Hit]) -> tuple[str, list[Cut]]:
    """What a client would read after the cuts, and the cuts."""
    cuts = [encodings.encode_cut(octets, codec, hit.start, hit.end, hit.replacement) for hit in hits]
    return encodings.decode_text(encodings.apply(octets, cuts), codec), cuts


def _anew(octets: bytes, text: str, codec: str, part: Part, secrets: Secrets) -> list[Cut]:
    """For codecs whose characters have no octets of their own (UTF-7, HZ), and for an address that is left when
    another one around it is gone: the whole text, until it is clean."""
    for _ in range(_ROUNDS):
        hits = reading.search(text, secrets, _ways(part))
        if not hits:
            break
        text = replaced(text, hits)
    return [Cut(0, len(octets), text.encode(codec, "replace"))]


def _ways(part: Part) -> Sequence[Sequence[reading.Layer]]:
    if part.content_type == "text/html" or part.content_type.endswith(("xml", "calendar")):
        return reading.HTML
    if part.params.get("format", "").lower() == "flowed" and part.params.get("delsp", "").lower() == "yes":
        return reading.FLOWED
    return reading.PLAIN
