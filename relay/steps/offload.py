"""Keeping the event loop free: light work is done at once, and heavy work elsewhere.

Pure work on a heavy message goes to a worker process (`MailWork`), because a thread holds the interpreter that the loop
needs. Work of libraries that leave the interpreter free, such as encryption, goes to a thread (`offload`).
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Final, ParamSpec, Self, TypeVar, TypeVarTuple

from relay.core.identify import Writer
from relay.core.mail import encodings, filetypes
from relay.core.mail.mime import Part
from relay.core.model.facts import Facts
from relay.core.model.message import Incoming
from relay.ports import Workers

A = TypeVarTuple("A")
P = ParamSpec("P")
T = TypeVar("T")

_FLAT: Final = ("text/", "multipart/", "message/")
_FLAT_FILES: Final = frozenset({"text", "jpg", "png", "gif", "bmp"})
_HEAD: Final = 2 * filetypes.SNIFFED  # enough of base64 for the bytes that are sniffed
THREAD_BYTES: Final = 200_000
_SPLIT_BYTES: Final = 1_000_000
_SPLIT_PARTS: Final = 100
"""Splitting a message of this size and with so many lines that may be boundaries takes 10 ms at most."""
_HEADER_BYTES: Final = 30_000
"""Reading a header of this size takes 10 ms at most."""
_STEP_US: Final = 10_000
"""The longest time of one step on the loop."""
_MAIL_US: Final = 100_000
"""The longest time of all steps of one message on the loop; between the steps other sessions get their turn."""
# The worst texts take so many microseconds a byte to judge or to rewrite: nested tags, and lists of telephone numbers.
_BYTE_US: Final = 1.2
_HTML_BYTE_US: Final = 1.5
_FIGURE_US: Final = 8
_FIGURES: Final = b"0123456789"
_ESCAPED: Final = re.compile(rb"\x1b\$[^\x1b]*+")
_NETWORK_BITS: Final = {4: 24, 6: 64}
_STRANGERS: Final = "strangers"


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns `work(...)`, run in a thread if `size_bytes` is above THREAD_BYTES.

    The change of thread costs as much as the work on 5 KB.
    """
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class MailWork:
    """The work on one message. `party` is the party whose share of the workers it uses, "" while it is not known."""

    workers: Workers
    incoming: Incoming
    party: str = ""

    def by(self, writer: Writer, facts: Facts) -> Self:
        """Returns the same work on behalf of its writer.

        All writers who are not registered are one party, so that strangers do not use up the share of a registered one.
        """
        return replace(self, party=facts.pair.side(writer.role).party.id if writer.registered else _STRANGERS)

    async def do(self, work: Callable[[*A], T], *args: *A, is_heavy: bool) -> T:
        """Returns `work(*args)`, computed by a worker if it is heavy. Raises HeavyMailError, TooHeavyError."""
        if not is_heavy:
            return work(*args)
        peer = self.incoming.peer
        party = peer.login_party_id or self.party or _network(peer.client_ip)
        return await self.workers.run(party, self.incoming.content, work, *args)


class ThreadWorkers:
    """Implements `ports.Workers` with threads, for commands: nobody else waits for their interpreter."""

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:  # noqa: ARG002 - the port's shape
        return await asyncio.to_thread(work, *args)


def is_heavy_to_split(content: bytes) -> bool:
    """Whether it may take too long for the loop to find the parts of a message."""
    return len(content) > _SPLIT_BYTES or content.count(b"\r\n--") > _SPLIT_PARTS


def is_heavy_to_read(root: Part) -> bool:
    """Whether it may take too long for the loop to read the header of a message."""
    return root.body_start > _HEADER_BYTES


def is_heavy_to_judge(content: bytes, root: Part, parties: int) -> bool:
    """Whether it may take too long for the loop to judge or rewrite a message, for one of its recipients or for all.

    The estimate is that of the worst content of this size. A part that may unpack to much more, as an archive or a
    document does, is always heavy.
    """
    if len(content) * _BYTE_US > _STEP_US:
        return True
    leaves = [part for part in root.walk() if not part.children]
    cost_us = len(content) * _BYTE_US + sum(_more_us(content, part) for part in leaves)
    if cost_us > _STEP_US or cost_us * parties > _MAIL_US:
        return True
    return any(_may_unpack(content, part) for part in leaves)


def _more_us(content: bytes, part: Part) -> float:
    """Returns the time that a text may take in addition to that of plain bytes."""
    if not part.content_type.startswith("text/"):
        return 0
    text = encodings.decode(content[part.body_start : part.end], part.encoding)
    of_markup = (part.end - part.body_start) * (_HTML_BYTE_US - _BYTE_US) if part.content_type == "text/html" else 0
    return of_markup + _FIGURE_US * _figures(text)


def _figures(text: bytes) -> int:
    """Returns about how many figures a text has; in the escapes of ISO-2022-JP each stands after a `#`."""
    wide = text.count(b"#") if b"\x1b$" in text else 0
    plain = _ESCAPED.sub(b"", text) if wide else text
    return wide + len(plain) - len(plain.translate(None, _FIGURES))


def _may_unpack(content: bytes, part: Part) -> bool:
    if not part.filename and part.content_type.startswith(_FLAT):
        return False
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _HEAD)], part.encoding)
    return filetypes.sniff(head) not in _FLAT_FILES


def _network(client_ip: str) -> str:
    """Returns the network of a client, in which one sender may own all addresses."""
    address = ip_address(client_ip)
    return str(ip_network((address, _NETWORK_BITS[address.version]), strict=False))
