"""Makes mails of every shape from a number: well-formed ones, and ones with the faults of real programs.

Each text has a word of its own (`word1x`), and some hold the address of a party, so that a test can follow them.
"""

import base64
import binascii
import quopri
import random
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import quote

from tests.support.real_mail import BUYER

_TEXTS: Final = {
    "utf-8": "Grüße, 青い器, вопрос — {}",
    "iso-2022-jp": "青い器について質問です。 {} よろしくお願いします。",
    "Shift_JIS": "青い器について質問です。 {} よろしくお願いします。",
    "EUC-JP": "青い器について質問です。 {} よろしくお願いします。",
    "windows-1252": "Café, réponse demain. {} Merci.",
    "koi8-r": "Вопрос о заказе {} спасибо",
    "gb18030": "关于订单的问题 {} 谢谢",
    "us-ascii": "About the blue bowl {} thank you.",
}
_LABELS: Final = {
    "utf-8": ("utf-8", "UTF-8", "utf8", '"utf-8"'),
    "Shift_JIS": ("Shift_JIS", "shift_jis", "Windows-31J", "x-sjis", "sjis"),
    "EUC-JP": ("EUC-JP", "euc-jp", "x-euc-jp"),
    "windows-1252": ("windows-1252", "iso-8859-1", "cp1252", "latin1"),
    "gb18030": ("gb18030", "gbk", "GB2312", "x-gbk"),
}
_NAMES: Final = ("invoice.pdf", "見積書.pdf", "Grüße.txt", "photo (1).jpg", "お見積 書.txt", "setup.exe", "写真.scr")
_STRAY: Final = (
    b"words that are no field",
    b" folded rest",
    b">From x@y.example Mon",
    b": x",
    b"<!-- begin -->",
    b"a b: c",
)
_TAILS: Final = ("{};", "{}; x=y", '"{}"', "{}, 8bit", "{} (comment)", "({{c}}) {}".replace("{{c}}", "c"), " {} ")


class Shape(NamedTuple):
    """A mail, and what is in it: `words` in its texts, `files` by name, and the names of its faults."""

    content: bytes
    words: tuple[str, ...]
    files: tuple[str, ...]
    faults: tuple[str, ...]


def shape(number: int, *, with_faults: bool) -> Shape:
    """Returns the mail with this number, which is always the same."""
    return _Maker(random.Random(number), with_faults=with_faults).mail()


