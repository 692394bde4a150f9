"""The relay's outside world as protocols. Each docstring is the contract: what may fail, what is atomic, who
normalises. `edge`, `store` and `intake` implement them, the steps and the edges use them, `app` joins the two.
"""

from relay.ports.inward import Authenticator, Intake, OvertakenError, Scanner, UnavailableError
from relay.ports.outward import Courier, Delivery, HostRecord, MxHost, Outgoing, ResolveError, Resolver, Signer
from relay.ports.record import (
    Acceptance,
    DkimKey,
    Letter,
    MessageSummary,
    Misuse,
    OptOutChange,
    OutgoingNotice,
    Pending,
    QueueLine,
    Record,
    Settlement,
    StoredMessage,
    Told,
    Use,
)
from relay.ports.store import Directory, Facts, Queue, Records, Secrets, Store, StoreError
from relay.ports.system import Clock, Ids, Observer

__all__ = [
    "Acceptance",
    "Authenticator",
    "Clock",
    "Courier",
    "Delivery",
    "Directory",
    "DkimKey",
    "Facts",
    "HostRecord",
    "Ids",
    "Intake",
    "Letter",
    "MessageSummary",
    "Misuse",
    "MxHost",
    "Observer",
    "OptOutChange",
    "Outgoing",
    "OutgoingNotice",
    "OvertakenError",
    "Pending",
    "Queue",
    "QueueLine",
    "Record",
    "Records",
    "ResolveError",
    "Resolver",
    "Scanner",
    "Secrets",
    "Settlement",
    "Signer",
    "Store",
    "StoreError",
    "StoredMessage",
    "Told",
    "UnavailableError",
    "Use",
]
