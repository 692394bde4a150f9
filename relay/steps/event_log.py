"""The administrator's log: one line for each event in the life of a message, and the metrics beside it (R-UI-11).

Lines and metrics are made from committed data, and only in this file, so that no code path can forget to log. A line
holds ids, states and reasons. It never holds an address, a text, a subject, the address of a client or the name of
another server. `docs/observability.md` lists every line with its fields, and a test compares that list with the tables
of this file.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Concatenate, Final, ParamSpec, cast

import structlog

from relay.core.model.event import Event, EventType
from relay.core.model.item import Item, ItemState
from relay.core.model.message import MessageState, Port
from relay.core.model.reason import ReasonCode
from relay.core.signed_link import Link, Purpose
from relay.ports import Acceptance, DkimKey, MessageRecord, Observer, Settlement, StoreUnavailableError

log = structlog.get_logger()

P = ParamSpec("P")

Fields = dict[str, object]

_NONE: Final = "none"
"""The metric's label for a message or a delivery without a reason."""

_OPENING: Final = frozenset(
    {
        EventType.RECEIVED,
        EventType.QUEUED,
        EventType.HELD,
        EventType.RETURNED,
        EventType.CHECKED,
        EventType.REFUSED,
    }
)
"""The events that are written together with a new record. All of them are shown in one line."""

LINES: Final[Mapping[EventType, str]] = {
    EventType.RECEIVED: "message_received",
    EventType.HELD: "message_held",
    EventType.RELEASED: "message_released",
    EventType.QUEUED: "message_queued",
    EventType.DEFERRED: "delivery",
    EventType.ACCEPTED: "delivery",
    EventType.BOUNCED: "delivery",
    EventType.RETURNED: "message_returned",
    EventType.REFUSED: "message_refused",
    EventType.NOTICE_QUEUED: "notice_queued",
    EventType.CHECKED: "message_checked",
    EventType.MARKED: "message_marked",
    EventType.VIEWED: "message_viewed",
    EventType.REPORTED_UNDELIVERABLE: "reported_undeliverable",
    EventType.REPORT_RECEIVED: "report_received",
    EventType.COPY_MERGED: "copy_merged",
}
"""The name of the log line for each type of event."""

SHOWN: Final = frozenset(
    {"reason", "reasons", "type", "code", "enhanced", "phase", "host", "tls", "attempt", "downgraded", "status", "mark"}
    | {"sender", "notice", "port", "size_bytes", "policy", "letter", "confirmed", "outcome", "auth", "report"}
)
"""The fields of an event's data that a line shows.

Names of people and texts of other servers are only in the record.
"""
_WAYS: Final = frozenset({"link", "report", "seller", "buyer"})
"""The values of `by` in an event that are not the name of a person."""