class _Maker:
    def __init__(self, chance: random.Random, *, with_faults: bool) -> None:
        self._chance = chance
        self._may_fail = with_faults
        self._words: list[str] = []
        self._files: list[str] = []
        self._faults: list[str] = []
        self._boundaries = 0

    def mail(self) -> Shape:
        entity = self._entity(0)
        head = (
            f"{self._from()}To: <abcdefghijklmnop@market.example>\r\n".encode("latin-1")
            + self._subject()
            + self._date()
            + b"Message-ID: <1@phone.example>\r\nMIME-Version: 1.0\r\n"
        )
        if self._fails("stray line in the mail", 10):
            head = self._chance.choice(_STRAY) + b"\r\n" + head
        return Shape(head + entity, tuple(self._words), tuple(self._files), tuple(self._faults))

    def _fails(self, fault: str, one_in: int) -> bool:
        if self._may_fail and not self._chance.randrange(one_in):
            self._faults.append(fault)
            return True
        return False

    def _word(self) -> str:
        self._words.append(f"word{len(self._words)}x")
        return self._words[-1]

    # ------------------------------------------------------------ header

    def _from(self) -> str:
        forms = [f"Hanako <{BUYER}>", BUYER, f'"Hanako Y." <{BUYER}>', f"<{BUYER}>", f"=?utf-8?B?6Iqx5a2Q?= <{BUYER}>"]
        if self._fails("odd From", 6):
            forms = [f"J\xf6rg <{BUYER}>", f"{BUYER} <{BUYER}>", f'"H\xe4nako" <{BUYER}>']
        return f"From: {self._chance.choice(forms)}\r\n"

    def _subject(self) -> bytes:
        text = f"青い器 {self._word()}"
        forms: list[bytes] = [
            b"=?utf-8?B?" + base64.b64encode(text.encode()) + b"?=",
            b"=?iso-2022-jp?B?" + base64.b64encode(text.encode("iso-2022-jp")) + b"?=",
            b"=?Shift_JIS?B?" + base64.b64encode(text.encode("cp932")) + b"?=",
            text.encode(),
        ]
        if self._fails("raw subject", 6):
            forms = [text.encode("cp932"), text.encode("euc_jp"), text.encode("iso-2022-jp")]
        return b"Subject: " + self._chance.choice(forms) + b"\r\n"

    def _date(self) -> bytes:
        forms = ["Mon, 06 Jul 2026 10:00:00 +0900"]
        if self._fails("odd date", 8):
            forms = ["Mon,06 Jul 2026 10:00:00 +0900", "Mon Jul  6 10:00:00 2026", "yesterday"]
        return f"Date: {self._chance.choice(forms)}\r\n".encode()

    # ------------------------------------------------------------ parts

    def _entity(self, depth: int) -> bytes:
        kind = self._chance.choice(
            ["leaf", "leaf", "mixed", "alternative", "related", "message"] if depth < 3 else ["leaf"]
        )
        if kind == "leaf" or (kind == "message" and not depth):
            return self._text_part()
        if kind == "message":
            inner = b"From: x <x@y.example>\r\nSubject: inner\r\n" + self._entity(depth + 1)
            return self._header([b"Content-Type: message/rfc822\r\n"]) + inner
        if kind == "alternative":
            return self._multipart(kind, [self._text_part("plain"), self._text_part("html")])
        if kind == "related":
            return self._multipart(kind, [self._text_part("html"), self._file_part()])
        parts: list[Callable[[], bytes]] = [lambda: self._entity(depth + 1), self._file_part, self._text_part]
        more = [self._chance.choice(parts)() for _ in range(self._chance.randrange(4))]
        return self._multipart(kind, [self._text_part(), *more])

    def _multipart(self, kind: str, parts: list[bytes]) -> bytes:
        self._boundaries += 1
        boundary = f"=_b{self._boundaries}"
        line = f"--{boundary}".encode()
        written = self._chance.choice([f'"{boundary}"', f'"{boundary}"; x=y'])
        body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts)
        end = b"" if self._fails("no end boundary", 12) else line + b"--\r\n"
        if self._fails("white space after the boundary", 12):
            body = body.replace(line + b"\r\n", line + b" \t\r\n", 1)
        header = self._header([f"Content-Type: multipart/{kind}; boundary={written}\r\n".encode()])
        return header + self._chance.choice([b"", b"for old programs\r\n"]) + body + end

    def _header(self, fields: list[bytes]) -> bytes:
        self._chance.shuffle(fields)
        if self._fails("stray line", 8):
            fields.insert(self._chance.randrange(len(fields) + 1), self._chance.choice(_STRAY).lstrip() + b"\r\n")
        end = b"\r\n"
        if self._fails("blank line ends the header", 20):
            end = b" \r\n"
        return b"".join(fields) + end

    def _text_part(self, subtype: str = "") -> bytes:
        subtype = subtype or self._chance.choice(["plain", "plain", "html"])
        charset = self._chance.choice(sorted(_TEXTS))
        inside = self._word()
        if self._chance.randrange(2):
            inside += self._chance.choice([f" {BUYER} ", f" 1.{BUYER} ", f" <{BUYER.upper()}> ", f" {BUYER}-san "])
        text = _TEXTS[charset].format(
            inside if subtype == "plain" else inside.replace("<", "&lt;").replace(">", "&gt;")
        )
        if subtype == "plain" and not self._chance.randrange(8):
            text += "\r\n\r\n" + self._uuencoded()
        if subtype == "html":
            text = f"<html><body><p>{text}</p>{self._picture()}</body></html>"
        octets = text.encode(charset) + b"\r\n"
        label = self._chance.choice(_LABELS.get(charset, (charset,)))
        parameter = f"; charset={label}"
        if self._fails("unknown charset", 10):
            parameter = self._chance.choice(["", "; charset=x-unknown", "; charset=us-ascii"])
        elif self._fails("wrong charset", 10):
            parameter = self._chance.choice(["; charset=utf-8", "; charset=Shift_JIS"])
        kind = f"Content-Type: text/{subtype}{parameter}\r\n".encode()
        return self._encoded([kind], octets)

    def _picture(self) -> str:
        data = base64.b64encode(f"made by {BUYER}".encode()).decode()
        return self._chance.choice(["", "", f'<img alt="" src="data:text/plain;base64,{data}">'])

    def _encoded(self, fields: list[bytes], octets: bytes) -> bytes:
        names = ["base64", "quoted-printable", "8bit"] + (["7bit", ""] if octets.isascii() else [])
        name = self._chance.choice(names)
        if not octets.isascii() and name == "8bit" and self._fails("8-bit text without declaration", 3):
            name = ""
        body = {"base64": lambda: base64.encodebytes(octets), "quoted-printable": lambda: quopri.encodestring(octets)}
        raw = body[name]().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if name in body else octets
        if name in body and self._fails("tail of the encoding", 6):
            name = self._chance.choice(_TAILS).format(name)
        if name:
            fields.append(f"Content-Transfer-Encoding: {name}\r\n".encode())
        return self._header(fields) + raw.removesuffix(b"\r\n")

    # ------------------------------------------------------------ files

    def _uuencoded(self) -> str:
        self._files.append(self._chance.choice(["tool.exe", "list.txt"]))
        data = b"MZ" + bytes(80) if self._files[-1].endswith("exe") else f"hello {BUYER}".encode()
        lines = (binascii.b2a_uu(data[at : at + 45], backtick=True).decode() for at in range(0, len(data), 45))
        return f"begin 644 {self._files[-1]}\r\n" + "".join(lines).replace("\n", "\r\n") + "`\r\nend\r\n"

    def _file_part(self) -> bytes:
        name = self._chance.choice(_NAMES)
        self._files.append(name)
        octets = b"MZ" + bytes(60) if name.endswith(("exe", "scr")) else b"%PDF-1.4\r\n%" + bytes([0xE2]) * 40
        if name.endswith("txt"):
            octets = f"notes {self._word()}".encode()
        kind = self._chance.choice(["application/octet-stream", "application/octet-stream", "application/x-other"])
        fields = [
            f"Content-Type: {kind}\r\n".encode(),
            b"Content-Disposition: attachment;" + self._named(name) + b"\r\n",
        ]
        body = base64.encodebytes(octets).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        return self._header([*fields, b"Content-Transfer-Encoding: base64\r\n"]) + body

    def _named(self, name: str) -> bytes:
        word = f"=?utf-8?B?{base64.b64encode(name.encode()).decode()}?="
        percent = quote(name, safe="")
        half = len(percent) // 2 // 3 * 3 if "%" in percent[:3] else 0
        forms = [
            f' filename="{word}"',
            f" filename*=utf-8''{percent}",
            f" filename*0*=utf-8''{percent[:half]}; filename*1*={percent[half:]}",
        ]
        forms += [f' filename="{name}"'] if name.isascii() else []
        if self._fails("encoded word in sections", 6):
            at = len(word) // 2
            return f' filename*0="{word[:at]}";\r\n filename*1="{word[at:]}"'.encode()
        if self._fails("raw file name", 8):
            return f' filename="{name}"'.encode()
        return self._chance.choice(forms).encode()
