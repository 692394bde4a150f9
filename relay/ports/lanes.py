"""The limits of outgoing mail: a lane for each destination, for its organization and for each server's address.

The worker takes an item in hand when it has leased it, waits for the item's turn, and reports how the attempt ended.
The courier (the SMTP client) asks for a place at each server's address before it connects. Only the objects behind
these protocols hold the state of the lanes: the attempts and the times in each lane, the number of all places and of
the places in each state, and the memory for big contents. Several processes of one node should share this state. If
they do not, the limits apply to each process separately.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from relay.ports.outward import Delivery


class NoRoomError(Exception):
    """Raised if there is no memory for a big content now."""


class InHand(Protocol):
    """An item that this process has leased and not settled yet."""

    async def turn(self) -> float:
        """Waits for a free place in each lane of the item, and takes all but that at the address of a server.

        Returns 0 when the attempt may begin. If a lane was closed meanwhile, returns the number of seconds by which the
        item must be put off.
        """
        ...

    def ended(self, delivery: Delivery | None) -> None:
        """Gives the places back. Opens, shrinks or closes the lanes, depending on the outcome.

        `delivery` is None if no server was asked.
        """
        ...

    def leave(self) -> None:
        """Ends the counting of the item in its lanes, and gives its places back. A second call does nothing."""
        ...


class Attempt(Protocol):
    """One delivery by the courier, within the time that it may take.

    It is an asynchronous context manager. It raises TimeoutError at the end of the block if the delivery took too long
    and was cut off.
    """

    @property
    def again_s(self) -> float:
        """The number of seconds after which the delivery may be tried again, if `place` has returned False."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def place(self, address: str) -> bool:
        """Takes a place at the IP address of a server. Returns True, or False without waiting if no place is free.

        If it returns True, the place at any other address is given back.
        """
        ...

    def own_work(self) -> AbstractContextManager[None]:
        """Returns a context manager in whose block the time of the delivery does not run.

        In the block the relay works on the content, or waits for its own workers.
        """
        ...

    @property
    def may_be_accepted(self) -> bool:
        """Returns whether the final dot was sent, so that the server may have accepted the message."""
        ...

    def taken(self, size_bytes: int) -> None:
        """Reports that the connection has taken `size_bytes` more bytes of the content."""
        ...

    def may_finish(self) -> bool:
        """Returns whether the final dot may be sent now; False if the delivery is being cut off.

        If it returns True, the server may accept the message from then on. Therefore the attempt has no time limit any
        more, and the caller must limit the wait for the answer. A slow delivery may still be cut off, if too many slow
        deliveries wait for their answer.
        """
        ...

    def timed_out(self) -> None:
        """Reports that the server at the address of the last place did not answer in time."""
        ...

    def ended(self, delivery: Delivery) -> None:
        """Reports the outcome. If the delivery belongs to no item in hand, this also gives its places back."""
        ...


class Lanes(Protocol):
    """The lanes of all destinations. A destination is a folded domain, under which the queue keeps an item."""

    def room(self, destination: str) -> int:
        """Returns how many more items for the destination may be taken in hand now; 0 if its lane is closed."""
        ...

    def closed_s(self, destination: str) -> float:
        """Returns the number of seconds for which no item may be sent to the destination; 0 if its lane is open."""
        ...

    def take(self, destination: str) -> InHand:
        """Returns a new item in hand for the destination. The caller must have checked `room` before."""
        ...

    def content(self, destination: str) -> AbstractContextManager[Callable[[int], None]]:
        """Returns a context manager that yields a function, which takes memory for the current item's big content.

        The current item is the one whose turn the asyncio task has. The function gets the size in bytes, may be called
        once, and raises NoRoomError if there is no memory. The memory is freed at the end of the block.
        """
        ...

    def attempt(self, domain: str) -> Attempt:
        """Returns the attempt for the item whose turn the current asyncio task has.

        A task without an item gets an attempt that waits for a turn of its own when its block begins.
        """
        ...
