"""Runs the scrubbing pass on a mail, and reads the result as mail programs do.

The reading uses the decoders of the standard library, not the relay's.
"""

import base64
import contextlib
import email
import email.errors
import email.header
import email.message
import html
import re
from urllib.parse import unquote

from relay.core.mail import mime
from relay.core.mail.edits import in_order
from relay.core.rewrite import assemble, scrub
from relay.core.rewrite.plan import Draft, Plan, Rewritten

BUYER = "alice.buyer@example.net"
BUYER_ALIAS = "7kq2m5x4tn3wd6pa@market.example"
SELLER = "shop@seller.example"
SELLER_ALIAS = "abcdefghijklmnop@market.example"
HELO = "alices-pc.lan.isp.example"
CLIENT_IP = "198.51.100.23"

PLAN = Plan(
    domain="market.example",
    from_address=BUYER_ALIAS,
    from_name="Buyer",
    disguise={BUYER: BUYER_ALIAS, SELLER: SELLER_ALIAS},
    message_id="m1@market.example",
    thread_ids={},
    thread_key=b"k" * 32,
    hidden_hosts=frozenset({HELO, CLIENT_IP}),
)
_KEPT = ("subject", "content-type", "content-transfer-encoding", "content-disposition", "content-description")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_NARROW = {code + 0xFEE0: chr(code) for code in range(0x21, 0x7F)} | {ord("。"): "."}


def rewritten(content: bytes, plan: Plan = PLAN) -> Rewritten:
    """Runs the scrubbing passes alone. Header fields that another pass keeps stay as they are."""
    root = mime.split(content, mime.MimeLimits())
    kept = tuple(
        (content[field.start : field.value_start - 1].decode("ascii"), content[field.value_start : field.end])
        for field in root.fields
        if field.name in _KEPT
    )
    draft = Draft(content=content, root=root, fields=kept)
    draft = scrub.apply(draft, plan)
    header = b"".join(name.encode("ascii") + b":" + value for name, value in draft.fields)
    return Rewritten(header=header, edits=tuple(in_order(draft.edits)), changes=draft.changes)


def scrubbed(content: bytes, plan: Plan = PLAN) -> bytes:
    result = rewritten(content, plan)
    return assemble.assemble(content, mime.body_start(content), result.header, result.edits)


def scrubbed_text(body: str, plan: Plan = PLAN, *, header: str = "") -> str:
    """Returns the body of a plain text after scrubbing."""
    content = f"{header}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}".encode()
    return scrubbed(content, plan).split(b"\r\n\r\n", 1)[1].decode()


def readings(content: bytes) -> str:
    """Returns all texts that a mail program could show of a message, joined by newlines, in lower case."""
    found = [content.decode("latin-1")]
    # The library reads base64 to its first padding, and not at all where RFC 2046 allows none; so each line by itself.
    lines = re.findall(rb"^([A-Za-z0-9+/]{8,})=*\r?$", content, re.MULTILINE)
    found += [
        base64.b64decode(line + b"=" * (-len(line) % 4)).decode("latin-1") for line in lines if len(line) % 4 != 1
    ]
    for part in email.message_from_bytes(content).walk():
        found += [_field(str(value)) for value in part.values()]
        found += [part.get_filename() or "", *(str(value) for value in part.get_params(failobj=[], unquote=True))]
        if part.is_multipart():
            continue
        octets = part.get_payload(decode=True)
        assert isinstance(octets, bytes)
        found.append(octets.decode("latin-1"))
        with contextlib.suppress(LookupError):
            found.append(octets.decode(part.get_content_charset("utf-8"), "replace"))
        if part.get_param("delsp") == "yes":
            found.append(re.sub(" \r\n(?:>+ )?", "", found[-1]))
    for decode in (html.unescape, unquote, unquote, lambda text: _INVISIBLE.sub("", text)):
        found += [decode(text) for text in found]
    found += [re.sub(r"<[^<>]*>", "", text) for text in found]
    return "\n".join(found).translate(_NARROW).lower()


def _field(value: str) -> str:
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, ValueError, email.errors.MessageError):
        return value
