"""Judges attachments of both sides (R-POL-07) by their content and not only by their names.

The extension of the name must be on the policy's list, and the content must be of a type on that list: a PDF called
`.txt` is harmless, but a program called `.pdf` is not. Archives and nested messages are examined too. Only the first
octets of an attachment are decoded if they suffice.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from relay.core.mail import encodings, filetypes, mime, textbody, uuencoded
from relay.core.mail.key_material import is_key
from relay.core.mail.message_texts import is_added_by_program, message_texts
from relay.core.mail.mime import MimeError, MimeLimits, Part
from relay.core.mail.uuencoded import UuFile
from relay.core.model.policy import Attachments
from relay.core.model.reason import ReasonCode
from relay.core.policy.content import archives, filenames
from relay.core.policy.content.archives import Budget, UnreadableArchiveError

_DEEPEST: Final = 2
"""The deepest nesting that is examined, both of archives in archives and of messages in messages."""
_ENCODED: Final = frozenset({"base64", "quoted-printable"})
_UU_SIGN: Final = uuencoded.SIGN.encode("ascii")
# Markup that does something when the piece of a text is opened as a file.
_ACTIVE: Final = re.compile(
    rb"<\s*(?:script|form|iframe|object|embed|meta)\b|\bon[a-z]{3,20}\s*=|javascript:", re.IGNORECASE
)
_REPORTS: Final = frozenset({"message/delivery-status", "message/disposition-notification", "message/feedback-report"})
_MESSAGES: Final = frozenset({"message/rfc822", "message/global"})
_LEFT_BY_SYSTEMS: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_WORD_STREAM: Final = "WordDocument".encode("utf-16-le")
_MACROS_STREAM: Final = "_VBA_PROJECT".encode("utf-16-le")


class Fault(NamedTuple):
    """A fault of the attachment in the MIME part at `path`.

    `name` is the file name in a form for notices, or the content type if the attachment has no file name.
    """

    code: ReasonCode
    path: str
    name: str
    start: int | None = None
    end: int | None = None


class _File(NamedTuple):
    name: str
    declared: str
    head: bytes
    whole: Callable[[], bytes]


def faults(content: bytes, root: Part, policy: Attachments, *, may_strip: bool) -> Iterator[Fault]:
    """Yields the faults of all attachments of a message.

    If the attachments together exceed the size limit, the largest attachment is a fault. With `may_strip`, the next
    largest attachments are faults too, until the remaining attachments are within the limit.
    """
    found = list(_attachments(content, root))
    judging = _Judging(policy)
    for part in found:
        if code := judging.of_part(content, part, 0):
            yield Fault(code, part.path, _shown(part))
    for part, file in _uuencoded(content, root):
        if code := judging.of_file(file.name, file.octets):
            yield Fault(code, part.path, filenames.shown(file.name), file.start, file.end)
    sizes = sorted(((_decoded_size(content, part), part) for part in found), key=lambda pair: -pair[0])
    total = sum(size for size, _ in sizes)
    for size, part in sizes:
        if total <= policy.total_bytes:
            return
        yield Fault(ReasonCode.ATTACHMENT_TOO_BIG, part.path, _shown(part))
        total -= size if may_strip else total


def _attachments(content: bytes, root: Part) -> Iterator[Part]:
    texts = {part.path for part in message_texts(root, with_signed=True)}
    return (
        part for part in root.walk() if not part.children and part.path not in texts and _is_attachment(content, part)
    )


def _uuencoded(content: bytes, root: Part) -> Iterator[tuple[Part, UuFile]]:
    """Yields the uuencoded files in all texts, with the text's part."""
    for part in root.walk():
        if part.children or not part.content_type.startswith("text/"):
            continue
        octets = content[part.body_start : part.end]
        if part.encoding in _ENCODED:
            octets = encodings.decode(octets, part.encoding)
        if _UU_SIGN in octets or b"\0" in octets:
            text = textbody.read(content[part.body_start : part.end], part).text
            yield from ((part, file) for file in uuencoded.files(text) if uuencoded.is_file(text, file))


def _is_attachment(content: bytes, part: Part) -> bool:
    kind = part.content_type
    if kind.startswith("text/"):
        if is_added_by_program(part):
            return bool(_ACTIVE.search(encodings.decode(content[part.body_start : part.end], part.encoding)))
        return bool(part.filename) or part.disposition == "attachment"
    if kind.startswith("multipart/") or kind in _REPORTS or is_key(content, part):
        return False
    return kind not in _MESSAGES or content[part.body_start : part.end].strip() != b""


