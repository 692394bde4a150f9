"""Mails of an adversary: a secret in each place of a message, in each notation and encoding."""

import base64
import binascii
import textwrap
from collections.abc import Callable, Iterator
from email.header import Header
from urllib.parse import quote

BOUNDARY = "next-part"


def entities(secret: str) -> str:
    return "".join(f"&#{ord(char)};" for char in secret)


def full_width(secret: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in secret)


def _between(filler: str, every: int = 3) -> Callable[[str], str]:
    return lambda secret: filler.join(secret[at : at + every] for at in range(0, len(secret), every))


def _math(secret: str) -> str:
    return "".join(chr(0x1D41A + ord(char) - ord("a")) if "a" <= char <= "z" else char for char in secret)


PLAIN_WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "percent": lambda secret: "".join(f"%{octet:02X}" for octet in secret.encode()),
    "percent twice": lambda secret: "".join(f"%25{octet:02X}" for octet in secret.encode()),
    "percent of full width": lambda secret: quote(full_width(secret)),
    "zero width": _between("\u200b"),
    "soft hyphen": _between("\u00ad"),
    "bidi marks": _between("\u200e"),
    "full width": full_width,
    "mathematical": _math,
    "nested quoted-printable": lambda secret: "".join(f"={octet:02X}" for octet in secret.encode()),
    "JSON": lambda secret: '"\\n' + "".join(f"\\u{ord(char):04x}" for char in secret) + '"',
    "after an escaped line end": lambda secret: f"\\n{secret}",
    "quoted": lambda secret: f"> 2026/11/23 10:15, <{secret}>:\r\n>> ok",
    "reversed": lambda secret: f"\u202e{secret[::-1]}\u202c",
}
HTML_WRITINGS: dict[str, Callable[[str], str]] = PLAIN_WRITINGS | {
    "entities": entities,
    "hexadecimal": lambda secret: "".join(f"&#x{ord(char):X}" + ";" for char in secret),
    "named": lambda secret: secret.replace("@", "&commat;").replace(".", "&period;").replace("-", "&hyphen;", 0),
    "link": lambda secret: f'<a href="mailto:{quote(secret, safe="")}">x</a>',
    "attribute": lambda secret: f"<img alt='{secret}' title={secret}>",
    "comment": lambda secret: f"<!-- {secret} -->",
    "style": lambda secret: f'<style>p::after{{content:"{secret}"}}</style>',
    "CSS escapes": lambda secret: (
        '<style>p::after{content:"' + "".join(f"\\{ord(c):06x}" for c in secret) + '"}</style>'
    ),
    "wbr": _between("<wbr>"),
    "spans": _between("<span class='a'></span>"),
    "span with a bracket in quotes": _between('<span title="a>b"></span>'),
    "comments between": _between("<!-- > -->"),
    "unseen words between": _between('<span style="display:none">zz</span>', 5),
    "a script between": _between("<script>zz</script>", 5),
    "a style between": _between("<style>zz{}</style>", 5),
    "an end tag with a bracket in quotes": _between('</b title=">">', 5),
    "an attribute whose name is an equals sign": _between('<b =">', 5),
    "two equals signs": _between('<b a==">', 5),
    "entities of entities": lambda secret: "".join(f"&amp;#{ord(char)};" for char in secret),
    "data URL": lambda secret: f'<iframe src="data:text/plain;base64,{base64.b64encode(secret.encode()).decode()}">',
}


def base64_lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def every_octet(octets: bytes) -> bytes:
    pieces = (octets[at : at + 20] for at in range(0, len(octets), 20))
    return b"=\r\n".join(b"".join(b"=%02X" % octet for octet in piece) for piece in pieces)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "8bit": lambda octets: octets,
    "quoted-printable": every_octet,
    "base64": base64_lines,
}
CHARSETS = (
    *("utf-8", "iso-2022-jp", "shift_jis", "euc-jp", "gb18030", "windows-1252", "utf-7", "hz", "iso-2022-kr"),
    *("iso-2022-jp-2", "big5", "euc-kr", "koi8-r"),
)
WIDE_CHARSETS = ("utf-16", "utf-16-le", "utf-16-be")


