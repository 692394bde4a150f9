"""The context of actions: the store, the marketplaces, the clock, and the dispatcher of this process."""

from dataclasses import dataclass, field
from typing import Protocol

from relay.core.model.marketplace import Marketplaces
from relay.ports import Clock, Store


class Notified(Protocol):
    """The part of the dispatcher that actions use."""

    def notify(self) -> None:
        """Says that an item in the queue may have become due."""
        ...


class ActionContext(Protocol):
    """`steps.services.Services` is one, as the daemon has it; `StoreContext` serves a program beside the daemon."""

    @property
    def store(self) -> Store: ...
    @property
    def marketplaces(self) -> Marketplaces: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def dispatcher(self) -> Notified: ...


class NoDispatcher:
    """Stands for the dispatcher in a process that has none. The daemon finds due items when it next polls the queue."""

    def notify(self) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext:
    """An ActionContext of a process without a dispatcher."""

    store: Store
    marketplaces: Marketplaces
    clock: Clock
    dispatcher: Notified = field(default_factory=NoDispatcher)
