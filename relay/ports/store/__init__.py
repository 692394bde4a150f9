"""The store as protocols: one for each noun, and `Store`, which holds one part of each.

These rules hold for all parts:
- A method that the database cannot carry out now, as the database itself says, raises StoreUnavailableError and has
  changed nothing. Only if the connection to a database server is lost during the commit, the write may have taken
  effect.
- A write is one transaction. It is durable (synced to disk) when the method returns. A write whose caller is cancelled
  may still be made. Each event that is committed, each acceptance, settlement and change of a DKIM key, is reported to
  the event log.
- A row that the database refuses, for instance because it refers to a party that does not exist, raises ValueError.
- A write that needs the key of an erased party, to encrypt a value, raises `relay.store.crypto.UnreadableError` and has
  changed nothing. A read leaves out values that cannot be decrypted any more, or returns them empty or as None.
- A look-up that returns one thing or None returns None if there is no such thing.
- Where addresses and domains are given as they were written, the store folds them, and AddressError (a ValueError) is
  raised for text that is not an address. A method that takes a folded address says so.
- A read sees everything that was committed, by this process or another, before it was called.
- A look-up costs a few rows found by an index. A method that may read many rows says "bulk read"; it never blocks the
  event loop.
- Nothing that belongs to one marketplace is found through an id of another (R-ADR-09).
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
