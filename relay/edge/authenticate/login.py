"""Authentication by login only; it looks up nothing."""

from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming


class SessionAuthenticator:
    """Implements `ports.Authenticator` for installations that verify no mail: a login is the only proof.

    Raises nothing.
    """

    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:  # noqa: ARG002 - the port's
        if incoming.peer.login_party_id is not None:
            return Authentication(proof=Proof.LOGIN, results=("auth=pass",))
        return Authentication(proof=Proof.NONE)
