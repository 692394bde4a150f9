"""A reader who knows every trick: finds a secret in a message as mail programs and curious people would.

Built on the standard library and nh3 alone: what the relay's own decoders misread must show here.
"""

import base64
import binascii
import email
import email.errors
import email.header
import email.message
import html
import quopri
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from urllib.parse import unquote

import nh3

from tests.support import narrowing

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\x00]")
_MESSAGE_NAMES = (".eml",)


def found(content: bytes, secrets: Iterable[str]) -> set[str]:
    """Returns the secrets that a reader of this message can find."""
    wanted = {secret: _plain(secret) for secret in secrets}
    views = {view for text in set(_texts(content)) for view in _views(text)}
    views |= {view[::-1] for view in views if "\u202e" in view}
    seen = "\n".join({_plain(view) for view in views})
    return {secret for secret, plain in wanted.items() if plain in seen}


def _plain(text: str) -> str:
    """Returns the text without case, width and invisible characters, and with one kind of space."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).replace("\u3002", ".")
    return re.sub(r"\s+", " ", text.casefold())


def _views(text: str) -> Iterator[str]:
    """Yields the text, and the text after one or two decodings."""
    once = [text, *(undo(text) for undo in _UNDOING)]
    for view in dict.fromkeys(once):
        yield view
        for undo in _UNDOING:
            yield undo(view)


def _without_tags(text: str) -> str:
    return nh3.clean(text, tags=set()) if "<" in text else text


def _without_hidden(text: str) -> str:
    return _without_tags(re.sub(r'<span style="display:none">[^<]*</span>', "", text))


def _unquoted(text: str) -> str:
    if not re.search(r"=[0-9A-F]{2}|=\r?\n", text):
        return text
    return quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _unfolded(text: str) -> str:
    return re.sub(r"=?\r?\n[ \t]", "", text)


def _joined(text: str) -> str:
    return re.sub(r" \r?\n(?:>+ ?)?", "", text)


def _unescaped(text: str) -> str:
    text = re.sub(r"\\(?:u([0-9a-f]{4})|x([0-9a-f]{2}))", lambda m: chr(int(m[1] or m[2], 16)), text)
    text = re.sub(r"\\0*([0-9a-f]{2})\s?", lambda m: chr(int(m[1], 16)), text)
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], text)


def _words(text: str) -> str:
    with suppress(LookupError, ValueError, email.errors.MessageError):
        return str(email.header.make_header(email.header.decode_header(text)))
    return text


_UNDOING: tuple[Callable[[str], str], ...] = (
    html.unescape,
    unquote,
    _without_tags,
    _without_hidden,
    _unquoted,
    _unfolded,
    _joined,
    _unescaped,
    _words,
)


def _texts(content: bytes) -> Iterator[str]:
    """Yields all texts of the message: raw, decoded, in attachments and in attached messages."""
    yield content.decode("latin-1")
    yield content.decode("utf-8", "replace")
    for part in email.message_from_bytes(content).walk():
        for value in part.values():
            yield _words(str(value))
        yield part.get_filename() or ""
        yield from (f"{name} {value}" for name, value in part.get_params(failobj=[], unquote=True))
        yield from _payload(part)


def _payload(part: email.message.Message) -> Iterator[str]:
    if part.is_multipart() and part.get_content_maintype() == "message":
        # The library does not decode an encoded message inside; other programs do.
        raw = narrowing.parts(part)[0].as_bytes()
        octets = _decoded(raw, str(part.get("content-transfer-encoding", "")))
        yield from _texts(octets) if octets != raw else ()
    if part.is_multipart():
        return
    octets = narrowing.octets(part)
    for charset in dict.fromkeys((part.get_content_charset("utf-8"), "utf-8", "latin-1", "utf-16")):
        with suppress(LookupError, UnicodeError):
            text = octets.decode(charset, "replace" if charset != "utf-16" else "strict")
            yield text
            yield from _embedded(text)
    if part.get_content_maintype() == "multipart" and octets != str(part.get_payload()).encode("utf-8", "replace"):
        yield from _texts(f"Content-Type: {part['content-type']}\r\n\r\n".encode() + octets)
    is_message = (part.get_filename() or "").endswith(_MESSAGE_NAMES) or octets.startswith((b"Received:", b"From:"))
    if is_message and octets.strip():
        yield from _texts(octets)


def _decoded(raw: bytes, encoding: str) -> bytes:
    with suppress(binascii.Error):
        if encoding == "base64":
            return base64.b64decode(raw)
        if encoding == "quoted-printable":
            return quopri.decodestring(raw)
    return raw


def _embedded(text: str) -> Iterator[str]:
    for block in re.findall(r"^begin [0-7]+ .*?\r?\n(.*?)\r?\nend", text, re.MULTILINE | re.DOTALL):
        with suppress(binascii.Error):
            yield b"".join(binascii.a2b_uu(line) for line in block.encode().splitlines()).decode("utf-8", "replace")
    for data in re.findall(r";base64,([A-Za-z0-9+/=]+)", text):
        with suppress(binascii.Error):
            yield base64.b64decode(data).decode("utf-8", "replace")
