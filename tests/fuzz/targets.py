"""What is fuzzed: functions of any bytes that raise where a promise is broken, and for nothing else.

The first bytes say what to do, the rest is the mail. Line ends are made CRLF, as the receiving edge has them.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from relay.core.mail import head, mime, textbody
from relay.core.mail.mime import MimeError, MimeLimits, Part
from relay.core.own_links import own_links
from relay.core.rewrite import assemble, documents, footer, longlines, plaintext, rewrite, textedit
from relay.core.rewrite.downgrade import downgraded
from relay.core.rewrite.footer.quoted import removals
from relay.core.rewrite.plan import Cutout, FooterLine, Pass, Plan

SECRET: Final = "alice@private.example"
LINK: Final = "https://market.example/l/"
PLAN: Final = Plan(
    domain="market.example",
    from_address="alias-b@market.example",
    from_name="Alice",
    disguise={SECRET: "alias-b@market.example"},
    message_id="out@market.example",
    thread_ids={},
    thread_key=b"k",
    hidden_hosts=frozenset({"client.private.example"}),
    link_prefix=LINK,
)
_FOOTER: Final = (FooterLine("停止", f"{LINK}new"), FooterLine("Order 1", ""))
_LIMITS: Final = MimeLimits()
_WIDE: Final = MimeLimits.WIDE
# As a token of its own; what it is part of is another address.
_LEAK: Final = re.compile(rb"(?<![A-Za-z0-9._+@-])" + re.escape(SECRET.encode()) + rb"(?![A-Za-z0-9.@-])")


def splitter(data: bytes) -> None:
    """Any bytes: parts lie inside one another in order, and together they are the message."""
    try:
        root = mime.split(data, _LIMITS)
    except MimeError:
        return
    assert b"".join(_pieces(data, root)) == data
    assert len(list(root.walk())) <= _LIMITS.parts
    for part in root.walk():
        assert part.header_start <= part.body_start <= part.end
        at = part.header_start
        for field in part.fields:
            assert at == field.start <= field.value_start <= field.end <= part.body_start
            at = field.end
    assert mime.body_start(data) == root.body_start


def _pieces(data: bytes, part: Part) -> list[bytes]:
    pieces = [data[part.header_start : part.body_start]]
    at = part.body_start
    for child in part.children:
        assert at <= child.header_start <= child.end <= part.end
        pieces += [data[at : child.header_start], *_pieces(data, child)]
        at = child.end
    return [*pieces, data[at : part.end]]


def header_reader(data: bytes) -> None:
    """Who wrote is one folded address, or a HeadError."""
    content = _lines(data)
    try:
        found = head.read_head(content, mime.split(content, _LIMITS))
    except (MimeError, head.HeadError):
        return
    assert found.from_address == found.from_address.lower()
    assert found.from_address.count("@") >= 1
    assert not re.search(r"[\x00-\x1f]", found.subject)


def scrubber(data: bytes) -> None:
    """Nothing of it holds the secret, and it is mail still."""
    sent = _rewritten(data, PLAN)
    if sent is not None:
        _is_mail(sent)
        assert not _LEAK.search(sent)


def footers(data: bytes) -> None:
    """Own links go from a text that is read as what the first byte says; the reader's footer comes below it."""
    kind, encoding = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
    text = data[1:].decode("utf-8", "replace").encode()
    part = mime.split(f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode(), _LIMITS)
    body = textbody.read(text, part)
    splices = removals(body, own_links(LINK))
    at = 0
    for splice in splices:
        assert at <= splice.start <= splice.end <= len(body.text)
        at = splice.end
    textedit.changed(body, splices)
    mail = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + text
    sent = _rewritten(mail, replace(PLAN, footer=_FOOTER), (footer.apply, longlines.apply))
    if sent is not None:
        _is_mail(sent)


_KINDS: Final = tuple(
    (kind, encoding)
    for kind in ("text/plain; charset=utf-8", "text/html; charset=utf-8", "text/plain; format=flowed; delsp=yes")
    for encoding in ("8bit", "quoted-printable", "base64")
)


def cutouts(data: bytes) -> None:
    """Which leaf, and where to cut, is said by the first four bytes; whatever it hits, mail comes out."""
    number, start, length, mobile = (*data[:4], 0, 0, 0, 0)[:4]
    content = _lines(data[4:])
    try:
        leaves = [part for part in mime.split(content, _LIMITS).walk() if not part.children]
    except MimeError:
        return
    part = leaves[number % len(leaves)]
    size = len(textbody.read(content[part.body_start : part.end], part).text)
    start = min(start, size)
    cut = Cutout(part.path, start, min(start + length, size), "［削除］")
    if length == 255:
        cut = cut._replace(start=None, end=None)
    sent = _rewritten(content, replace(PLAN, cutouts=(cut,), footer=_FOOTER, mobile=bool(mobile % 2)))
    if sent is not None:
        _is_mail(sent)


def next_hop(data: bytes) -> None:
    """What an older server gets is fit for it, and asking again changes nothing."""
    content = _lines(data[1:])
    eight_bit = bool(data[:1] > b"\x7f")
    try:
        sent = downgraded(content, eight_bit=eight_bit)
    except MimeError:
        return
    assert eight_bit or sent.isascii()
    for part in mime.split(sent, _WIDE).walk():
        assert sent[part.header_start : part.body_start].isascii()
    assert downgraded(sent, eight_bit=eight_bit) is sent


def files(data: bytes) -> None:
    """The first byte selects the magic bytes that are put before the rest.

    Cleaning a picture or document a second time changes nothing: no data was left, and the result is read as the same
    file type.
    """
    magic = _MAGIC[data[0] % len(_MAGIC)] if data else b""
    plan = replace(PLAN, strip_images=True, strip_documents=True)
    once = _cleaned(magic + data[1:], plan)
    assert _cleaned(once, plan) == once


_MAGIC: Final = (
    *(b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBP", b"\0\0\0\x18ftypheic"),
    *(b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
)


def _cleaned(octets: bytes, plan: Plan) -> bytes:
    mail = b"Content-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(octets)
    sent = _rewritten(mail, plan, (documents.apply,))
    assert sent is not None
    return base64.b64decode(sent)


def html_text(data: bytes) -> None:
    text = plaintext.of_html(data.decode("utf-8", "replace"))
    assert text == "" or (text.endswith("\n") and "\n\n\n" not in text)


def _lines(data: bytes) -> bytes:
    return data.replace(b"\r", b"").replace(b"\n", b"\r\n")


def _rewritten(data: bytes, plan: Plan, passes: Sequence[Pass] = rewrite.PASSES) -> bytes | None:
    content = _lines(data)
    try:
        root = mime.split(content, _LIMITS)
    except MimeError:
        return None
    result = rewrite.rewrite(content, root, plan, passes)
    return assemble.assemble(content, root.body_start, result.header, result.edits)


def _is_mail(sent: bytes) -> None:
    root = mime.split(sent, _WIDE)
    assert sent[: root.body_start].isascii()
    assert all(field.name for field in root.fields)
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", sent)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    one.__name__: one for one in (splitter, header_reader, scrubber, footers, cutouts, next_hop, html_text, files)
}


def everything(data: bytes) -> None:
    """The first byte says which; for one run over all of them."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])
