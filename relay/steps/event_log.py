"""The administrator's log: one line for each event of a message's life, and the counters beside it (R-UI-11).

Lines and counters are made from what was committed, in this file alone, so that a path which forgets to log cannot
exist. A line holds ids, states and reasons: never an address, a text, a subject, a client's address or another server's
name. `docs/observability.md` lists every line with its fields; a test compares it with the tables here.
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
"""The label of what has no reason."""

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
"""Events that an acceptance writes with a record: they make one line together."""

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
"""The line of each event that comes by itself."""

SHOWN: Final = frozenset(
    {"reason", "reasons", "type", "code", "enhanced", "phase", "host", "tls", "attempt", "downgraded", "status", "mark"}
    | {"sender", "notice", "port", "size_bytes", "policy", "letter", "confirmed", "outcome", "auth", "report"}
)
"""The data of an event that a line shows. Names of people, cases and the texts of other servers stay in the record."""
_WAYS: Final = frozenset({"link", "report", "seller", "buyer"})
"""The actors of events for which the record names no person."""


def _harmless(
    method: Callable[Concatenate["StructuredEventLog", P], None],
) -> Callable[Concatenate["StructuredEventLog", P], None]:
    """A fault in here must not undo what is durable: it is a line of its own."""

    @wraps(method)
    def guarded(self: "StructuredEventLog", *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            log.exception("event_log_failed", line=method.__name__)
            self.observer.count("internal_errors", where="event_log")

    return cast("Callable[Concatenate[StructuredEventLog, P], None]", guarded)


class StructuredEventLog:
    """Implements `ports.EventLog`, and takes what the edges report: refused recipients, sign-ins, uses of links."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    # ------------------------------------------------------------ what the store has committed

    @_harmless
    def accepted(self, acceptance: Acceptance) -> None:
        ids = {record.id for record in acceptance.records}
        for record in acceptance.records:
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

    # ------------------------------------------------------------ what the edges report

    @_harmless
    def recipient_refused(self, port: Port, party_id: str | None, reason: ReasonCode) -> None:
        """Counts a recipient refused at RCPT; logs it only for a client with a login, as others may be guessing."""
        self.observer.count("refusals", stage="rcpt", reason=reason)
        if party_id is not None:
            log.info("recipient_refused", port=port, party=party_id, reason=reason)

    @_harmless
    def signed_in(self, party_id: str) -> None:
        self.observer.count("sign_ins", outcome="success")
        log.info("signed_in", port=Port.SUBMISSION, party=party_id)

    @_harmless
    def sign_in_failed(self, party_ids: Sequence[str], outcome: str) -> None:
        """A login for one of these parties failed; without any, nobody has that user name."""
        self.observer.count("sign_ins", outcome=outcome)
        log.info("sign_in_failed", port=Port.SUBMISSION, parties=list(party_ids), outcome=outcome)

    @_harmless
    def report_ignored(self, outcome: str, item: Item | None) -> None:
        """A mail to a return path of ours that left nothing in the record."""
        self.observer.count("bounces", outcome=outcome)
        subject: Fields = {"id": item.message_id, "item": item.id} if item is not None else {}
        log.info("report_ignored", outcome=outcome, **subject)

    @_harmless
    def link_used(self, link: Link, outcome: str, choice: str) -> None:
        """A choice made by a signed link; `choice` is one of the purpose's, or ""."""
        subject: Fields = {"sender" if link.purpose is Purpose.SENDER else "id": link.subject_id}
        fields: Fields = {"choice": choice, "outcome": outcome, "party": link.party_id}
        log.info("link_used", purpose=link.purpose.name.lower(), **_filled(subject | fields))

    # ------------------------------------------------------------ one line each

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
    """Without what is empty: a line says what there is."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _code_class(code: str) -> str:
    """The class of an SQLSTATE ("53"), the primary name of an SQLite error ("SQLITE_BUSY")."""
    return "_".join(code.split("_")[:2]) if "_" in code else code[:2] if code[:1].isdigit() else code.lower()