def leaf(kind: str, octets: bytes, encoding: str = "8bit", more: str = "") -> bytes:
    """Returns a MIME part with its header."""
    header = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n"
    return header.encode() + ENCODINGS[encoding](octets)


def text(words: str, charset: str, encoding: str, kind: str = "text/plain", more: str = "") -> bytes:
    octets = words.encode(charset, "ignore")
    return leaf(f"{kind}; charset={charset}{more}", octets, encoding)


def mixed(*parts: bytes, boundary: str = BOUNDARY, after: str = "", before: str = "") -> bytes:
    line = f"--{boundary}".encode()
    inner = b"".join(b"\r\n" + line + b"\r\n" + part for part in (leaf("text/plain", b"Hello"), *parts))
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n{before}'
    return head.encode() + inner + b"\r\n" + line + b"--\r\n" + after.encode()


def attachment(name: str, octets: bytes, encoding: str = "base64", kind: str = "application/octet-stream") -> bytes:
    return mixed(leaf(kind, octets, encoding, f'Content-Disposition: attachment; filename="{name}"\r\n'))


def _folded(line: str) -> str:
    return "\r\n ".join(line[at : at + 40] for at in range(0, len(line), 40))


def calendar(secret: str, name: str = "Guest") -> str:
    lines = (
        "BEGIN:VCALENDAR",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        f"UID:20261123T1@{secret.rpartition('@')[2]}",
        _folded(f'ORGANIZER;CN="{name}":mailto:{secret}'),
        _folded(f"ATTENDEE;CN={name};PARTSTAT=ACCEPTED:MAILTO:{secret}"),
        _folded(f"DESCRIPTION:See you\\n{secret}\\, there"),
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "\r\n".join((*lines, ""))


def vcard(secret: str, name: str = "Guest") -> str:
    quoted = "".join(f"={octet:02X}" for octet in secret.encode())
    soft = "=\r\n".join(textwrap.wrap(quoted, 30))
    head = ("BEGIN:VCARD", "VERSION:2.1", f"FN:{name}", f"N:{';'.join(reversed(name.split()))};;;")
    lines = (*head, f"EMAIL;ENCODING=QUOTED-PRINTABLE:{soft}", _folded(f"NOTE:Write to {secret}"), "END:VCARD")
    return "\r\n".join((*lines, ""))


def inner(secret: str, encoding: str = "base64") -> bytes:
    """Returns a message to attach to another one, its text encoded."""
    header = (
        f"Received: from x ({secret}) by y; Mon, 23 Nov 2026 01:00:00 +0000\r\nX-Originating-IP: [{secret}]\r\n"
        f'From: "{secret}" <{secret}>\r\nTo: other@third.example\r\nSubject: about {secret}\r\nMessage-ID: <1@{secret}>\r\n'
    )
    return header.encode() + text(f"My words: {secret}.\r\n", "utf-8", encoding)


def uuencoded(octets: bytes) -> str:
    lines = (binascii.b2a_uu(octets[at : at + 45]).decode() for at in range(0, len(octets), 45))
    return ("begin 644 notes.txt\n" + "".join(lines) + "`\nend\n").replace("\n", "\r\n")


def places(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yields the name of each place, and a message without its outer header: Content-Type and all that follows."""
    for writing, write in PLAIN_WRITINGS.items():
        yield f"text, {writing}", text(f"Hello {write(secret)} bye\r\n", "utf-8", "8bit")
    for writing, write in HTML_WRITINGS.items():
        yield f"HTML, {writing}", text(f"<p>Hello {write(secret)} bye</p>", "utf-8", "quoted-printable", "text/html")
    for encoding in ENCODINGS:
        yield f"XML, {encoding}", text(f"<a>{entities(secret)}</a>", "utf-8", encoding, "application/xml")
        yield f"enriched, {encoding}", text(_between("<bold></bold>")(secret), "utf-8", encoding, "text/enriched")
        yield f"calendar, {encoding}", text(calendar(secret), "utf-8", encoding, "text/calendar")
        yield f"vCard, {encoding}", text(vcard(secret), "utf-8", encoding, "text/vcard")
        yield f"message inside, {encoding}", mixed(leaf("message/rfc822", inner(secret), encoding))
        yield f"uuencoded, {encoding}", text(uuencoded(f"I am {secret}\r\n".encode()), "us-ascii", encoding)
        yield f"unknown type, {encoding}", attachment("data.bin", f"id,{secret}\r\n".encode(), encoding)
    yield (
        "message inside a message",
        mixed(leaf("message/rfc822", mixed(leaf("message/global", inner(secret)), boundary="deeper"))),
    )
    yield "multipart in base64", mixed(leaf('multipart/mixed; boundary="in"', mixed_body(secret), "base64"))
    for name, octets in (
        ("a.csv", f"id;mail\r\n1;{secret}\r\n".encode()),
        ("a.csv", f"id;mail\r\n1;{secret}\r\n".encode("utf-16")),
        ("a.txt", f"{secret}\r\n".encode("utf-16-le")),
        ("a.html", f"<p>{entities(secret)}</p>".encode()),
        ("a.ics", calendar(secret).encode()),
        ("a.vcf", vcard(secret).encode()),
        ("a.eml", inner(secret)),
        ("a.eml", inner(secret).replace(b"\r\n", b"\n")),
        ("a.json", f'{{"note":"\\n{secret}"}}'.encode()),
        ("a.rtf", rf"{{\rtf1 {secret}}}".encode()),
        ("", inner(secret)),
    ):
        yield f"file {name} {len(octets)}", attachment(name, octets)
    yield "preamble", mixed(before=f"for {entities(secret)}")
    yield "epilogue", mixed(after=f"from {secret}")
    yield from part_headers(secret)


def mixed_body(secret: str) -> bytes:
    return b"--in\r\n" + text(f"I am {secret}", "utf-8", "base64") + b"\r\n--in--\r\n"


def part_headers(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yields the headers in which parts and files have names."""
    word = Header(f"資料 {secret}", "utf-8", maxlinelen=200).encode()
    for field in (
        f'Content-Disposition: attachment; filename="{secret}.txt"',
        f'Content-Disposition: attachment; filename="invoice_{secret}_1.txt"',
        f'Content-Disposition: attachment; filename="{word}"',
        f"Content-Disposition: attachment; filename*=utf-8''{quote('資料 ' + secret)}.txt",
        f"Content-Disposition: attachment; filename*=shift_jis''{quote(('資料 ' + secret).encode('shift_jis'))}",
        f"Content-Disposition: attachment; filename*=iso-2022-jp''{quote(('資料 ' + secret).encode('iso-2022-jp'))}",
        f"Content-Disposition: attachment; filename=\"{word}\"; filename*=utf-8''plain.txt",
        f"Content-Disposition: attachment (by {secret}); filename=a.txt",
        f'Content-Type: text/plain; name="{word}"',
        f'Content-Type: text/plain; x-mac-owner="{secret}"',
        f"Content-Description: from {secret}",
        f"Content-Description: {word}",
        f"Content-Location: http://{quote(secret)}/",
        f"X-Owner: {secret}",
    ):
        yield field.partition(secret)[0][:60], mixed(field.encode() + b"\r\n\r\nText")


def subjects(secret: str) -> Iterator[tuple[str, bytes]]:
    for charset in ("utf-8", "iso-2022-jp", "shift_jis", "gb18030"):
        octets = f"注文 {secret} 到着".encode(charset)
        quoted = "".join(f"={octet:02X}" for octet in octets)
        word = base64.b64encode(octets).decode()
        yield f"Subject {charset} B", f"Subject: =?{charset}?B?{word}?=\r\n\r\nText\r\n".encode()
        yield f"Subject {charset} Q", f"Subject: Re: =?{charset}?Q?{quoted}?=\r\n\r\nText\r\n".encode()
    yield "Subject plain", f"Subject: Re: {secret}\r\n\r\nText\r\n".encode()
    yield "Subject raw UTF-8", f"Subject: 注文 {secret}\r\n\r\nText\r\n".encode()


def charset_texts(secret: str) -> Iterator[tuple[str, bytes]]:
    words = f"こんにちは 注文 {secret} です。Grüße\r\n-- \r\n{secret}\r\n"
    for charset in (*CHARSETS, *WIDE_CHARSETS):
        for encoding in ENCODINGS if charset not in WIDE_CHARSETS else ("base64",):
            yield f"{charset}, {encoding}", text(words, charset, encoding)
    for charset, lie in (
        ("shift_jis", "iso-8859-1"),
        ("euc-jp", "utf-8"),
        ("gb18030", "us-ascii"),
        ("utf-16", "utf-8"),
    ):
        octets = f"注文 {full_width(secret)} です {secret}".encode(charset, "ignore")
        yield f"{charset} called {lie}", leaf(f"text/plain; charset={lie}", octets, "base64")


def replies(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yields quotes and signatures as mail programs write them by their documentation."""
    shapes = {
        "Gmail": f"Yes\r\n\r\nOn Mon, 23 Nov 2026 at 10:15, A B <{secret}> wrote:\r\n> Hello\r\n> {secret}\r\n",
        "Gmail ja": f"はい\r\n\r\n2026年11月23日(月) 10:15 A B <{secret}>:\r\n\r\n> こんにちは\r\n",
        "Outlook": f"Yes\r\n\r\n-----Original Message-----\r\nFrom: A B [mailto:{secret}] \r\nSent: Monday\r\nTo: x\r\n",
        "Outlook ja": f"はい\r\n\r\n________________________________\r\n差出人: A B <{secret}>\r\n送信日時: 2026年11月23日\r\n",
        "Apple Mail": f"Yes\r\n\r\n> On Nov 23, 2026, at 10:15, A B <{secret}> wrote:\r\n> \r\n> Hello\r\n",
        "Yahoo! Japan": f"はい\r\n\r\n----- Original Message -----\r\n>From: {secret}\r\n>Date: 2026/11/23, Mon 10:15\r\n>\r\n",
        "docomo": f"はい\r\n\r\n-----Original Message-----\r\nFrom: {secret}\r\nTo: x\r\nSubject: 注文\r\n",
        "au": f"はい\r\n\r\n> From：{secret}\r\n> Subject：注文\r\n",
        "signature": f"Thanks\r\n-- \r\nA B\r\nMail:{secret}／Tel: 03\r\n",
    }
    for program, words in shapes.items():
        for charset in ("utf-8", "iso-2022-jp"):
            yield f"{program}, {charset}", text(words, charset, "8bit")
    block = f'<div style="border:none"><p><b>From:</b> A B &lt;{secret}&gt;<br><b>Sent:</b> Monday</p></div>'
    quoted = f'<div class="gmail_quote"><div dir="ltr">On Mon, A B &lt;<a href="mailto:{secret}">{secret}</a>&gt; wrote:</div>'
    yield "Outlook HTML", text(block, "utf-8", "quoted-printable", "text/html")
    yield "Gmail HTML", text(quoted, "utf-8", "quoted-printable", "text/html")
    yield "delsp", text(f"I am {secret[:5]} \r\n{secret[5:]}\r\n", "utf-8", "8bit", more="; format=flowed; delsp=yes")


def everywhere(secret: str) -> Iterator[tuple[str, bytes]]:
    yield from places(secret)
    yield from subjects(secret)
    yield from charset_texts(secret)
    yield from replies(secret)
