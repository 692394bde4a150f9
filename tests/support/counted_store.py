"""A store whose look-ups and writes are counted."""

from collections import Counter
from typing import Any


class CountedStore:
    """The real store, with the look-ups and writes of its parts counted; `secrets` reads values in memory."""

    def __init__(self, store: Any) -> None:
        self.calls: Counter[str] = Counter()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._store, name)
        return part if name == "secrets" else CountedPart(self, name, part)


class CountedPart:
    """One part of the store."""

    def __init__(self, counted: CountedStore, name: str, part: Any) -> None:
        self._counted, self._name, self._part = counted, name, part

    def __getattr__(self, verb: str) -> Any:
        self._counted.calls[f"{self._name}.{verb}"] += 1
        return getattr(self._part, verb)
