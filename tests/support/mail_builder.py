"""Builds messages with bodies and attachments from a few arguments, for tests of the rules about content.

A file is `{ name, is }`: its name, and its content as a key of `FILES` or as a text. A name outside ASCII is encoded as
RFC 2231 requires, in `charset`, or with `word = true` as an encoded-word, as many programs do.
"""

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

_PNG_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(120)
_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_DOCUMENT = {"[Content_Types].xml": _TYPES.encode(), "word/document.xml": b"<w:document/>"}


def archive(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in members.items():
            packing.writestr(name, content)
    return out.getvalue()


def encrypted(members: Mapping[str, bytes]) -> bytes:
    """Returns a ZIP archive whose members have the flags of encryption set, although they are not encrypted."""
    packed = bytearray(archive(members))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = packed.find(mark)
        while at >= 0:
            packed[at + flags] |= 1
            at = packed.find(mark, at + 4)
    return bytes(packed)


def overlapping(copies: int) -> bytes:
    """Returns a ZIP archive with one packed member that `copies` entries of its directory share."""
    body = zlib.compress(bytes(1_000_000), 9, -15)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(body), 1_000_000, 5, 0) + b"a.txt"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(body), 1_000_000, 5, 0, 0, 0, 0, 0, 0)
    directory = (entry + b"a.txt") * copies
    start = len(local) + len(body)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, copies, copies, len(directory), start, 0)
    return local + body + directory + end


FILES: dict[str, bytes] = {
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64),
    "png": _PNG_HEADER,
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "bmp": b"BM" + struct.pack("<LHHLL", 70, 0, 0, 54, 40) + bytes(36),
    "doc": _OLE + "WordDocument".encode("utf-16-le"),
    "doc with macros": _OLE + "WordDocument".encode("utf-16-le") + "_VBA_PROJECT".encode("utf-16-le"),
    "installer": _OLE + "Property".encode("utf-16-le"),
    "rtf": b"{\\rtf1\\ansi hello}",
    "docx": archive(_DOCUMENT),
    "docx with macros": archive(_DOCUMENT | {"word/vbaProject.bin": b"\x00"}),
    "docx with a program": archive(_DOCUMENT | {"word/embeddings/setup.exe": _EXE}),
    "xlsx": archive({"[Content_Types].xml": _TYPES.encode(), "xl/workbook.xml": b"<workbook/>"}),
    "exe": _EXE,
    "elf": b"\x7fELF\x02\x01\x01" + bytes(64),
    "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "batch": b"@echo off\r\ndel *.*\r\n",
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(32),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(32),
    "tnef": b"x\x9f>\x22" + bytes(64),
    "noise": bytes(range(256)),
    "nothing": b"",
    "zip of photos": archive({"a.jpg": b"\xff\xd8\xff\xe0" + bytes(64), "b.png": _PNG_HEADER, "notes.txt": b"hello"}),
    "zip from a Mac": archive({"a.png": _PNG_HEADER, "__MACOSX/._a.png": b"\x00\x05\x16\x07" + bytes(60)}),
    "zip of a program": archive({"photo.jpg": b"\xff\xd8\xff\xe0", "setup.exe": _EXE}),
    "zip of a program called pdf": archive({"invoice.pdf": _EXE}),
    "zip of japanese names": archive({"見積書.pdf": b"%PDF-1.4\n", "写真.jpg": b"\xff\xd8\xff\xe0"}),
    "zip in a zip": archive({"photos.zip": archive({"a.png": _PNG_HEADER})}),
    "program in a zip in a zip": archive({"photos.zip": archive({"a.exe": _EXE})}),
    "zips within zips": archive({"a.zip": archive({"b.zip": archive({"c.zip": archive({"d.txt": b"x"})})})}),
    "locked zip": encrypted({"a.txt": b"hello"}),
    "bomb": archive({f"{n}.txt": bytes(7_000_000) for n in range(3)}),
    "overlapping bomb": overlapping(200),
    "cut zip": archive({"a.txt": b"hello" * 100})[:-30],
    "message": b"Subject: hi\r\n\r\nhello\r\n",
    "message with a program": (
        b"Subject: hi\r\nContent-Type: application/octet-stream; name=a.exe\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(_EXE).replace(b"\n", b"\r\n")
    ),
    "six megabytes": b"\xff\xd8\xff\xe0" + bytes(6_000_000),
}


def mail(
    *,
    subject: str = "",
    text: str | None = None,
    html: str | None = None,
    files: Sequence[Mapping[str, Any]] = (),
    charset: str = "utf-8",
    encoding: str = "8bit",
) -> bytes:
    """Returns a message with CRLF line ends: one body, or both as alternatives, and the files if there are any."""
    bodies = [
        _body(kind, words, charset, encoding) for kind, words in (("plain", text), ("html", html)) if words is not None
    ]
    if not bodies:
        bodies = [_body("plain", "", charset, encoding)]
    whole = bodies[0] if len(bodies) == 1 else _multipart("alternative", bodies)
    if files:
        whole = _multipart("mixed", [whole, *(_file(**file) for file in files)])
    return b"Subject: " + _word(subject, charset) + b"\r\nMIME-Version: 1.0\r\n" + whole


def _body(kind: str, words: str, charset: str, encoding: str) -> bytes:
    octets = words.replace("\r\n", "\n").replace("\n", "\r\n").encode(charset)
    head = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + (base64.encodebytes(octets).replace(b"\n", b"\r\n") if encoding == "base64" else octets)


def _multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    line = f"=_{kind}".encode()
    inside = b"".join(b"--" + line + b"\r\n" + part + b"\r\n" for part in parts)
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n%s--%s--\r\n' % (kind.encode(), line, inside, line)


def _file(
    *,
    name: str = "",
    declared: str = "application/octet-stream",
    charset: str = "utf-8",
    word: bool = False,
    inline: bool = False,
    plain: bool = False,
    **content: str,
) -> bytes:
    """Returns the part for a file. With `plain` it has no transfer encoding, as an attached message has none."""
    octets = FILES[content["is"]] if content["is"] in FILES else content["is"].encode()
    disposition = "inline" if inline else "attachment"
    head = f"Content-Type: {declared}\r\nContent-Disposition: {disposition}".encode() + _parameter(
        name, charset, word=word
    )
    if plain:
        return head + b"\r\n\r\n" + octets
    return head + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _parameter(name: str, charset: str, *, word: bool) -> bytes:
    if not name:
        return b""
    if word:
        return b';\r\n filename="' + _word(name, charset) + b'"'
    if name.isascii():
        return f';\r\n filename="{name}"'.encode()
    return f";\r\n filename*={charset}''{quote(name.encode(charset), safe='')}".encode()


def _word(text: str, charset: str) -> bytes:
    if text.isascii():
        return text.encode()
    return b"=?%s?B?%s?=" % (charset.encode(), base64.b64encode(text.encode(charset)))
