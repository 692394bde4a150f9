"""The relay's outside world as protocols. Each docstring is the contract: what may fail, what is atomic, who
normalises. `edge`, `store` and `intake` implement them, the steps and the edges use them, `app` joins the two.
"""

from relay.ports.event_log import EventLog, Unlogged
from relay.ports.inward import (
    Authenticator,
    Intake,
    OvertakenError,
    Scanner,
    StoreFault,
    StoreUnavailableError,
    UnavailableError,
)
from relay.ports.outward import Courier, Delivery, HostRecord, MxHost, Outgoing, ResolveError, Resolver, Signer
from relay.ports.record import (
    Acceptance,
    DkimKey,
    MessageRecord,
    MessageSummary,
    Misuse,
    NoticeSent,
    OptOutChange,
    OutgoingNotice,
    Pending,
    QueueLine,
    Settlement,
    StoredContent,
    StoredMessage,
    Use,
)
from relay.ports.store import DirectoryStore, FactStore, KeyStore, QueueStore, RecordStore, Store, StoreError
from relay.ports.system import Clock, Ids, Observer

__all__ = [
    "Acceptance",
    "Authenticator",
    "Clock",
    "Courier",
    "Delivery",
    "DirectoryStore",
    "DkimKey",
    "EventLog",
    "FactStore",
    "HostRecord",
    "Ids",
    "Intake",
    "KeyStore",
    "MessageRecord",
    "MessageSummary",
    "Misuse",
    "MxHost",
    "NoticeSent",
    "Observer",
    "OptOutChange",
    "Outgoing",
    "OutgoingNotice",
    "OvertakenError",
    "Pending",
    "QueueLine",
    "QueueStore",
    "RecordStore",
    "ResolveError",
    "Resolver",
    "Scanner",
    "Settlement",
    "Signer",
    "Store",
    "StoreError",
    "StoreFault",
    "StoreUnavailableError",
    "StoredContent",
    "StoredMessage",
    "UnavailableError",
    "Unlogged",
    "Use",
]
