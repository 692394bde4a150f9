"""Keeping the event loop free: light work is done at once, and heavy work outside of the loop.

Pure work on a heavy message is done in a worker process (`MailWork`), because a thread would hold the interpreter lock
that the loop needs. Work of libraries that release the interpreter lock, such as encryption, is done in a thread
(`offload`).
"""

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, ParamSpec, Self, TypeVar, TypeVarTuple

from relay.core import bounce
from relay.core.identify import Writer
from relay.core.mail import encodings, filetypes
from relay.core.mail.mime import Part
from relay.core.model.facts import Facts
from relay.core.model.message import Incoming
from relay.core.networks import network_key
from relay.ports import Workers
from relay.steps.clients import network_of

A = TypeVarTuple("A")
P = ParamSpec("P")
T = TypeVar("T")

_FLAT: Final = ("text/", "multipart/", "message/")
_FLAT_FILES: Final = frozenset({"text", "jpg", "png", "gif", "bmp"})
_HEAD: Final = 2 * filetypes.SNIFFED  # enough base64 text for the bytes by which a file type is recognized
THREAD_BYTES: Final = 200_000
_SPLIT_BYTES: Final = 1_000_000
_SPLIT_PARTS: Final = 100
"""The number of possible MIME boundaries up to which a message is split on the loop. Splitting takes 10 ms at most."""
_HEADER_BYTES: Final = 30_000
"""The size of a header up to which it is read on the loop. Reading takes 10 ms at most."""
_STEP_US: Final = 10_000
"""The longest time in microseconds of one step on the loop."""
_MAIL_US: Final = 100_000
"""The longest time in microseconds of all steps of one message on the loop.

Other sessions get their turn between the steps.
"""
# The time in microseconds per byte that the slowest texts take to judge or to rewrite. These are nested tags and lists
# of telephone numbers.
_BYTE_US: Final = 1.2
_HTML_BYTE_US: Final = 1.5
_FIGURE_US: Final = 8
# The time in microseconds that Python's parser takes for a line, and for a parameter of a field, of a report.
_REPORT_LINE_US: Final = 11
_REPORT_PARAMETER_US: Final = 9
_FIGURES: Final = b"0123456789"
_ESCAPED: Final = re.compile(rb"\x1b\$[^\x1b]*+")
_STRANGERS: Final = "strangers"


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns `work(*args, **kwargs)`, run in a thread if `size_bytes` is above THREAD_BYTES, and at once otherwise.

    The switch to a thread costs as much time as the work on 5 KB.
    """
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class MailWork:
    """The work on one message.

    `party` is the party whose share of the workers the work uses, "" while it is not known.
    """

    workers: Workers
    incoming: Incoming
    party: str = ""

    def by(self, writer: Writer, facts: Facts) -> Self:
        """Returns the same work, counted in the share of its writer.

        All writers who are not registered count as one party, so that strangers do not use up the share of a registered
        writer. Each network of them has a part of that share.
        """
        if writer.registered:
            party = facts.pair.side(writer.role).party.id
        else:
            party = f"{_STRANGERS} {network_of(self.incoming)}"
        return type(self)(self.workers, self.incoming, party)

    async def do(self, work: Callable[[*A], T], *args: *A, is_heavy: bool) -> T:
        """Returns `work(*args)`, computed by a worker process if `is_heavy` is True, and at once otherwise.

        Raises HeavyMailError if no worker can do it now, and TooHeavyError if it ended several workers.
        """
        if not is_heavy:
            return work(*args)
        peer = self.incoming.peer
        party = peer.login_party_id or self.party or network_key(ip_address(peer.client_ip))
        return await self.workers.run(party, self.incoming.content, work, *args)


class ThreadWorkers:
    """Implements `ports.Workers` with threads.

    Commands use it, because no other task of a command needs the interpreter meanwhile.
    """

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:  # noqa: ARG002 - the port's shape
        return await asyncio.to_thread(work, *args)


def is_heavy_to_split(content: bytes) -> bool:
    """Returns whether splitting the message into its MIME parts may take too long on the event loop."""
    return len(content) > _SPLIT_BYTES or content.count(b"\r\n--") > _SPLIT_PARTS


def is_heavy_to_read(root: Part) -> bool:
    """Returns whether reading the header of the message may take too long on the event loop."""
    return root.body_start > _HEADER_BYTES


def is_heavy_to_read_report(content: bytes) -> bool:
    """Returns whether reading the message as a delivery report may take too long on the event loop."""
    head = content[: bounce.MOST_BYTES]
    return head.count(b"\n") * _REPORT_LINE_US + head.count(b";") * _REPORT_PARAMETER_US > _STEP_US


def is_heavy_to_judge(content: bytes, root: Part, parties: int) -> bool:
    """Returns whether judging or rewriting the message may take too long on the event loop.

    The time for one recipient and the time for all `parties` recipients are limited. The estimate assumes the slowest
    content of this size. A part that may unpack to a much larger size, such as an archive or a document, is always
    heavy.
    """
    if len(content) * _BYTE_US > _STEP_US:
        return True
    leaves = [part for part in root.walk() if not part.children]
    cost_us = len(content) * _BYTE_US
    if not _fits(cost_us + _most_us(content[root.body_start :], leaves), parties):
        cost_us += sum(_more_us(content, part) for part in leaves)
        if not _fits(cost_us, parties):
            return True
    return any(_may_unpack(content, part) for part in leaves)


def _most_us(body: bytes, leaves: Sequence[Part]) -> float:
    """Returns a time that the texts of a body never exceed, without decoding them.

    Every encoding but base64 writes a figure with at least one figure or `#`.
    """
    if any(part.encoding == "base64" and part.content_type.startswith("text/") for part in leaves):
        return math.inf
    figures = len(body) - len(body.translate(None, _FIGURES + b"#"))
    return len(body) * (_HTML_BYTE_US - _BYTE_US) + _FIGURE_US * figures


def _fits(cost_us: float, parties: int) -> bool:
    return cost_us <= _STEP_US and cost_us * parties <= _MAIL_US


def _more_us(content: bytes, part: Part) -> float:
    """Returns the number of microseconds that a text part may take in addition to the time for plain bytes."""
    if not part.content_type.startswith("text/"):
        return 0
    text = encodings.decode(content[part.body_start : part.end], part.encoding)
    of_markup = (part.end - part.body_start) * (_HTML_BYTE_US - _BYTE_US) if part.content_type == "text/html" else 0
    return of_markup + _FIGURE_US * _figures(text)


def _figures(text: bytes) -> int:
    """Returns about how many digits a text has.

    In the escape sequences of ISO-2022-JP each digit stands after a `#`.
    """
    wide = text.count(b"#") if b"\x1b$" in text else 0
    plain = _ESCAPED.sub(b"", text) if wide else text
    return wide + len(plain) - len(plain.translate(None, _FIGURES))


def _may_unpack(content: bytes, part: Part) -> bool:
    if not part.filename and part.content_type.startswith(_FLAT):
        return False
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _HEAD)], part.encoding)
    return filetypes.sniff(head) not in _FLAT_FILES
