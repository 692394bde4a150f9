"""Who is writing (`ports.Authenticator`): by login, or by what DNS, signatures and believed servers say of a mail."""

from relay.edge.authenticate.mail import MailAuthenticator
from relay.edge.authenticate.session import SessionAuthenticator

__all__ = ["MailAuthenticator", "SessionAuthenticator"]
