"""Loads the topics of `phrases.toml`, and finds in one pass over a text which of them occur.

The patterns are searched by RE2, so the time is linear for any text.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import re2

from relay.core.model.kind import Kind
from relay.core.model.party import Role

KINDS: Final[Mapping[Role, tuple[Kind, ...]]] = {
    Role.BUYER: (Kind.RETURN_OR_REFUND, Kind.SERVICE_QUESTION, Kind.PRODUCT_QUESTION, Kind.THANKS),
    Role.SELLER: (
        Kind.ASKS_BUYER_TO_CANCEL,
        Kind.REVIEW_REQUEST,
        Kind.RETURN_OR_REFUND,
        Kind.DELAY_OR_UNAVAILABLE,
        Kind.PROMOTION,
        Kind.STATUS_COPY,
        Kind.THANKS,
    ),
}
"""The kinds that a text of each writer may show. If two kinds have the same sum, the first of them is taken."""
_GAP: Final = "[^.。!?]{0,20}"
_WHITE: Final = "(?:[ \\r\\n]+)"
_MEMORY_BYTES: Final = 64 * 1024 * 1024
"""The most memory for the states of one set of patterns; RE2 makes a state only when a text needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Phrases that say the same, as one RE2 pattern of bytes in UTF-8.

    `weights` are the weights for or against each kind, in the order of the kinds of the writer (`KINDS`).
    """

    name: str
    weights: tuple[float, ...]
    pattern: str

    def places(self, octets: bytes) -> Iterator[tuple[int, int]]:
        """Yields the span of each phrase in a text, which is given in UTF-8; the offsets are those of bytes."""
        for match in _compiled(self.pattern).finditer(octets):
            yield match.start(), match.end()


class _Topics:
    """The topics of one writer."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics = topics
        options = re2.Options()
        options.max_mem = _MEMORY_BYTES
        self._set = re2.Set.SearchSet(options)
        for topic in topics:
            self._set.Add(topic.pattern)
        self._set.Compile()

    def in_text(self, octets: bytes) -> list[Topic]:
        return [self._topics[index] for index in sorted(self._set.Match(octets) or ())]


def in_text(writer: Role, octets: bytes) -> list[Topic]:
    """Returns the topics that occur in a text of this writer, in the order of the file.

    `octets` is the text in UTF-8.
    """
    return _of(writer).in_text(octets)


@cache
def _of(writer: Role) -> _Topics:
    kinds = KINDS[writer]
    tables = _tables().items()
    return _Topics([_topic(name, table, kinds) for name, table in tables if table.get("only", writer) == writer])


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((files(__package__) / "phrases.toml").read_text(encoding="utf-8"))


def _topic(name: str, table: Mapping[str, Any], kinds: Sequence[Kind]) -> Topic:
    phrases = "|".join(f"(?:{phrase})" for phrase in (*table.get("ja", ()), *table.get("en", ())))
    return Topic(
        name=name,
        weights=tuple(table["weights"].get(kind.value, 0.0) for kind in kinds),
        pattern=f"(?i){phrases.replace('…', _GAP).replace(' ', _WHITE)}",
    )


@cache
def _compiled(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    options.never_capture = True
    return re2.compile(pattern, options)
