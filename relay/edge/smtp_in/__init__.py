"""Receiving mail: the listeners for SMTP and LMTP, and the limits for their clients.

`SmtpIn` is one listener. It reads the commands of a client, applies the protocol and the limits, and asks
`ports.Intake` for every answer that is about mail. Nothing in this package knows aliases, parties or the policy. It
uses aiosmtpd's connection, envelope and PROXY header. Reading, replying, TLS, AUTH and limits are implemented here,
because aiosmtpd's implementations have the faults that the tests name.
"""

from relay.edge.smtp_in.guard import Guard
from relay.edge.smtp_in.listener import SmtpIn
from relay.edge.smtp_in.space import DataSpace, MemoryByteBudget

__all__ = ["DataSpace", "Guard", "MemoryByteBudget", "SmtpIn"]
