"""The port of heavy work on mail: functions without side effects that may take seconds.

They run outside of the event loop, with limits on their time and memory.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

from relay.ports.inward import UnavailableError

A = TypeVarTuple("A")
T = TypeVar("T")


class HeavyMailError(UnavailableError):
    """Raised if no worker process can do the work on a heavy message now.

    The text of the error is sent to the client with 451. Therefore it says nothing about the recipient or the message.
    """


class TooHeavyError(Exception):
    """Raised if each attempt to process the message used up its time or its memory, so that another would fail too."""


class Workers(Protocol):
    """Runs heavy work in worker processes. Several calls may run at once.

    An implementation counts the places of each party, and remembers the messages that have ended processes. Several
    processes of one node must share both. Until they do, each process has the whole of these limits.
    """

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        """Returns the result of `work(*args)`, computed in another process.

        `party` is the party or the network for which the work is done, and limits its share of the worker places. If it
        is the name of a party, a space and the name of a client, the client has a part of that party's share.
        `content` is the message that the work is about; it may also be one of `args`. `work` must be a function of a
        module, and the arguments and the result must be picklable. An exception of `work` is raised unchanged, with its
        traceback.

        Raises HeavyMailError if no place is free in time, if the work takes too long, or if its process dies. Raises
        TooHeavyError if the message has already ended several processes.
        """
        ...
