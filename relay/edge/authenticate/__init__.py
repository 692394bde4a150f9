"""Who is writing (`ports.Authenticator`): by login, or by what DNS, signatures and believed servers say of a mail."""

from relay.edge.authenticate.login import SessionAuthenticator
from relay.edge.authenticate.mail import MailAuthenticator

__all__ = ["MailAuthenticator", "SessionAuthenticator"]
