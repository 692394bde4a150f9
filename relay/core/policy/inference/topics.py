"""Loads the topics of `phrases.toml`, and finds in one pass over a text which of them occur.

The patterns are searched by RE2, so the time is linear for any text.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import re2

from relay.core.model.kind import Kind
from relay.core.model.party import Role

_GAP: Final = "[^.。!?]{0,20}"
_WHITE: Final = "(?:[ \\n]+)"
_MEMORY_BYTES: Final = 64 * 1024 * 1024
"""The most memory for the states of one set of patterns; RE2 makes a state only when a text needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Phrases that say the same: its name, its weight for or against each kind, and one RE2 pattern of all phrases."""

    name: str
    weights: Mapping[Kind, float]
    pattern: str

    @property
    def compiled(self) -> "re2._Regexp":
        return _compiled(self.pattern)


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
    return _Topics([_topic(name, table) for name, table in _tables().items() if table.get("only", writer) == writer])


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads((files(__package__) / "phrases.toml").read_text(encoding="utf-8"))


def _topic(name: str, table: Mapping[str, Any]) -> Topic:
    phrases = "|".join(f"(?:{phrase})" for phrase in (*table.get("ja", ()), *table.get("en", ())))
    return Topic(
        name=name,
        weights={Kind(kind): weight for kind, weight in table["weights"].items()},
        pattern=f"(?i){phrases.replace('…', _GAP).replace(' ', _WHITE)}",
    )


@cache
def _compiled(pattern: str) -> "re2._Regexp":
    return re2.compile(pattern)
