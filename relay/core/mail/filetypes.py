"""Recognizes the type of a file by its first octets: the types that may be sent, and the usual dangerous types.

A type has the name of its most common file extension. The type of any other text is "text", and the type of any other
file is "data".
"""

import re
from typing import Final

SNIFFED: Final = 1_024

_MAGIC: Final = (
    (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"{\\rtf", "rtf"),
    (b"MZ", "exe"),
    (b"\x7fELF", "elf"),
    (b"\xfe\xed\xfa", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\xca\xfe\xba\xbe", "class"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"MSCF", "cab"),
    (b"ITSF", "chm"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "lnk"),
    (b"x\x9f>\x22", "tnef"),
    (b"#!", "script"),
    (b"\x00\x05\x16\x07", "appledouble"),
)
_RIFF_WEBP: Final = re.compile(rb"RIFF....WEBP", re.DOTALL)
_ISO_MEDIA: Final = re.compile(rb"....ftyp(....)", re.DOTALL)
_BMP: Final = re.compile(rb"BM.{4}\x00\x00\x00\x00.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL)
_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html|<head|<body|<script|<iframe|<svg|<\?xml|<\?php|<hta:|<!--)",
    re.IGNORECASE,
)
_CODE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:@echo off|wscript\.|createobject\(|on error resume next|powershell|"
    rb"(?:var|let|const) \w+ ?= ?new activexobject|\[internetshortcut\]|windows registry editor)",
    re.IGNORECASE,
)
_CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_PDF_WITHIN: Final = 1_024  # PDF programs open a file in which the mark begins later than at the first octet

DANGEROUS: Final = frozenset(
    "exe elf macho class cab chm lnk script html svg xml code tnef rar 7z gz bz2 xz zst".split()
)
"""The types that are refused under any file name: programs can run them, or their content cannot be checked."""

DANGEROUS_EXTENSIONS: Final = frozenset(
    "exe scr com bat cmd pif msi msp dll cpl jar js jse vbs vbe wsf wsh hta ps1 psm1 lnk url reg inf scf chm app dmg pkg "
    "sh apk iso img vhd vhdx html htm shtml xhtml mht mhtml svg xml docm dotm xlsm xltm pptm xlam one zip rar 7z gz cab ace".split()
)
# The types that a file with this extension may have by its first octets, for the types that can be recognised.
_EXPECTED: Final = {
    "jpeg": frozenset({"jpg"}),
    "jpe": frozenset({"jpg"}),
    "doc": frozenset({"doc", "rtf", "docx"}),
    "csv": frozenset({"text"}),
    "htm": frozenset({"html"}),
    "xls": frozenset({"ole", "xlsx"}),
    "ppt": frozenset({"ole", "pptx"}),
    "txt": frozenset({"text"}),
}
KNOWN: Final = frozenset(
    {"pdf", "jpg", "png", "gif", "bmp", "docx", "xlsx", "pptx", "rtf", "doc", "zip", "text", "heic", "webp"}
)
_DECLARED: Final = {
    "image/jpeg": "jpg",
    "image/pjpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/x-ms-bmp": "bmp",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "image/svg+xml": "svg",
    "application/ms-tnef": "dat",
    "application/x-msdownload": "exe",
    "application/x-msdos-program": "exe",
    "application/vnd.microsoft.portable-executable": "exe",
    "application/x-dosexec": "exe",
    "application/hta": "hta",
    "application/javascript": "js",
    "text/javascript": "js",
    "application/x-javascript": "js",
    "application/java-archive": "jar",
    "application/x-sh": "sh",
    "application/x-rar-compressed": "rar",
    "application/x-7z-compressed": "7z",
    "application/xhtml+xml": "xhtml",
    "message/external-body": "external",
    "message/partial": "partial",
}


def sniff(head: bytes) -> str:
    """Returns the type of a file by its first octets; `head` are its first SNIFFED octets, or fewer.

    The types "ole" and "zip" are containers, so the caller must look into the file to know more.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if _BMP.match(head):
        return "bmp"
    if _RIFF_WEBP.match(head):
        return "webp"
    if media := _ISO_MEDIA.match(head):
        return "heic" if media[1][:3] in (b"hei", b"hev", b"mif", b"avi") else "mp4"
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    text = head.replace(b"\x00", b"") if head[:2] in _WIDE_MARKS else head
    if _MARKUP.match(text.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")):
        return "html"
    if _CODE.match(text):
        return "code"
    return "text" if head[:2] in _WIDE_MARKS or not _CONTROLS.search(head) else "data"


def extension_of_type(content_type: str) -> str:
    """Returns the file extension for a declared Content-Type; "" if the type is not in the table."""
    return _DECLARED.get(content_type, "")


def expected(extension: str) -> frozenset[str]:
    """Returns the types, as `sniff` names them, that a file with this extension may have.

    The set is empty if `sniff` does not recognize files of this kind.
    """
    return _EXPECTED.get(extension, frozenset({extension}) & KNOWN)
