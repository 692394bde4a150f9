"""The content of a message as it stands on the wire: where it ends, and what it may hold (RFC 5321 §4.5.2, §2.3.8)."""

from typing import Final

from relay.edge.smtp_in.grammar import Refused

LINE_END: Final = b"\r\n"
END_MARK: Final = b"\r\n.\r\n"
"""The only end of data. A dot between any other line ends is content: that is what smuggling plays with."""


def largest_wire_form(limit_bytes: int) -> int:
    """More bytes than this are too many however they are dot-stuffed: each stuffed line has at least four of them,
    one being the dot; the line end before the first line and most of an end mark may stand there as well."""
    return limit_bytes * 4 // 3 + len(LINE_END) + len(END_MARK)


def content(wire: bytes, limit_bytes: int) -> bytes:
    """From the line end before the first line up to the last line's own: content without stuffing. Lines longer than
    1,000 octets are taken, as real mail has them; a bare CR or LF or a NUL is refused, not mended (R-IN-04)."""
    line_ends = wire.count(LINE_END)
    if wire.count(b"\n") != line_ends or wire.count(b"\r") != line_ends:
        raise Refused(550, "5.6.11", "a bare CR or LF in the message", reason="line_ends")
    if b"\0" in wire:
        raise Refused(550, "5.6.0", "a NUL in the message", reason="nul")
    unstuffed = wire.replace(b"\r\n.", LINE_END)[len(LINE_END) :]
    if len(unstuffed) > limit_bytes:
        raise too_big(limit_bytes)
    return unstuffed


def too_big(limit_bytes: int) -> Refused:
    return Refused(552, "5.3.4", f"the message is larger than {limit_bytes} bytes", reason="size")  # RFC 1870 §6.1
