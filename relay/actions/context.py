"""The context of actions: the store, the marketplaces, the clock, and the dispatcher of this process."""

from dataclasses import dataclass, field
from typing import Protocol

from relay.core.model.marketplace import Marketplaces
from relay.ports import Clock, Store


class Notified(Protocol):
    """The part of the dispatcher that actions use."""

    def notify(self) -> None:
        """Tells the worker that an item in the queue may have become due."""
        ...


class ActionContext(Protocol):
    """The objects that an action needs.

    In the daemon `steps.services.Services` implements it, and in any other program `StoreContext` does.
    """

    @property
    def store(self) -> Store: ...
    @property
    def marketplaces(self) -> Marketplaces: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def dispatcher(self) -> Notified: ...


class NoDispatcher:
    """The dispatcher of a process that has no worker.

    The daemon finds due items when it next polls the queue.
    """

    def notify(self) -> None:
        """Does nothing, because this process has no worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext:
    """The context of actions in a process without a worker."""

    store: Store
    marketplaces: Marketplaces
    clock: Clock
    dispatcher: Notified = field(default_factory=NoDispatcher)
