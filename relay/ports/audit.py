"""The audit log: one entry for each thing that a person or a program did to the installation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Way(StrEnum):
    """The way by which an actor reached the relay."""

    COMMAND_LINE = "command line"
    LINK = "link"
    """The page behind a signed link."""
    ONE_CLICK = "one-click"
    """The unsubscribe button of a mail program (RFC 8058)."""
    API = "api"
    RELAY = "relay"
    """The relay itself, without a person."""


class AuditAction(StrEnum):
    """The names under which the audit log records the actions of `relay.actions`."""

    PARTY_PUT = "party_put"
    PRODUCT_SUPPORT_SET = "product_support_set"
    PAIR_PUT = "pair_put"
    PAIR_CLOSED = "pair_closed"
    ALIASES_RENEWED = "aliases_renewed"
    ORDER_PUT = "order_put"
    ORDER_CANCELLED = "order_cancelled"
    SENDER_PUT = "sender_put"
    SENDER_DECIDED = "sender_decided"
    SIGNING_DOMAIN_CONFIRMED = "signing_domain_confirmed"
    SIGNING_DOMAIN_WITHDRAWN = "signing_domain_withdrawn"
    OPT_OUT_SET = "opt_out_set"
    OPT_OUT_CLEARED = "opt_out_cleared"
    HOLD_RELEASED = "hold_released"
    HOLD_RETURNED = "hold_returned"
    THREADS_REOPENED = "threads_reopened"
    KEY_MADE = "key_made"
    KEY_ACTIVATED = "key_activated"
    KEY_RETIRED = "key_retired"
    MASTER_KEY_MADE = "master_key_made"
    MASTER_KEY_ROTATED = "master_key_rotated"
    MASTER_KEY_REMOVED = "master_key_removed"
    PASSWORD_ADDED = "password_added"  # noqa: S105 - the name of an action
    PASSWORD_REVOKED = "password_revoked"  # noqa: S105 - the name of an action
    BYPASS_RESTORED = "bypass_restored"
    MARKED_NOT_IMPORTANT = "marked_not_important"
    MARKED_NO_REPLY_NEEDED = "marked_no_reply_needed"
    ABUSE_REPORTED = "abuse_reported"
    TEXT_READ = "text_read"
    ADDRESSES_READ = "addresses_read"
    QUEUE_FLUSHED = "queue_flushed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One action, as the audit log records it.

    - `actor` is a name without an address, or the id of the party that acted.
    - `party_id` is the party that the action is about.
    - `subject_id` is the id of the other thing that the action is about: a pair, an order, a sender, a message, a
      password, the DNS name of a DKIM key or the id of a master key.
    - `data` holds no address and no text of a message.
    """

    at: datetime
    actor: str
    way: Way
    action: AuditAction
    marketplace_id: str | None = None
    party_id: str | None = None
    subject_id: str | None = None
    data: Mapping[str, str | int] = field(default_factory=dict)


class AuditLog(Protocol):
    """The part of the store that keeps the audit log. Entries are added and never changed or removed."""

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Adds all entries in one transaction and commits it.

        The entries are durable when the method returns. The same entries added twice are listed twice. Raises
        StoreUnavailableError if the database cannot do this now; then no entry was added.
        """
        ...

    async def newest(self, marketplace_id: str | None = None, *, limit: int = 50) -> Sequence[AuditEntry]:
        """Returns at most `limit` entries, the newest first.

        With `marketplace_id` only the entries of that marketplace are returned, otherwise the entries of the whole
        installation. A bulk read. Raises StoreUnavailableError.
        """
        ...
