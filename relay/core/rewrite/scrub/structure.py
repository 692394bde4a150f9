"""Scrubs the structure of a message: boundaries, Content-IDs, header fields of parts and of nested messages.

Boundaries and Content-IDs often name the sender's machine. A value that may name a machine is replaced by its keyed
hash, which is the same everywhere in the message.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay.core import keyed
from relay.core.mail.mime import Part, raw_value
from relay.core.rewrite.scrub import trace
from relay.core.rewrite.scrub.find import HiddenValues

# A text that may name a machine or a mailbox.
_TELLING: Final = re.compile(
    r"@|%40|(?<![A-Za-z0-9-])[A-Za-z0-9-]++\.[A-Za-z]{2,}+(?![0-9])|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|:[0-9a-f]*:"
)
_PART_FIELDS: Final = frozenset(
    {
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
        "content-description",
        "content-language",
    }
)
_ID_FIELDS: Final = frozenset({"message-id", "in-reply-to", "references"})
ADDRESS_FIELDS: Final = frozenset({"from", "to", "cc", "reply-to"})
_MESSAGE_FIELDS: Final = _PART_FIELDS | ADDRESS_FIELDS | {"date", "subject", "mime-version"}


class Place(NamedTuple):
    """A part, and the facts about it that depend on its ancestors.

    `signed`: the part is inside a signature, so only hidden values are changed. `is_message`: the part has the header
    of a nested message.
    """

    part: Part
    signed: bool
    is_message: bool


def places(part: Part, *, signed: bool = False, is_message: bool = False) -> Iterator[Place]:
    yield Place(part, signed, is_message)
    for child in part.children:
        yield from places(
            child,
            signed=signed or part.content_type == "multipart/signed",
            is_message=part.content_type.startswith("message/"),
        )


def may_stay(name: str, place: Place) -> bool:
    """Returns whether a field of the part may pass.

    A field on the list of fields may pass. A signed part keeps all other fields too, with hidden values replaced,
    except the fields of a nested message that name the machines on its way.
    """
    if place.signed:
        return not (place.is_message and (name in trace.FIELDS or name in _ID_FIELDS))
    return name in (_MESSAGE_FIELDS if place.is_message else _PART_FIELDS)


def renewed_content_ids(content: bytes, root: Part, domain: str, key: bytes) -> dict[str, str]:
    """Returns a mapping from old to new Content-IDs, both without brackets.

    The new ids are made with `key` and end in `@` and `domain`, the relay's own domain. An id that cannot name a
    machine and an id that already ends in this domain are left out.
    """
    renewed = {}
    for part in root.walk():
        field = part.first("content-id")
        if field:
            old = content_id(raw_value(content, field))
            if _TELLING.search(old) and not old.endswith("@" + domain):
                renewed[old] = f"{keyed.base32(keyed.tag(key, 'content-id', old, size=15))}@{domain}"
    return renewed


def content_id(value: bytes) -> str:
    return value.decode("latin-1").strip("<> \t\r\n")


def renewed_boundary(boundary: str, place: Place, secrets: HiddenValues) -> str | None:
    """Returns the new boundary in place of a boundary that may name a machine; None if the boundary may stay.

    Inside a signature only known hidden values are a reason to replace a boundary.
    """
    if secrets.find(boundary, whole=False, label=True) or (not place.signed and _TELLING.search(boundary)):
        return f"=_{secrets.opaque('boundary', boundary)}"
    return None


def gaps(part: Part) -> Iterator[tuple[int, int]]:
    """Yields the ranges between the children of a multipart: boundary lines, and text that no program shows."""
    at = part.body_start
    for child in part.children:
        yield at, child.header_start
        at = child.end
    yield at, part.end