def _harmless(
    method: Callable[Concatenate["StructuredEventLog", P], None],
) -> Callable[Concatenate["StructuredEventLog", P], None]:
    """Returns `method` with its exceptions logged instead of raised.

    A fault in the log must not undo a change that is already committed.
    """

    @wraps(method)
    def guarded(self: "StructuredEventLog", *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            log.exception("event_log_failed", line=method.__name__)
            self.observer.count("internal_errors", where="event_log")

    return cast("Callable[Concatenate[StructuredEventLog, P], None]", guarded)


class StructuredEventLog:
    """Implements `ports.EventLog`, and logs the reports of the edges: refused recipients, logins and uses of links."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    # ------------------------------------------------------------ changes that the store has committed

    @_harmless
    def accepted(self, acceptance: Acceptance) -> None:
        ids = {record.id for record in acceptance.records}
        for record in acceptance.records:
            # A refusal at RCPT has no content, and `recipient_refused` has reported it.
            if record.detail.port is None or record.detail.size_bytes is not None:
                self._record(record)
        self._events([one for one in acceptance.events if one.message_id not in ids or one.type not in _OPENING])

    @_harmless
    def settled(self, settlement: Settlement) -> None:
        item, state = settlement.item, settlement.state
        if state is ItemState.PARKED:
            self.observer.count("parked")
            log.error("item_parked", id=item.message_id, item=item.id, kind=item.kind)
        elif state is ItemState.HELD:
            log.info("delivery_postponed", id=item.message_id, item=item.id, until=settlement.due_at.isoformat())
        for event in settlement.events:
            self._event(event, item)

    @_harmless
    def lease_lost(self, settlement: Settlement) -> None:
        item = settlement.item
        log.warning("lease_lost", id=item.message_id, item=item.id, state=settlement.state)

    @_harmless
    def happened(self, events: Sequence[Event]) -> None:
        self._events(events)

    @_harmless
    def key_changed(self, key: DkimKey) -> None:
        log.info("dkim_key_changed", domain=key.domain, selector=key.selector, algorithm=key.algorithm, state=key.state)

    @_harmless
    def keys_in_use(self, domain: str, selectors: Sequence[str]) -> None:
        log.info("dkim_keys_in_use", domain=domain, selectors=list(selectors))

    # ------------------------------------------------------------ the store's health

    @_harmless
    def put_off(self, error: StoreUnavailableError, operations: int) -> None:
        for _ in range(operations):
            self.observer.count("store_put_off", code=_code_class(error.code))

    @_harmless
    def store_unavailable(self, error: StoreUnavailableError) -> None:
        log.error("store_unavailable", reason=error.fault, code=error.code, words=error.words)

    @_harmless
    def store_available(self, *, unavailable_s: float, put_off: int, codes: Sequence[str]) -> None:
        log.warning("store_available", unavailable_s=round(unavailable_s, 3), put_off=put_off, codes=list(codes))

    # ------------------------------------------------------------ reports of the edges

    @_harmless
    def recipient_refused(self, port: Port, party_id: str | None, reason: ReasonCode) -> None:
        """Counts a refusal at RCPT, and writes a line only if the client has logged in.

        A client without a login may only be guessing addresses, and would fill the log.
        """
        self.observer.count("refusals", stage="rcpt", reason=reason)
        if party_id is not None:
            log.info("recipient_refused", port=port, party=party_id, reason=reason)

    @_harmless
    def signed_in(self, party_id: str) -> None:
        self.observer.count("sign_ins", outcome="success")
        log.info("signed_in", port=Port.SUBMISSION, party=party_id)

    @_harmless
    def sign_in_failed(self, party_ids: Sequence[str], outcome: str) -> None:
        """Reports a failed login.

        `party_ids` are the parties with the user name; it is empty for an unknown user name.
        """
        self.observer.count("sign_ins", outcome=outcome)
        log.info("sign_in_failed", port=Port.SUBMISSION, parties=list(party_ids), outcome=outcome)

    @_harmless
    def report_ignored(self, outcome: str, item: Item | None) -> None:
        """Reports a mail to a return path of the relay that was not stored.

        `item` is None if the path names no item.
        """
        self.observer.count("bounces", outcome=outcome)
        subject: Fields = {"id": item.message_id, "item": item.id} if item is not None else {}
        log.info("report_ignored", outcome=outcome, **subject)

    @_harmless
    def link_used(self, link: Link, outcome: str, choice: str) -> None:
        """Reports the use of a signed link. `choice` is one of the choices of the link's purpose, or ""."""
        subject: Fields = {"sender" if link.purpose is Purpose.SENDER else "id": link.subject_id}
        fields: Fields = {"choice": choice, "outcome": outcome, "party": link.party_id}
        log.info("link_used", purpose=link.purpose.name.lower(), **_filled(subject | fields))

    # ------------------------------------------------------------ the lines of the log

    def _record(self, record: MessageRecord) -> None:
        detail = record.detail
        action = detail.action or ""
        reasons, warnings = list(detail.reason_codes), list(detail.warnings)
        fields: Fields = {
            "id": record.id,
            "marketplace": record.marketplace_id,
            "port": detail.port,
            "by": record.author_role,
            "reasons": reasons,
            "size_bytes": detail.size_bytes,
            "policy": record.policy_version,
        }
        if record.state is MessageState.REFUSED:
            for reason in reasons:
                self.observer.count("refusals", stage="data", reason=reason)
            log.info("message_refused", **_filled(fields))
            return
        self.observer.count("messages", action=action)
        for label in (*reasons, *warnings) or (_NONE,):
            self.observer.count("verdicts", action=action, reason=label)
        log.info(
            "message_accepted",
            **_filled(fields | {"action": action, "warnings": warnings, "letter": detail.letter}),
        )

    def _events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._event(event, None)

    def _event(self, event: Event, item: Item | None) -> None:
        data: Mapping[str, object] = event.data
        fields: Fields = {"id": event.message_id}
        if item is not None and event.type is not EventType.NOTICE_QUEUED:
            fields |= {"item": item.id, "kind": item.kind}
        fields |= {name: value for name, value in data.items() if name in SHOWN}
        if "by" in data:
            by = data["by"]
            fields["by"] = by if by in _WAYS else "staff"
        reason = str(data.get("reason", _NONE))
        if event.type is EventType.NOTICE_QUEUED:
            self.observer.count("notices", type=str(data.get("type", "")), reason=reason)
        elif item is not None:
            self.observer.count("deliveries", kind=item.kind, state=event.type, reason=reason)
        elif event.type is EventType.BOUNCED:
            self.observer.count("bounces", outcome=reason)
        elif event.type is EventType.REPORTED_UNDELIVERABLE:
            self.observer.count("bounces", outcome="unconfirmed")
        elif event.type is EventType.REPORT_RECEIVED:
            self.observer.count("bounces", outcome=str(data.get("outcome", "")))
        if LINES[event.type] == "delivery":
            fields["state"] = event.type
        log.info(LINES[event.type], **_filled(fields))


def _filled(fields: Fields) -> Fields:
    """Returns the fields without those whose value is None, "" or an empty list."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _code_class(code: str) -> str:
    """Returns the class of a database error code as a metric's label.

    It is the first two digits of an SQLSTATE ("53"), or the primary name of an SQLite error ("SQLITE_BUSY").
    """
    return "_".join(code.split("_")[:2]) if "_" in code else code[:2] if code[:1].isdigit() else code.lower()
