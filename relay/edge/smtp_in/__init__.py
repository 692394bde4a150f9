"""Receiving: the doors by which mail comes in, over SMTP and LMTP, and who may stand in them.

`SmtpIn` is one listener. It reads what a client sends, keeps it to the protocol and the limits, and asks `ports.Intake`
for every answer that is about mail. Nothing here knows aliases, parties or policy. Written on aiosmtpd, of which the
connection, the envelope, PLAIN and LOGIN, and the PROXY header are used; reading, replying, TLS and limits are ours,
because of the traps that the tests name.
"""

from relay.edge.smtp_in.guard import Guard
from relay.edge.smtp_in.listener import SmtpIn

__all__ = ["Guard", "SmtpIn"]
