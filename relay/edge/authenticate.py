"""Who is writing (`ports.Authenticator`): what the connection itself proves.

An AUTH login is proof. SPF, DKIM and DMARC take their place behind this same port; until then nothing else is claimed,
and `identify` applies the marketplace's fallback (R-IN-09).
"""

from relay.core.model.message import Incoming
from relay.core.policy.facts import Authentication, Proof


class SessionAuthenticator:
    """Knows logins only; never raises, asks nobody."""

    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:  # noqa: ARG002 - the port's
        if incoming.peer.login_party_id is not None:
            return Authentication(proof=Proof.LOGIN, results=("auth=pass",))
        return Authentication(proof=Proof.NONE)
