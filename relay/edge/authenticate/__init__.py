"""Authentication of the writer (`ports.Authenticator`), by a login, DNS, signatures or results of trusted servers."""

from relay.edge.authenticate.login import SessionAuthenticator
from relay.edge.authenticate.mail import MailAuthenticator

__all__ = ["MailAuthenticator", "SessionAuthenticator"]
