"""The store as protocols: one for each noun, and `Store`, which holds one part of each.

These rules hold for all parts:
- If the database reports that it cannot carry out a method now, the method raises StoreUnavailableError and has changed
  nothing. There is one exception: if the connection to a database server is lost during the commit, the write may have
  taken effect.
- A write is one transaction. It is durable (synced to disk) when the method returns. A write whose caller is cancelled
  may still be made. Each committed event, acceptance, settlement and change of a DKIM key is reported to the event log.
- A row that the database refuses raises ValueError, for instance if it refers to a party that does not exist.
- A write that must encrypt a value with the key of an erased party raises `relay.store.crypto.UnreadableError` and has
  changed nothing. A read leaves out values that cannot be decrypted any more, or returns them empty or as None.
- A look-up whose result may be None returns None if the wanted thing does not exist.
- The store folds addresses and domains that are given as they were written, and raises AddressError (a ValueError) for
  text that is not an address. The docstring of a method whose argument must be folded already says "folded".
- A read sees everything that this process or another one has committed before the call.
- A look-up costs a few rows found by an index. The docstring of a method that may read many rows says "bulk read"; such
  a read never blocks the event loop.
- Nothing that belongs to one marketplace is found through an id of another marketplace (R-ADR-09).
"""

from typing import Protocol

from relay.ports.audit import AuditLog
from relay.ports.store.keys import DkimKeyStore, MasterKeyStore, SecretStore
from relay.ports.store.limits import LimitStore, NoticeLog, OptOutStore
from relay.ports.store.parties import AppPasswordStore, OrderStore, PairStore, PartyStore
from relay.ports.store.queue import AcceptanceStore, HoldStore, QueueStore
from relay.ports.store.records import RecordStore, ReportStore, ThreadStore
from relay.ports.store.senders import RequestStore, SenderStore, SignatureStore

__all__ = [
    "AcceptanceStore",
    "AppPasswordStore",
    "DkimKeyStore",
    "HoldStore",
    "LimitStore",
    "MasterKeyStore",
    "NoticeLog",
    "OptOutStore",
    "OrderStore",
    "PairStore",
    "PartyStore",
    "QueueStore",
    "RecordStore",
    "ReportStore",
    "RequestStore",
    "SecretStore",
    "SenderStore",
    "SignatureStore",
    "Store",
    "StoreError",
    "ThreadStore",
]


class StoreError(Exception):
    """Raised if the store cannot be opened, a value cannot be decrypted, or the master key file cannot be changed.

    The text of the error names the cause.
    """


class Store(Protocol):
    """All parts of the store over one database. There are two engines; the tests in `tests/store/` hold for both."""

    @property
    def parties(self) -> PartyStore: ...
    @property
    def app_passwords(self) -> AppPasswordStore: ...
    @property
    def pairs(self) -> PairStore: ...
    @property
    def orders(self) -> OrderStore: ...
    @property
    def threads(self) -> ThreadStore: ...
    @property
    def senders(self) -> SenderStore: ...
    @property
    def requests(self) -> RequestStore: ...
    @property
    def signatures(self) -> SignatureStore: ...
    @property
    def opt_outs(self) -> OptOutStore: ...
    @property
    def limits(self) -> LimitStore: ...
    @property
    def notice_log(self) -> NoticeLog: ...
    @property
    def acceptances(self) -> AcceptanceStore: ...
    @property
    def queue(self) -> QueueStore: ...
    @property
    def holds(self) -> HoldStore: ...
    @property
    def reports(self) -> ReportStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def dkim_keys(self) -> DkimKeyStore: ...
    @property
    def master_keys(self) -> MasterKeyStore: ...
    @property
    def secrets(self) -> SecretStore: ...

    @property
    def audit_log(self) -> AuditLog: ...

    async def open(self) -> None:
        """Connects to the database and migrates its schema to this version.

        Raises StoreError if that is not possible, or if the database is from a newer version. The text of the error
        says how to correct the problem.
        """
        ...

    async def close(self) -> None:
        """Waits for the writes that have begun, then disconnects."""
        ...

    async def ping(self) -> None:
        """Writes and commits a row that only this method uses, in a transaction that no other write shares.

        Raises StoreUnavailableError if that is not possible, or if the database has just refused other writes because
        it is full or read-only. The `fault` of the error is the cause.
        """
        ...

    def forget(self) -> None:
        """Drops the decrypted names, addresses and keys that are kept in memory for speed.

        The daemon calls it at intervals. It must be called in every process when a person is erased.
        """
        ...
