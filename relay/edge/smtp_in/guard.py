"""Limits that all listeners share: connections, and guesses at aliases and passwords (R-IN-06, R-IN-10).

The counts are kept in memory for a time window; a restart forgets them. Clients in trusted networks are never cut off.
Front hosts are not either, until they have named the client whose connection they pass on.
"""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from relay import config, ports

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NETWORK_BITS: Final = {4: 24, 6: 64}
_MOST_KEYS: Final = 100_000
_LONGEST_DELAY_S: Final = 30


def client_address(text: str) -> Address:
    """Returns an address in the form for comparison: an IPv4-mapped IPv6 address becomes IPv4. Raises ValueError."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


class Tally:
    """Counts keys in time windows; the window of a key opens with its first count."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[float, int]] = {}  # (time of opening, count), the oldest first

    def add(self, key: str, window_s: float) -> int:
        """Counts the key and returns its count in the current window."""
        self._forget(window_s)
        opened_at, count = self._counts.get(key, (self._clock.monotonic_s(), 0))
        self._counts[key] = (opened_at, count + 1)
        return count + 1

    def count(self, key: str, window_s: float) -> int:
        """Returns the count of the key in the current window."""
        opened_at, count = self._counts.get(key, (0.0, 0))
        return count if self._clock.monotonic_s() - opened_at < window_s else 0

    def _forget(self, window_s: float) -> None:
        now = self._clock.monotonic_s()
        while self._counts:
            key, (opened_at, _) = next(iter(self._counts.items()))
            if now - opened_at < window_s and len(self._counts) < _MOST_KEYS:
                return
            del self._counts[key]


class Guard:
    """The counts and limits of all listeners."""

    def __init__(self, *, limits: config.SmtpLimits, networks: config.Networks, clock: ports.Clock) -> None:
        self.limits = limits
        self._trusted = _networks(networks.trusted)
        self._fronts = _networks(networks.front_hosts)
        self._open: Counter[Address] = Counter()
        self._open_in_all = 0
        self._unknown = Tally(clock)
        self._failed_logins = Tally(clock)

    def is_trusted(self, client: Address) -> bool:
        """Whether the client is in `networks.trusted`."""
        return any(client in network for network in self._trusted)

    def is_front(self, client: Address) -> bool:
        """Whether the client is in `networks.front_hosts`."""
        return any(client in network for network in self._fronts)

    def admit(self, client: Address) -> str | None:
        """Counts a connection. Returns the reason when there are too many, else None.

        Each call must be followed by a `release`.
        """
        self._open[client] += 1
        self._open_in_all += 1
        if self._is_free(client):
            return None
        if self._open_in_all > self.limits.connections:
            return "connections"
        if self._open[client] > self.limits.connections_per_client:
            return "connections_per_client"
        return "unknown_recipients" if self.is_cut_off(client) else None

    def release(self, client: Address) -> None:
        """Ends the count of one `admit`."""
        self._open_in_all -= 1
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]

    def unknown_recipient(self, client: Address) -> float:
        """Counts a wrong recipient. Returns the delay of its answer in seconds: 0 for the first one."""
        if self._is_free(client):
            return 0
        window_s = self.limits.unknown_recipients_window_s
        self._unknown.add(_network_of(client), window_s)
        guesses = self._unknown.add(str(client), window_s)
        return self.limits.unknown_recipient_delay_s if guesses > 1 else 0

    def is_cut_off(self, client: Address) -> bool:
        """Whether the client, or its network, has guessed too many wrong recipients."""
        if self._is_free(client):
            return False
        limits = self.limits
        window_s = limits.unknown_recipients_window_s
        return (
            self._unknown.count(str(client), window_s) > limits.unknown_recipients_per_client
            or self._unknown.count(_network_of(client), window_s) > limits.unknown_recipients_per_network
        )

    def failed_login(self, client: Address) -> float:
        """Counts a wrong password. Returns the delay of its answer in seconds, which doubles up to a limit."""
        if self._is_free(client):
            return 0
        failures = self._failed_logins.add(str(client), self.limits.unknown_recipients_window_s)
        return min(self.limits.unknown_recipient_delay_s * 2.0 ** min(failures - 1, 10), _LONGEST_DELAY_S)

    def _is_free(self, client: Address) -> bool:
        return self.is_trusted(client) or self.is_front(client)


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def _network_of(client: Address) -> str:
    return str(ip_network((client, _NETWORK_BITS[client.version]), strict=False))