class _Judging:
    """Judges the attachments of one message; all its archives share one budget."""

    def __init__(self, policy: Attachments) -> None:
        self._allowed = policy.extensions | ({"zip"} if policy.archives else frozenset())
        self._budget = Budget()

    def of_part(self, content: bytes, part: Part, depth: int) -> ReasonCode | None:
        raw = content[part.body_start : part.end]
        if part.content_type in _MESSAGES:
            return self._of_message(encodings.decode(raw, part.encoding), depth)
        head = encodings.decode(raw[: 2 * filetypes.SNIFFED], part.encoding)[: filetypes.SNIFFED]
        return self._of_file(
            _File(part.filename, part.content_type, head, lambda: encodings.decode(raw, part.encoding)), depth
        )

    def of_file(self, name: str, octets: bytes) -> ReasonCode | None:
        return self._of_file(_File(name, "", octets[: filetypes.SNIFFED], lambda: octets), 0)

    def _of_message(self, message: bytes, depth: int) -> ReasonCode | None:
        """Returns the reason code of the first faulty attachment in a nested message, or None.

        The caller decodes an encoded message too: RFC 2046 §5.2.1 forbids encoding here, but some programs decode it.
        `depth` is the number of messages and archives around this message.
        """
        if depth >= _DEEPEST:
            return ReasonCode.ATTACHMENT_UNREADABLE
        try:
            root = mime.split(message, MimeLimits())
        except MimeError:
            return ReasonCode.ATTACHMENT_UNREADABLE
        codes = (self.of_part(message, part, depth + 1) for part in _attachments(message, root))
        return next((code for code in codes if code), None)

    def _of_file(self, file: _File, depth: int) -> ReasonCode | None:
        if filenames.is_trick(file.name, self._allowed):
            return ReasonCode.ATTACHMENT_DISGUISED
        declared = filetypes.extension_of_type(file.declared)
        sniffed = filetypes.sniff(file.head)
        if sniffed == "appledouble" or (
            sniffed in {"data", "ole", "text"} and filenames.plain(file.name) in _LEFT_BY_SYSTEMS
        ):
            return None
        extension = filenames.extension(file.name) or declared or ("txt" if sniffed == "text" else sniffed)
        if extension not in self._allowed:
            return ReasonCode.ATTACHMENT_TYPE
        if declared in filetypes.DANGEROUS_EXTENSIONS and declared not in {extension, "zip"}:
            return ReasonCode.ATTACHMENT_DISGUISED
        try:
            return self._of_content(extension, sniffed, file, depth)
        except UnreadableArchiveError:
            return ReasonCode.ATTACHMENT_UNREADABLE

    def _of_content(self, extension: str, sniffed: str, file: _File, depth: int) -> ReasonCode | None:
        if sniffed == "zip":
            return self._of_zip(extension, file.whole(), depth)
        kind = _ole_type(file.whole()) if sniffed == "ole" else sniffed
        if kind == "macros":
            return ReasonCode.ATTACHMENT_TYPE
        expected = filetypes.expected(extension)
        if kind in expected or (not expected and kind not in filetypes.DANGEROUS):
            return None
        # An allowed type with the extension of another type is harmless.
        is_allowed = ("txt" if kind == "text" else kind) in self._allowed
        return None if is_allowed else ReasonCode.ATTACHMENT_DISGUISED

    def _of_zip(self, extension: str, archive: bytes, depth: int) -> ReasonCode | None:
        if depth >= _DEEPEST:
            raise UnreadableArchiveError("archives within archives")
        members = archives.members(archive, self._budget)
        kind = archives.office_type(member.name for member in members)
        if kind == "macros":
            return ReasonCode.ATTACHMENT_TYPE
        if kind not in self._allowed:
            return ReasonCode.ATTACHMENT_TYPE if extension in {kind, "zip"} else ReasonCode.ATTACHMENT_DISGUISED
        if kind != "zip":
            return None if all(_is_plain_embedding(member.name) for member in members) else ReasonCode.ATTACHMENT_TYPE
        if extension != "zip":
            return ReasonCode.ATTACHMENT_DISGUISED
        codes = (self._of_member(member, depth) for member in members)
        return next((code for code in codes if code), None)

    def _of_member(self, member: archives.Member, depth: int) -> ReasonCode | None:
        whole = member.content()
        return self._of_file(_File(member.name, "", whole[: filetypes.SNIFFED], lambda: whole), depth + 1)


def _is_plain_embedding(name: str) -> bool:
    """Returns False for an archive member that is an embedded file of a dangerous type, else True.

    A reader of an Office document can start an embedded file by a double click.
    """
    low = name.lower()
    embedded = "/embeddings/" in low and filenames.extension(low) in filetypes.DANGEROUS_EXTENSIONS
    return not embedded


def _ole_type(content: bytes) -> str:
    """Returns the type of an OLE file: "macros" if it contains programs, "doc" for a document of Word, else "ole".

    The first octets do not suffice, because documents, spreadsheets and installers all begin with the same octets.
    """
    if _MACROS_STREAM in content:
        return "macros"
    return "doc" if _WORD_STREAM in content else "ole"


def _decoded_size(content: bytes, part: Part) -> int:
    start, end = part.body_start, part.end
    if part.encoding == "base64":
        digits = end - start - content.count(b"\n", start, end) - content.count(b"\r", start, end)
        return max(0, digits - content.count(b"=", max(start, end - 6), end)) * 3 // 4
    if part.encoding == "quoted-printable":
        escapes = content.count(b"=", start, end)
        return end - start - 2 * escapes - content.count(b"=\r\n", start, end)
    return end - start


def _shown(part: Part) -> str:
    return filenames.shown(part.filename) or part.content_type
