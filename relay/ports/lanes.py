"""The limits of outgoing mail: a lane for each destination, for its organization and for each server's address.

The worker takes an item in hand, waits for its turn and tells how the attempt ended; the courier asks for a place at
each address before it connects. All state is behind these protocols.
"""

from types import TracebackType
from typing import Protocol, Self

from relay.ports.outward import Delivery


class InHand(Protocol):
    """An item that this process has leased, from the claim to the end of its settlement."""

    async def turn(self) -> float:
        """Waits for a place in each lane of the item. Returns 0 when its attempt may begin.

        Otherwise it returns the seconds by which the item must be put off: a lane was closed meanwhile.
        """
        ...

    def ended(self, delivery: Delivery | None) -> None:
        """Gives the places back, and opens or closes the lanes by the outcome; None if no server was asked."""
        ...

    def leave(self) -> None:
        """Lets the item go. Places that it still has are given back."""
        ...


class Attempt(Protocol):
    """One delivery as the courier makes it, within the time that it may take.

    As an asynchronous context manager it raises TimeoutError at the end of the block when the delivery was cut off.
    """

    @property
    def again_s(self) -> float:
        """The seconds after which the delivery may be tried again, when no place was free."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def place(self, address: str) -> bool:
        """Takes a place at the address of a server. Returns False, without waiting, if none is free."""
        ...

    def timed_out(self) -> None:
        """Tells that the server at the last address did not answer in time."""
        ...

    def ended(self, delivery: Delivery) -> None:
        """Tells the outcome. The places are given back here if no item in hand has them."""
        ...


class Lanes(Protocol):
    """The lanes of all destinations."""

    def room(self, destination: str) -> int:
        """Returns how many more items for the destination may be taken in hand now."""
        ...

    def closed_s(self, destination: str) -> float:
        """Returns the seconds for which no item may be sent to the destination, 0 if its lane is open."""
        ...

    def take(self, destination: str) -> InHand:
        """Takes an item in hand. The caller has asked for `room` before."""
        ...

    def attempt(self, domain: str, size_bytes: int) -> Attempt:
        """Returns the attempt of the item whose turn the current task has; without one it waits for a turn."""
        ...
