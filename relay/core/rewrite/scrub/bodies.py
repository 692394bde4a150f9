"""Scrubs the body of a part without children: searches all readings of its text, and returns edits of the octets."""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from relay.core.mail import charsets, encodings, readings, textbody
from relay.core.mail.body_kind import BodyKind, declared_kind
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.mime import Part
from relay.core.rewrite.scrub import cards, embedded, links, search
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import HIDDEN, Occurrence, merged

_ROUNDS: Final = 3
_ASCII_PLACEHOLDER: Final = "[link removed]"
_REPORTS: Final = frozenset(
    {
        "message/disposition-notification",
        "message/delivery-status",
        "message/global-disposition-notification",
        "message/global-delivery-status",
        "message/tracking-status",
    }
)
_MACHINE: Final = re.compile(
    r"^(?:reporting-ua|(?:reporting|received-from|remote)-mta|(?:dsn|mdn)-gateway)[ \t]*:[ \t]*+(?!\[hidden\])"
    r"(\S[^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
# The full-width at sign in each codec. If it does not occur in the octets, a search of the text in that codec finds no
# more than a search of the single octets.
_WIDE_AT: Final = tuple(
    (codec, "\uff20".encode(codec)) for codec in ("utf_8", "cp932", "euc_jp", "gb18030", "cp949", "cp950")
)


def is_text(part: Part) -> bool:
    """Returns whether mail programs show or open the part, which has no children, as text.

    A part that could not be split counts as text, because programs show its raw content.
    """
    return declared_kind(part) is not None


def scrub(raw: bytes, part: Part, kind: BodyKind, secrets: HiddenValues) -> tuple[list[Edit[bytes]], list[Occurrence]]:
    """Returns edits of the raw body of a text part, sorted, and the occurrences that the edits hide.

    Both lists are empty if the text contains no hidden value.
    """
    octets = encodings.decode(raw, part.encoding)
    edits, hits = _Text(part, kind, secrets).edits(octets)
    if edits:
        return encodings.raw_edits(raw, part.encoding, edits), hits
    return hidden_in_noise(raw, part.encoding, secrets)


def scrub_binary(raw: bytes, encoding: str, secrets: HiddenValues) -> tuple[list[Edit[bytes]], list[Occurrence]]:
    """Returns edits of a raw body that is not text, and the occurrences that the edits hide.

    `encoding` is the transfer encoding of the body. The file in the body is not opened here (R-REW-06). Only octets
    that a person can read in the raw mail are searched.
    """
    if encoding == "base64":
        return hidden_in_noise(raw, encoding, secrets)
    octets = encodings.decode(raw, encoding)
    hits = [hit for hit in secrets.find(octets.decode("latin-1")) if hit.kind == "address"]
    edits = [Edit(hit.start, hit.end, hit.replacement.encode("ascii")) for hit in hits]
    return encodings.raw_edits(raw, encoding, edits) if edits else [], hits


def hidden_in_noise(raw: bytes, encoding: str, secrets: HiddenValues) -> tuple[list[Edit[bytes]], list[Occurrence]]:
    """Returns edits of a base64 body with hidden values between its digits, and the occurrences.

    Mail programs skip such octets, but a person who looks at the source can read them. Mailing lists add footers in
    this way.
    """
    if encoding != "base64" or b"@" not in raw:
        return [], []
    hits = secrets.find(raw.decode("latin-1"))
    return (encodings.raw_edits(raw, encoding, []), hits) if hits else ([], hits)


class _Text:
    """One text part with the ways in which its text can be read."""

    def __init__(self, part: Part, kind: BodyKind, secrets: HiddenValues) -> None:
        self._secrets = secrets
        self._is_7bit = part.encoding == "7bit"
        self._charset, self._near = part.params.get("charset", ""), part.hint.charset
        self._is_report = part.content_type in _REPORTS
        self._ways = readings.PLAIN
        if kind is BodyKind.HTML:
            self._ways = readings.HTML
        elif kind is BodyKind.CARDS:
            self._ways = readings.CARDS
        elif textbody.has_delsp(part):
            self._ways = readings.DELSP

    def edits(self, octets: bytes) -> tuple[list[Edit[bytes]], list[Occurrence]]:
        codec = encodings.codec_of(self._charset, octets, self._near)
        edits, hits = self._edits_by(codec, octets)
        for other, at_sign in _WIDE_AT if _may_be_another(octets, codec) else ():
            # A mail program may take the text for another charset than the declared one.
            if other != codec and at_sign in octets:
                left = apply_edits(octets, edits)
                more, found = self._edits_by(other, left)
                if more:
                    edits, hits = [Edit(0, len(octets), apply_edits(left, more))], hits + found
        return edits, hits

    def _edits_by(self, codec: str, octets: bytes) -> tuple[list[Edit[bytes]], list[Occurrence]]:
        text = encodings.decode_text(octets, codec)
        hits = self._search(text, codec)
        spans = encodings.octet_spans(octets, codec, text, [(hit.start, hit.end) for hit in hits]) if hits else []
        found = [
            Occurrence(start, end, hit.replacement, hit.kind) for hit, (start, end) in zip(hits, spans, strict=True)
        ]
        if found and _after(octets, codec, found)[0] != apply_edits(text, hits):
            return self._anew(octets, text, codec), found
        if len(text) != len(octets) and (codec != "utf_8" or "\ufffd" in text):
            # The octets must not contain an address either. Valid UTF-8 octets contain no more addresses than the text.
            found = merged(found + self._secrets.find(octets.decode("latin-1")))
        if not found:
            return [], []
        text, edits = _after(octets, codec, found)
        if self._search(text, codec):
            return self._anew(octets, text, codec), found
        return edits, found

    def _search(self, text: str, codec: str) -> list[Occurrence]:
        hits = search.occurrences(text, self._secrets, self._ways)
        hits += embedded.occurrences(text, self._secrets)
        hits += cards.occurrences(text, self._secrets)
        if self._is_report:
            hits += _machines(text)
        if not hits:
            return hits
        is_html = self._ways is readings.HTML
        return links.whole(text, merged(hits), self._link_placeholder(codec, is_html=is_html), is_html=is_html)

    def _link_placeholder(self, codec: str, *, is_html: bool) -> str:
        """Returns the placeholder of a link in a form that the charset and the encoding of the text can hold."""
        placeholder = self._secrets.link_placeholder
        if is_html:
            return html.escape(placeholder, quote=False).encode("ascii", "xmlcharrefreplace").decode("ascii")
        is_ascii = not charsets.codec_of(self._charset) or (self._is_7bit and not codec.startswith("iso2022"))
        try:
            placeholder.encode("ascii" if is_ascii else codec)
        except UnicodeError:
            return _ASCII_PLACEHOLDER
        return placeholder

    def _anew(self, octets: bytes, text: str, codec: str) -> list[Edit[bytes]]:
        """Returns one edit that replaces the whole text by the text without hidden values.

        The text is searched again after each replacement. This is needed for codecs in which a character has no octets
        of its own (UTF-7, HZ), and for an address that appears only after another address around it was removed.
        """
        for _ in range(_ROUNDS):
            hits = self._search(text, codec)
            if not hits:
                break
            text = apply_edits(text, hits)
        return [Edit(0, len(octets), text.encode(codec, "replace"))]


def _may_be_another(octets: bytes, codec: str) -> bool:
    """Returns whether the declared charset may be wrong.

    The charset is surely right if the octets decode without an error to characters of several octets, because that does
    not happen by chance.
    """
    if octets.isascii():
        return False
    text = encodings.decode_text(octets, codec)
    return len(text) == len(octets) or "\ufffd" in text


def _machines(text: str) -> Iterator[Occurrence]:
    """Yields the programs and servers that a receipt or a report names (RFC 8098 §3.2, RFC 3464 §2)."""
    return (Occurrence(match.start(1), match.end(1), HIDDEN, "host") for match in _MACHINE.finditer(text))


def _after(octets: bytes, codec: str, hits: Sequence[Occurrence]) -> tuple[str, list[Edit[bytes]]]:
    """Returns the text that a mail program reads after `hits` are replaced, and the edits that replace them."""
    edits = encodings.encoded_edits(octets, codec, ((hit.start, hit.end, hit.replacement) for hit in hits))
    return encodings.decode_text(apply_edits(octets, edits), codec), edits
