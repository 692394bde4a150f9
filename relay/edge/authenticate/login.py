"""A login proves who writes; nothing is looked up."""

from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming


class SessionAuthenticator:
    """`ports.Authenticator` where nothing is to be verified: knows logins only, never raises, asks nobody."""

    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:  # noqa: ARG002 - the port's
        if incoming.peer.login_party_id is not None:
            return Authentication(proof=Proof.LOGIN, results=("auth=pass",))
        return Authentication(proof=Proof.NONE)
