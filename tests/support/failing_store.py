"""A store in which one call fails once, as when it is unavailable or another node was faster."""

from typing import Any

from tests.support.market_env import MarketEnv


class FailingStore:
    """The real store, in which a method of one part ("queue.settle") fails once, or answers False once."""

    def __init__(self, store: Any, method: str, failure: Exception | None) -> None:
        self._store, self._failure = store, failure
        self._part, _, self._verb = method.partition(".")
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._store, name)
        return FailingPart(self, part, self._verb) if name == self._part else part

    async def fail_once(self, *_: Any, **_named: Any) -> bool:
        self.failed += 1
        if self._failure is not None:
            raise self._failure
        return False


class FailingPart:
    """One part of the store."""

    def __init__(self, failing: FailingStore, part: Any, verb: str) -> None:
        self._failing, self._part, self._verb = failing, part, verb

    def __getattr__(self, name: str) -> Any:
        if name == self._verb and not self._failing.failed:
            return self._failing.fail_once
        return getattr(self._part, name)


def fail(market: MarketEnv, method: str, failure: Exception | None) -> FailingStore:
    failing = FailingStore(market.store, method, failure)
    market.services.store = failing
    return failing
