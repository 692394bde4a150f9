"""The store on an SQL database, made of one part for each noun."""

from relay.ports import Clock, EventLog, Ids, StoreError, UnavailableError
from relay.store.accepting import SqlAcceptances
from relay.store.app_passwords import SqlAppPasswords
from relay.store.audit_log import SqlAuditLog
from relay.store.base import Base, to_us
from relay.store.content_reader import ContentReader
from relay.store.crypto import MasterKeys
from relay.store.dkim_keys import SqlDkimKeys
from relay.store.engine import Engine, Work
from relay.store.events import EventWriter
from relay.store.holder_keys import SqlHolderKeys
from relay.store.holds import SqlHolds
from relay.store.limits import SqlLimits
from relay.store.master_keys import SqlMasterKeys
from relay.store.notice_log import SqlNoticeLog
from relay.store.opt_outs import SqlOptOuts
from relay.store.orders import SqlOrders
from relay.store.pairs import SqlPairs
from relay.store.parties import SqlParties
from relay.store.queue import SqlQueue
from relay.store.records import SqlRecords
from relay.store.reports import SqlReports
from relay.store.requests import SqlRequests
from relay.store.secrets import SqlSecrets
from relay.store.senders import SqlSenders
from relay.store.signatures import SqlSignatures
from relay.store.threads import SqlThreads
from relay.store.unsealed import SqlUnsealed


class SqlStore:
    """Implements `relay.ports.Store` for SQLite and PostgreSQL.

    The parts may be used after `open`. `base` is public for tests and for tools that read the database directly.
    """

    def __init__(self, engine: Engine, master: MasterKeys, clock: Clock, ids: Ids, event_log: EventLog) -> None:
        self.base = base = Base(engine, master, clock, ids, event_log)
        self._heartbeat_id = ids.entropy(1)[0]
        holder_keys, contents, events = SqlHolderKeys(base), ContentReader(base), EventWriter(base)
        self.holds = SqlHolds(base, events)
        self.senders = SqlSenders(base, self.holds)
        self.signatures = SqlSignatures(base)
        self.parties = SqlParties(base, self.senders)
        self.app_passwords = SqlAppPasswords(base)
        self.pairs = SqlPairs(base)
        self.orders = SqlOrders(base, self.pairs)
        self.threads = SqlThreads(base)
        self.requests = SqlRequests(base)
        self.opt_outs = SqlOptOuts(base)
        self.limits = SqlLimits(base)
        self.notice_log = SqlNoticeLog(base)
        self.acceptances = SqlAcceptances(base, holder_keys, self.holds, self.senders)
        self.queue = SqlQueue(base, holder_keys, contents, self.pairs)
        self.reports = SqlReports(base, holder_keys, contents)
        self.records = SqlRecords(base, contents, events)
        self.dkim_keys = SqlDkimKeys(base)
        self.secrets = SqlSecrets(base)
        self.master_keys = SqlMasterKeys(base)
        self.audit_log = SqlAuditLog(base.engine, base.ids, base.sql)

    async def open(self) -> None:
        await self.base.engine.open()
        try:
            self.base.vault.unlock(await self.base.engine.write(self._root_secret))
            await self.senders.mend()
            await SqlUnsealed(self.base).seal()
        except BaseException as error:
            await self.close()
            if isinstance(error, UnavailableError):
                problem = f"the store cannot be written ({error}); check its disk and who else uses it"
                raise StoreError(problem) from error
            raise

    async def close(self) -> None:
        try:
            await self.base.engine.finish()
        finally:  # also if this is cancelled, because an open aiosqlite connection keeps the process alive
            await self.base.engine.close()
            self.forget()

    async def ping(self) -> None:
        await self.base.engine.write(self._heartbeat, alone=True)
        if (error := self.base.engine.availability.lasting_error()) is not None:
            raise error.copy()

    def forget(self) -> None:
        self.base.vault.forget()
        self.pairs.forget()

    def _heartbeat(self) -> Work[None]:
        """Overwrites the row of this process, for `ping`.

        There are 256 such rows. A process chooses one at random, so that two processes rarely wait for each other.
        """
        yield self.base.sql["heartbeat"], (self._heartbeat_id, to_us(self.base.clock.now()))

    def _root_secret(self) -> Work[bytes]:
        """Returns the encrypted root secret. The first process that opens a new database creates it."""
        sql = self.base.sql
        if not (yield sql["secret"], ("root",)):
            yield sql["add_secret"], ("root", self.base.vault.new_root())
        rows = yield sql["secret"], ("root",)
        return bytes(rows[0]["wrapped"])
