"""Reads the relay's record from the store for the page of the demo. The lines for the page have no addresses."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.event import Event
from relay.core.model.message import MessageState
from relay.ports import MessageSummary, Store, StoredMessage

_FINAL = frozenset({MessageState.ACCEPTED, MessageState.BOUNCED, MessageState.RETURNED, MessageState.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """One message of the record.

    `author` and `recipient` are external references, "" if the pair is not known. `reasons` are reason codes. Each text
    in `changes` names a change of the rewrite with its place and its cause.
    """

    id: str
    received_at: datetime
    author: str
    recipient: str
    subject: str
    order: str
    state: MessageState
    action: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    events: tuple[Event, ...]

    @property
    def is_settled(self) -> bool:
        """Whether the state is final, or changes only by a person's decision."""
        return self.state in _FINAL or self.state is MessageState.HELD


async def newest_messages(store: Store, limit: int = 30) -> list[RecordLine]:
    """Returns the newest `limit` messages, the newest first."""
    summaries = await store.records.messages(limit=limit)
    return [await _record_line(store, summary) for summary in summaries]


async def _record_line(store: Store, summary: MessageSummary) -> RecordLine:
    pair = await store.pairs.get(summary.pair_id) if summary.pair_id else None
    role = summary.author_role
    stored = await store.records.message(summary.id)
    return RecordLine(
        id=summary.id,
        received_at=summary.received_at,
        author=pair.side(role).party.external_ref if pair and role else "",
        recipient=pair.side(role.other).party.external_ref if pair and role else "",
        subject=stored.subject if stored else "",
        order=summary.order_external_id or "",
        state=summary.state,
        action=summary.detail.action or "",
        reasons=summary.detail.reason_codes,
        changes=_changes(stored) if stored else (),
        events=tuple(stored.events) if stored else (),
    )


def _changes(stored: StoredMessage) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for change in stored.changes:
        text = f"{change.where or 'body'}: {change.what} ({change.why})"
        counts[text] = counts.get(text, 0) + 1
    return tuple(f"{text} ×{count}" if count > 1 else text for text, count in counts.items())
