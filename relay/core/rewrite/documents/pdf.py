"""Cleans PDF files: empties the document information and the XMP metadata with pikepdf (the extra `pdf`).

`clean` raises UncleanableError if pikepdf is not installed, if the file is encrypted, and if the file is signed and
would change.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Final

from relay.core.rewrite.documents.damage import UncleanableError

if TYPE_CHECKING:
    import pikepdf

SIGNATURE: Final = b"%PDF-"
_MOST_BYTES: Final = 20_000_000
_AUTHOR_FIELDS: Final = ("/Author", "/Creator", "/Producer", "/Company", "/Manager", "/LastModifiedBy")


def clean(octets: bytes) -> bytes:
    """Returns the cleaned file, or the same octets if the file has no author data.

    Raises UncleanableError if the file is damaged, encrypted, too big or signed, or if pikepdf is not installed.
    """
    try:
        import pikepdf  # noqa: PLC0415 - an extra, and a tenth of a second that most mail never needs
    except ImportError:
        raise UncleanableError("PDF files are not looked into: the extra `pdf` is not installed") from None
    if len(octets) > _MOST_BYTES:
        raise UncleanableError("the file is too big")
    try:
        with pikepdf.open(BytesIO(octets)) as document:
            if document.is_encrypted:
                raise UncleanableError("the file is encrypted")
            if not _emptied(document):
                return octets
            written = BytesIO()
            document.save(written, deterministic_id=True)
            return written.getvalue()
    except (pikepdf.PdfError, pikepdf.PasswordError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, UncleanableError):
            raise
        raise UncleanableError("the file is damaged or encrypted") from error


def _emptied(document: "pikepdf.Pdf") -> bool:
    found = False
    for name in _AUTHOR_FIELDS if "/Info" in document.trailer else ():
        if name in document.docinfo:
            del document.docinfo[name]
            found = True
    if "/Metadata" in document.Root:
        del document.Root["/Metadata"]
        found = True
    if found and "/AcroForm" in document.Root and int(document.Root.AcroForm.get("/SigFlags", 0)) & 1:
        raise UncleanableError("the file is signed")
    return found
