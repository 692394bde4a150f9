"""The check of app passwords, in threads of their own, so that neither heavy mail nor a flood of logins stops a login.

Argon2 is slow and takes 64 MiB on purpose. Therefore only a few passwords are checked at the same time, and only a few
wait. A password that was right is remembered as a keyed hash over the password and its stored hash. A revoked password
is no longer stored, so it stops working at once.
"""

import asyncio
import hmac
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from relay.ports import AppPasswordStore, BusyError, Ids, SecretStore
from relay.steps.event_log import StructuredEventLog

_THREADS: Final = 2
_PASSWORDS: Final = 2  # of a party at the same time
_REMEMBERED: Final = 10_000


class Logins:
    """The app passwords of all parties. `waiting` is the number of checks that may wait for a thread."""

    def __init__(
        self,
        app_passwords: AppPasswordStore,
        secrets: SecretStore,
        event_log: StructuredEventLog,
        ids: Ids,
        *,
        waiting: int,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._app_passwords = app_passwords
        self._key = secrets.get("login")
        self._event_log = event_log
        self._hasher = hasher or PasswordHasher()
        self._padding = [("", self._hasher.hash(ids.entropy(16)))] * _PASSWORDS
        self._remembered: dict[bytes, str] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._places = threading.BoundedSemaphore(_THREADS + waiting)

    async def remembered(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose password this is, if `check` has accepted the password recently.

        Returns None otherwise. Raises UnavailableError.
        """
        marks = [
            (party_id, self._mark(username, password, hashed)) for party_id, hashed in await self._stored(username)
        ]
        for party_id, mark in marks:
            if party_id and self._remembered.get(mark) == party_id:
                self._event_log.signed_in(party_id)
                return party_id
        return None

    async def check(self, username: str, password: str) -> str | None:
        """Returns the id of the party whose password this is, or None. Raises UnavailableError, BusyError.

        A wrong password is always compared with two hashes, so that the time does not show whether the user name
        exists. If the client disconnects during the check, a failed login is logged and counted.
        """
        parties: Sequence[str] = ()
        try:
            stored = await self._stored(username)
            parties = list(dict.fromkeys(party_id for party_id, _ in stored if party_id))
            right = await self._in_thread([hashed for _, hashed in stored], password)
        except BusyError:
            self._event_log.sign_in_failed(parties, "busy")
            raise
        except asyncio.CancelledError:
            self._event_log.sign_in_failed(parties, "hung_up")
            raise
        party_id, hashed = stored[right] if right is not None else ("", "")
        if not party_id:
            self._event_log.sign_in_failed(parties, "wrong_password" if parties else "unknown_user")
            return None
        if len(self._remembered) >= _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[self._mark(username, password, hashed)] = party_id
        self._event_log.signed_in(party_id)
        return party_id

    def close(self) -> None:
        """Ends the threads. Checks that have not begun are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _stored(self, username: str) -> Sequence[tuple[str, str]]:
        """Returns (party id, hash) of the passwords of a user name, filled up to two.

        The hashes that fill up the list belong to no party, so that an unknown user name takes the same work. There are
        more than two only if parties of several marketplaces have the same mailbox.
        """
        found = await self._app_passwords.of_username(username)
        return [*found, *self._padding[len(found) :]]

    def _mark(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256")

    async def _in_thread(self, hashes: Sequence[str], password: str) -> int | None:
        """Returns the index of the hash to which the password belongs, or None. Raises BusyError."""
        if not self._places.acquire(blocking=False):
            raise BusyError("too many passwords wait for their check")
        check = self._threads.submit(self._fitting, hashes, password)
        # A check that has begun keeps its place until it ends, even if its client has disconnected.
        check.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(check)

    def _fitting(self, hashes: Sequence[str], password: str) -> int | None:
        return next((place for place, hashed in enumerate(hashes) if self._fits(hashed, password)), None)

    def _fits(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False
