"""The content of a message after DATA: its end, and the octets that it may contain (RFC 5321 §4.5.2, §2.3.8)."""

from typing import Final

from relay.edge.smtp_in.grammar import ProtocolFault

LINE_END: Final = b"\r\n"
END_MARK: Final = b"\r\n.\r\n"
"""The only end of data. A dot between other line ends is content; SMTP smuggling relies on servers that disagree."""


def largest_wire_form(limit_bytes: int) -> int:
    """Returns the size above which a message is too large, however much of it is dot-stuffing.

    Each stuffed line has at least four bytes, one of them the added dot. The line end before the first line and most of
    an end mark may be included.
    """
    return limit_bytes * 4 // 3 + len(LINE_END) + len(END_MARK)


def content(wire: bytes, limit_bytes: int) -> bytes:
    """Returns the content without dot-stuffing. Raises ProtocolFault.

    `wire` begins with the line end before the first line and ends with that of the last line. Lines longer than 1,000
    octets are accepted, because real mail has them. A bare CR, a bare LF and a NUL are refused and not repaired
    (R-IN-04).
    """
    line_ends = wire.count(LINE_END)
    if wire.count(b"\n") != line_ends or wire.count(b"\r") != line_ends:
        raise ProtocolFault(550, "5.6.11", "the message has a bare CR or LF", reason="line_ends")
    if b"\0" in wire:
        raise ProtocolFault(550, "5.6.0", "the message has a NUL", reason="nul")
    unstuffed = wire.replace(b"\r\n.", LINE_END)[len(LINE_END) :]
    if len(unstuffed) > limit_bytes:
        raise too_big(limit_bytes)
    return unstuffed


def too_big(limit_bytes: int) -> ProtocolFault:
    """Returns the refusal of a message over the limit."""
    return ProtocolFault(
        552, "5.3.4", f"the message is larger than {limit_bytes} bytes", reason="size"
    )  # RFC 1870 §6.1
