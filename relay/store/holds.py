"""Decisions about held mail: of a person about one message, or of the account owner about a sender (R-SND-02)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from relay.core.model.event import Event, EventType, HoldData, Mark, MarkData
from relay.core.model.item import Hold
from relay.core.model.message import MessageState
from relay.core.model.sender import DECIDED_STATES, SenderState
from relay.ports import HeldMessage
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.engine import Row, Work
from relay.store.events import EventWriter
from relay.store.records import summary_of
from relay.store.statements import spread, values


class _Decision(NamedTuple):
    """The effect of a decision: the SQL statement for the item, and the message's new state and event."""

    move: str
    """The name of the SQL statement.

    It changes an item only if it is held, so that only the first decision has an effect.
    """
    state: MessageState
    event: EventType


_RELEASED: Final = _Decision("release_held", MessageState.QUEUED, EventType.RELEASED)
_RETURNED: Final = _Decision("return_held", MessageState.RETURNED, EventType.RETURNED)
# The worker then returns the message with a notice.
_REFUSED: Final = _Decision("refuse_held", MessageState.HELD, EventType.MARKED)
# The worker then returns the message as it does after the end of a hold.
_GAVE_WAY: Final = _Decision("expire_held", MessageState.HELD, EventType.MARKED)


class SqlHolds(StorePart):
    def __init__(self, base: Base, events: EventWriter) -> None:
        super().__init__(base)
        self._events = events

    async def held(
        self, marketplace_id: str | None = None, *, beside_senders: bool = False, limit: int = 1_000
    ) -> Sequence[HeldMessage]:
        wanted = (marketplace_id, int(beside_senders), limit)
        rows = await self._engine.read_bulk(self._sql["held_messages"], *wanted)
        return [
            HeldMessage(message=summary_of(row), hold=Hold(row["hold"]), until=from_us(row["due_at"])) for row in rows
        ]

    async def release(self, message_id: str, by: str) -> bool:
        return await self._decide(_RELEASED, message_id, HoldData(by=by))

    async def refuse(self, message_id: str, by: str) -> bool:
        return await self._decide(_REFUSED, message_id, MarkData(mark=Mark.REFUSED, by=by))

    async def _decide(self, decision: _Decision, message_id: str, data: HoldData | MarkData) -> bool:
        def write() -> Work[bool]:
            held = yield self._sql["held"], (message_id,)
            return (yield from self._move_held(held, decision, data)) > 0

        return await self._engine.write(write)

    def release_for_domain(self, party_id: str, domain_hash: bytes, by: str) -> Work[int]:
        """Releases the party's mail that waits only for the confirmation of a signing domain.

        The mail is released in the order of reception. Returns the number of messages.
        """
        held = yield self._sql["held_for_domain"], (party_id, domain_hash)
        return (yield from self._move_held(held, _RELEASED, HoldData(by=by)))

    def resolve(self, sender_ids: Sequence[str], state: SenderState, by: str | None) -> Work[None]:
        """Releases or returns the held mail of senders whose state has changed, in the same transaction.

        APPROVED releases the mail that waits only for the decision about the sender, in the order of reception; mail
        that waits for another decision stays held. BLOCKED returns all held mail. Other states change nothing.
        """
        if state not in DECIDED_STATES or not sender_ids:
            return
        held = yield spread(self._sql["held_of_senders"], (), sender_ids)
        data = HoldData(sender=state.value)
        if by is not None:
            data["by"] = by
        if state is SenderState.BLOCKED:
            yield from self._move_held(held, _RETURNED, data)
        else:
            yield from self._move_held([row for row in held if row["awaits_sender"]], _RELEASED, data)

    def refuse_all(self, sender_ids: Sequence[str], by: str) -> Work[None]:
        """Marks the held mail of these senders as refused, so that the worker returns it with a notice."""
        if sender_ids:
            held = yield spread(self._sql["held_of_senders"], (), sender_ids)
            yield from self._move_held(held, _REFUSED, MarkData(mark=Mark.REFUSED, by=by))

    def give_way(self, sender_ids: Sequence[str]) -> Work[None]:
        """Ends the holds of the senders' mail now, so that the mail is returned as if nobody had decided in time."""
        if sender_ids:
            held = yield spread(self._sql["held_of_senders"], (), sender_ids)
            yield from self._move_held(held, _GAVE_WAY, MarkData(mark=Mark.GAVE_WAY))

    def _move_held(self, held: Sequence[Row], decision: _Decision, data: HoldData | MarkData) -> Work[int]:
        """Changes the state of the items and their messages, adds an event for each message, and returns their number.

        Each item that is released to one recipient refers to the item that was released before it, so that
        `QueueStore.claim` leases them one by one.
        """
        now = self._clock.now()
        moved: list[str] = []
        last: dict[str, str] = {}
        for row in held:
            params: tuple[object, ...] = () if decision is _RETURNED else (to_us(now),)
            if decision is _RELEASED:
                params = (*params, last.get(row["recipient_id"]))
            if (yield self._sql[decision.move], (row["id"], *params)):
                moved.append(row["message_id"])
                last[row["recipient_id"]] = row["id"]
        if moved:
            states = [(message_id, decision.state.value) for message_id in moved]
            yield values(self._sql["settle_messages"], ("TEXT", "TEXT"), states)
            yield from self._events.write(
                [
                    Event(id=self._ids.new(), message_id=message_id, at=now, type=decision.event, data=data)
                    for message_id in moved
                ]
            )
        return len(moved)
