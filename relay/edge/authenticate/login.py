"""Authentication only by login, without any look-up."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from relay.core.bounce.origin import ReportOrigin, own_address
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming, Port


class SessionAuthenticator:
    """Implements `ports.Authenticator` for installations that verify no mail: a login is the only proof.

    `front_hosts` are the networks of the servers in front of the relay. No method raises.
    """

    def __init__(self, *, front_hosts: Iterable[str] = ()) -> None:
        self._fronts = [ip_network(one) for one in front_hosts]

    async def authenticate(
        self,
        incoming: Incoming,
        from_address: str,  # noqa: ARG002 - the port's
        root: Part,  # noqa: ARG002 - the port's
    ) -> Authentication:
        if incoming.peer.login_party_id is not None:
            return Authentication(proof=Proof.LOGIN, results=("auth=pass",))
        return Authentication(proof=Proof.NONE)

    async def origin(self, incoming: Incoming, domain: str, *, by_dns: bool) -> ReportOrigin:  # noqa: ARG002 - the port's
        is_front = self._passes_on(incoming)
        return ReportOrigin(address=own_address(incoming.peer, is_front=is_front, content=incoming.content))

    def _passes_on(self, incoming: Incoming) -> bool:
        """Returns whether the client is a server of the installation that passes on the mail of other clients."""
        peer = incoming.peer
        return peer.trusted or peer.port is Port.LMTP or self._is_front(peer.client_ip)

    def _is_front(self, client_ip: str) -> bool:
        client = ip_address(client_ip)
        return any(client in network for network in self._fronts)
