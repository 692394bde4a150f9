"""Narrow a value to the type that a test needs; the test fails when the value has another type."""

from email.message import Message
from typing import TypeVar

T = TypeVar("T")


def not_none(value: T | None) -> T:
    assert value is not None
    return value


def parts(message: Message) -> list[Message]:
    """The direct parts of a multipart message."""
    found = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        found.append(part)
    return found


def octets(part: Message) -> bytes:
    """The content of a part that is no multipart, its transfer encoding removed."""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload
