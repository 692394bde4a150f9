"""The pass that cleans attached pictures and documents, if the plan asks for it.

A part is decoded only if its declared type or its name suggests a picture or a document. Then its first octets decide
which cleaner runs.
"""

from collections.abc import Callable
from typing import Final

from relay.core.mail import encodings
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.mime import Part
from relay.core.rewrite import assemble, signed
from relay.core.rewrite.documents import images, ole, ooxml, pdf
from relay.core.rewrite.documents.damage import UncleanableError
from relay.core.rewrite.plan import Change, Draft, Plan

_IMAGE_NAMES: Final = frozenset(
    {"jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "heic", "heif", "avif", "tif", "tiff"}
)
_DOCUMENT_NAMES: Final = frozenset(
    {"pdf", "doc", "dot", "xls", "ppt", "docx", "docm", "dotx", "xlsx", "xlsm", "pptx", "pptm"}
)
_DOCUMENT_TYPES: Final = (
    "application/pdf",
    "application/msword",
    "application/vnd.ms-",
    "application/vnd.openxmlformats-officedocument",
)
_LOOK: Final = 16
_MOST_BYTES: Final = 50_000_000
_STRIPPED: Final = "author data removed"
_KEPT: Final = "author data not looked into"
_WHY: Final = "says who made it, where, or with what"
_SILENT: Final = (b"BM",)  # Windows bitmaps hold no such data


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft with attached pictures and documents replaced by their cleaned forms.

    A file that could not be cleaned stays unchanged, and a `Change` names the cause.
    """
    if not (plan.strip_images or plan.strip_documents):
        return draft
    for part in draft.root.walk():
        if not part.children and _is_concerned(part, plan):
            draft = _cleaned(draft, part)
    return draft


def _is_concerned(part: Part, plan: Plan) -> bool:
    kind = part.content_type
    extension = part.filename.rpartition(".")[2].lower()
    is_image = kind.startswith("image/") and kind != "image/svg+xml"
    return (plan.strip_images and (is_image or extension in _IMAGE_NAMES)) or (
        plan.strip_documents and (kind.startswith(_DOCUMENT_TYPES) or extension in _DOCUMENT_NAMES)
    )


def _cleaned(draft: Draft, part: Part) -> Draft:
    start, end = part.body_start, part.end
    inside, kept = assemble.parted(draft.edits, start, end)
    raw = assemble.section(draft.content, start, end, inside)
    octets = encodings.decode(raw, part.encoding)
    try:
        new = _cleaner(octets)(octets)
    except UncleanableError as error:
        return draft._replace(changes=(*draft.changes, Change(_KEPT, part.path, start, end, str(error))))
    if new == octets:
        return draft
    body = apply_edits(raw, encodings.raw_edits(raw, part.encoding, [Edit(0, len(octets), new)]))
    if raw.endswith(b"\r\n") and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return draft._replace(
        edits=(*kept, Edit(start, end, body)),
        changes=(
            *draft.changes,
            Change(_STRIPPED, part.path, start, end, _WHY),
            *signed.broken(draft.root, start, end),
        ),
    )


def _cleaner(octets: bytes) -> Callable[[bytes], bytes]:
    if len(octets) > _MOST_BYTES:
        raise UncleanableError("too big")
    found = images.cleaner(octets)
    if found:
        return found
    if ooxml.is_ooxml(octets):
        return ooxml.clean
    if octets.startswith(ole.SIGNATURE):
        return ole.clean
    if octets[:1_024].lstrip().startswith(pdf.SIGNATURE):
        return pdf.clean
    if octets.startswith(_SILENT) or not octets:
        return lambda same: same
    raise UncleanableError("of a form that no library here reads")
