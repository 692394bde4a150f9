"""Authentication only by login, without any look-up."""

from relay.core.bounce.origin import ReportOrigin, own_address
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming


class SessionAuthenticator:
    """Implements `ports.Authenticator` for installations that verify no mail: a login is the only proof.

    No method raises.
    """

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
        peer = incoming.peer
        return ReportOrigin(address=own_address(peer, is_front=peer.passes_on, content=incoming.content))
