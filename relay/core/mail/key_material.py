"""Finds keys, certificates and signatures (OpenPGP, S/MIME) in a message, because they name their owner (R-REW-06).

The text that a detached signature signs is not part of the result. An S/MIME signature that contains the signed text
cannot be removed without the text, so the result is the whole MIME part.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay.core.mail import encodings, filetypes, textbody
from relay.core.mail.mime import Part

_OF_KEYS: Final = re.compile(
    r"application/(?:pgp-keys|pgp-signature|(?:x-)?pkcs7-(?:signature|mime)|pkix-cert|x-x509-(?:user|ca|email)-cert)\Z"
)
_NAMES: Final = frozenset({"asc", "sig", "gpg", "pgp", "p7s", "p7m", "p7c", "cer", "crt"})
_MESSAGE: Final = b"-----BEGIN PGP MESSAGE-----"
_LOOK: Final = 2_048
_NOTHING_ELSE: Final = frozenset({"text", "data"})
_BEGIN: Final = "-----BEGIN PGP "
_SIGNED_HEAD: Final = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\r?\n(?:[> \t]*[A-Za-z-]+: [^\r\n]*\r?\n)*(?:[> \t]*\r?\n)?"
)
_BLOCK: Final = re.compile(r"-----BEGIN PGP (SIGNATURE|PUBLIC KEY BLOCK|PRIVATE KEY BLOCK)-----")
_ESCAPED: Final = re.compile(r"^[> \t]*(- )(?=-)", re.MULTILINE)  # RFC 9580 §7.2
_ENCRYPTED: Final = re.compile(r"enveloped-data|authenveloped-data|compressed-data", re.IGNORECASE)


class KeyMaterial(NamedTuple):
    """The place of a key, a certificate or a signature.

    `path` is the path of its MIME part. `start` and `end` are offsets in the decoded text of the part, None if the
    place is the whole part. `is_signature` is True if the place can be removed without leaving a gap in the text.
    """

    path: str
    start: int | None
    end: int | None
    is_signature: bool = False


def names_owner(content: bytes, root: Part) -> list[KeyMaterial]:
    """Returns the places of all keys, certificates and signatures of a message, in order.

    Most mail has none, and for such mail only a quick search for octets is needed.
    """
    found: list[KeyMaterial] = []
    done = 0
    for part in root.walk():
        if part.header_start < done:
            continue  # the signature of a signed multipart, which is listed with it
        if part.content_type == "multipart/signed" and len(part.children) > 1:
            found.append(KeyMaterial(part.path, None, None, is_signature=True))
            found += names_owner(content, part.children[0])
            done = part.end
        elif part.content_type == "multipart/encrypted":
            done = part.end  # only the recipient can decrypt it and see whom it names
        elif not part.children:
            found += _leaf(content, part)
    return found


def _leaf(content: bytes, part: Part) -> Iterator[KeyMaterial]:
    kind = part.content_type
    if _is_named_key(part) and not _is_encrypted(content, part):
        yield KeyMaterial(part.path, None, None)
    elif kind.startswith("text/") and _may_hold_armour(content, part):
        text = textbody.read(content[part.body_start : part.end], part).text
        yield from (KeyMaterial(part.path, start, end, not is_key) for start, end, is_key in _armour(text))


def is_key(content: bytes, part: Part) -> bool:
    """Whether the part is a key or a signature by its name or type, and its content is nothing else."""
    if not _is_named_key(part) or _is_encrypted(content, part):
        return False
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _LOOK)], part.encoding)
    return filetypes.sniff(head[: filetypes.SNIFFED]) in _NOTHING_ELSE


def _is_named_key(part: Part) -> bool:
    extension = part.filename.rpartition(".")[2].lower()
    if "." in part.filename:
        return extension in _NAMES
    return bool(_OF_KEYS.match(part.content_type))


def _is_encrypted(content: bytes, part: Part) -> bool:
    """Whether only the reader can see whom the content names."""
    if _ENCRYPTED.match(part.params.get("smime-type", "")):
        return True
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _LOOK)], part.encoding)
    return _MESSAGE in head


def _may_hold_armour(content: bytes, part: Part) -> bool:
    return part.encoding == "base64" or content.find(b"BEGIN", part.body_start, part.end) >= 0


def _armour(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yields the spans (start, end, whether it is a key) of the OpenPGP armour in a text, sorted.

    They are the spans of keys, of signatures, of the heads of signed texts, and of the `- ` before dashes in signed
    text.
    """
    if _BEGIN not in text:
        return
    found: list[tuple[int, int, bool]] = []
    signed = 0
    for head in _SIGNED_HEAD.finditer(text):
        found.append((head.start(), head.end(), False))
        signed = signed or head.end()
    last = signed
    for block in _BLOCK.finditer(text):
        mark = f"-----END PGP {block[1]}-----"
        end = text.find(mark, block.end())
        if end < 0:
            break
        found.append((block.start(), end + len(mark), block[1] != "SIGNATURE"))
        last = max(last, block.start() if block[1] == "SIGNATURE" else 0)
    if signed:
        found += ((m.start(1), m.end(1), False) for m in _ESCAPED.finditer(text, signed, last))
    yield from sorted(found)
