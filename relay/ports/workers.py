"""Heavy work on mail: pure functions that may take seconds, run away from the event loop with limits."""

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

from relay.ports.inward import UnavailableError

A = TypeVarTuple("A")
T = TypeVar("T")


class HeavyMailError(UnavailableError):
    """A heavy message cannot be worked on now.

    Its text stands in the 451 to the client, so it tells nothing about the recipient or about the mail.
    """


class TooHeavyError(Exception):
    """Each attempt to work on the message used up its time or its memory: another attempt would do the same."""


class Workers(Protocol):
    """Runs heavy work. Several calls may run at once."""

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        """Returns `work(*args)`, computed in another process.

        `party` names the party or the network for which the work is done: it gets a limited share of the places.
        `content` is the message that the work is about; it may be among `args`. `work` is a function of a module, and
        arguments and result can be pickled. An exception of `work` is raised as it is, with its traceback.

        Raises HeavyMailError if no place is free in time, if the work takes too long, or if its process dies;
        TooHeavyError if the message has ended several processes already.
        """
        ...
