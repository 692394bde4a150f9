"""The limits that all listeners share: connections, and guesses at aliases and passwords (R-IN-06, R-IN-10).

The counts are in `ports.Counters`; events are counted in a time window. Clients in trusted networks have no limits.
Front hosts have none either, until they name the client whose connection they pass on.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final
from weakref import WeakValueDictionary

from relay import config, ports
from relay.core.networks import Address, client_key, network_key
from relay.edge.clients import ClientNetworks

_LONGEST_DELAY_S: Final = 30
_REFUSED_OPEN: Final = 10
"""The number of refused connections of one client that may be open until they get their reply.

For all clients together it is this number, or a tenth of `limits.connections` if that is more.
"""


class Admission:
    """The places of one connection in the counts, from its accept until its socket is closed.

    `refusal` is the reason if the connection exceeds a limit, else None. `is_answered` is True if the client still gets
    a reply; it is False if too many refused connections are open, so that this one is closed at once.
    """

    def __init__(
        self, counters: ports.Counters, keys: Sequence[tuple[str, str]], refusal: str | None, *, answered: bool
    ) -> None:
        self._counters = counters
        self._keys = keys
        self.refusal = refusal
        self.is_answered = answered

    def release(self) -> None:
        """Frees the places. A second call does nothing."""
        for kind, key in self._keys:
            self._counters.free(kind, key)
        self._keys = ()


class Guard:
    """The counts and limits of all listeners.

    Places are scarce if more than nine tenths of all places, or of the places of one listener, are taken. Then a client
    gets a tenth of its usual connections, and sessions that make no progress for `limits.scarce_idle_s` are ended. If
    there are several listeners, each may use at most four fifths of all places, so that the other listeners answer
    while one is flooded.
    """

    def __init__(self, *, limits: config.SmtpLimits, networks: config.Networks, counters: ports.Counters) -> None:
        self.limits = limits
        self.clients = ClientNetworks(networks)
        self._counters = counters
        self._end_idle: dict[str, Callable[[], None]] = {}
        self._login_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ------------------------------------------------------------ connections

    def add_listener(self, end_idle: Callable[[], None]) -> str:
        """Returns the name of a new listener.

        `end_idle` is a function that ends the listener's sessions without progress.
        """
        name = str(len(self._end_idle))
        self._end_idle[name] = end_idle
        return name

    def admit(self, client: Address, listener: str) -> Admission:
        """Counts a new connection, and returns its places, with the reason if it must be refused.

        The caller must release the result. A refused connection takes one of the places of its client, but none of the
        places of its listener, because these are for sessions.
        """
        own, session = ("smtp_client", client_key(client)), (("smtp_listener", listener), ("smtp", ""))
        of_client = self._counters.take(*own)
        for key in session:
            self._counters.take(*key)
        for name, end_idle in self._end_idle.items():
            if self._is_scarce(name):
                end_idle()
        refusal = None if self.clients.is_free(client) else self._why_refused(client, listener, of_client)
        if refusal is None:
            return Admission(self._counters, (own, *session), None, answered=True)
        for key in session:
            self._counters.free(*key)
        refused = ("smtp_refused", "")
        most_refused = max(_REFUSED_OPEN, self.limits.connections // 10)
        answered = (
            self._counters.take(*refused) <= most_refused
            and of_client <= self.limits.connections_per_client + _REFUSED_OPEN
        )
        return Admission(self._counters, (own, refused), refusal, answered=answered)

    def _why_refused(self, client: Address, listener: str, of_client: int) -> str | None:
        limits, most = self.limits, self.limits.connections_per_client
        if self._is_scarce(listener):
            most = max(1, most // 10)
        if of_client > most:
            return "connections_per_client"
        of_listener = self._counters.taken("smtp_listener", listener)
        if self._counters.taken("smtp", "") > limits.connections or of_listener > self._listener_share():
            return "connections"
        return "unknown_recipients" if self.is_cut_off(client) else None

    def _is_scarce(self, listener: str) -> bool:
        in_all, of_listener = self._counters.taken("smtp", ""), self._counters.taken("smtp_listener", listener)
        return in_all > self.limits.connections * 0.9 or of_listener > self._listener_share() * 0.9

    def _listener_share(self) -> int:
        most = self.limits.connections
        return most if len(self._end_idle) < 2 else max(1, most * 4 // 5)

    # ------------------------------------------------------------ unknown recipients

    def unknown_recipient(self, client: Address) -> float:
        """Counts a wrong recipient of the client. Returns the delay of the answer in seconds; 0 for the first one."""
        if self.clients.is_free(client):
            return 0
        window_s = self.limits.unknown_recipients_window_s
        self._counters.add("unknown_network", network_key(client), window_s)
        guesses = self._counters.add("unknown_client", client_key(client), window_s)
        return self.limits.unknown_recipient_delay_s if guesses > 1 else 0

    def accepted(self, client: Address) -> None:
        """Notes that mail of the client was accepted, so that its network is not cut off in the next window."""
        window_s, key = self.limits.unknown_recipients_window_s, network_key(client)
        if not self._counters.count("accepted", key, window_s):
            # The note lasts for a second window, because further mail in the first one does not renew it.
            self._counters.add("accepted", key, 2 * window_s)

    def is_cut_off(self, client: Address) -> bool:
        """Returns whether the client has no access now, because of its wrong recipients or those of its network.

        A network from which mail was accepted in the time window always has access, because it may be that of a mail
        provider, whose users must not suffer for one of them.
        """
        window_s = self.limits.unknown_recipients_window_s
        return self.guesses_too_often(client) and not self._counters.count(
            "accepted", network_key(client), 2 * window_s
        )

    def guesses_too_often(self, client: Address) -> bool:
        """Returns whether the client or its network has tried too many wrong recipients."""
        if self.clients.is_free(client):
            return False
        limits, counters = self.limits, self._counters
        window_s = limits.unknown_recipients_window_s
        return (
            counters.count("unknown_client", client_key(client), window_s) > limits.unknown_recipients_per_client
            or counters.count("unknown_network", network_key(client), window_s) > limits.unknown_recipients_per_network
        )

    # ------------------------------------------------------------ logins

    def login_turn(self, client: Address) -> AbstractAsyncContextManager[None]:
        """Returns the lock of a client, under which its passwords are checked one after the other.

        With the lock a client has one place among the passwords that wait for their check, however many connections it
        has.
        """
        if self.clients.is_free(client):
            return nullcontext()
        return self._login_turns.setdefault(client_key(client), asyncio.Lock())

    def begin_login(self, client: Address, username: str) -> bool:
        """Counts one try of a login before the password is checked, and returns True.

        Returns False, without a count, if there were too many tries. Every try stays counted unless `withdraw_login`
        takes it back; therefore a client that does not wait for its answer is counted too. If too many tries were made
        with one user name by all clients together, only clients that have failed before are refused. Therefore nobody
        can lock out a seller who logs in from another address. The user name need not exist.
        """
        if self.clients.is_free(client):
            return True
        limits, window_s = self.limits, self.limits.failed_logins_window_s
        tried = {kind: self._counters.count(kind, key, window_s) for kind, key in _login_keys(client, username)}
        if (
            tried["login_client"] >= limits.failed_logins_per_client
            or tried["login_network"] >= limits.failed_logins_per_network
            or (tried["login_account"] >= limits.failed_logins_per_account and tried["login_client"])
        ):
            return False
        for kind, key in _login_keys(client, username):
            self._counters.add(kind, key, window_s)
        return True

    def withdraw_login(self, client: Address, username: str) -> None:
        """Takes back the count of `begin_login`, because the password was right or was not checked."""
        if not self.clients.is_free(client):
            for kind, key in _login_keys(client, username):
                self._counters.withdraw(kind, key)

    def failed_login_delay_s(self, client: Address) -> float:
        """Returns the delay in seconds of the answer to a wrong password. It doubles with each try, up to a limit."""
        if self.clients.is_free(client):
            return 0
        tries = self._counters.count("login_client", client_key(client), self.limits.failed_logins_window_s)
        return min(self.limits.unknown_recipient_delay_s * 2.0 ** min(max(tries - 1, 0), 10), _LONGEST_DELAY_S)


def _login_keys(client: Address, username: str) -> tuple[tuple[str, str], ...]:
    """Returns the kinds and keys under which a login is counted.

    The user name is hashed, because it may be long and may be an address.
    """
    account = hashlib.blake2b(username.casefold().encode("utf-8", "replace"), digest_size=16).hexdigest()
    return (
        ("login_client", client_key(client)),
        ("login_network", network_key(client)),
        ("login_account", account),
    )
