"""A plan with a footer, the mail that the reader gets by it, and the parts of a footer that reach the reader."""

import base64
import codecs
import html
import quopri
import re
from email import message_from_bytes, policy

from relay.core.mail import mime
from relay.core.rewrite import assemble
from relay.core.rewrite.longlines import has_long_line
from relay.core.rewrite.plan import Change, FooterLine, Plan
from relay.core.rewrite.rewrite import rewrite

PREFIX = "https://relay.market.example/l/"
TOKEN = base64.urlsafe_b64encode(bytes((i * 83 + 17) % 251 for i in range(78))).decode()
LINK = PREFIX + TOKEN
HOST = "relay.market.example"
TEXTS = {
    "en": ("Order 250-1", "Stop such messages", "Report this message"),
    "ja": ("注文 250-1", "今後このような連絡を止める", "この連絡を報告する"),
}


def footer(language: str) -> tuple[FooterLine, ...]:
    order, stop, report = TEXTS[language]
    return (FooterLine(order, ""), FooterLine(stop, LINK), FooterLine(report, PREFIX + TOKEN[::-1]))


def plan(language: str = "", *, unsubscribe: str = "") -> Plan:
    return Plan(
        domain="market.example",
        from_address="alias-b@market.example",
        from_name="Alice",
        disguise={"alice@private.example": "alias-b@market.example"},
        message_id="out@market.example",
        thread_ids={},
        thread_key=b"k",
        hidden_hosts=frozenset(),
        footer=footer(language) if language else (),
        language=language or "en",
        unsubscribe=unsubscribe,
        link_prefix=PREFIX,
    )


def sent(content: bytes, given: Plan) -> tuple[bytes, tuple[Change, ...]]:
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, given)
    out = assemble.assemble(content, root.body_start, rewritten.header, rewritten.edits)
    assert not has_long_line(out)
    return out, rewritten.changes


def mail(text: str, charset: str = "utf-8", encoding: str = "8bit", kind: str = "text/plain") -> bytes:
    octets = text.encode(charset)
    raw = {
        "8bit": lambda: octets,
        "7bit": lambda: octets,
        "base64": lambda: codecs.encode(octets, "base64").replace(b"\n", b"\r\n"),
        "quoted-printable": lambda: re.sub(rb"\r*\n", b"\r\n", quopri.encodestring(octets)),
    }[encoding]()
    head = (
        f"From: a@x.example\r\nContent-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + raw


def decoded(message: bytes) -> str:
    payload = message_from_bytes(message).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def shown(message: bytes) -> list[str]:
    parsed = message_from_bytes(message, policy=policy.default)
    return [part.get_content().replace("\r\n", "\n") for part in parsed.walk() if part.get_content_maintype() == "text"]


def reached_across(message: bytes, language: str = "ja") -> list[str]:
    """What of the links or of the footer's words is left, in whatever form."""
    texts = [message.decode("latin-1"), *shown(message)]
    texts += [html.unescape(text) for text in texts]
    words = (HOST, TOKEN[:16], TOKEN[-12:], ".:---", ".:___", *TEXTS[language][1:])
    return [word for word in words if any(word in re.sub(r"[\s>]+", "", text) or word in text for text in texts)]
