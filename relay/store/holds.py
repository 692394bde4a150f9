"""Held mail and the words that move it: a person's about one message, the account owner's about a sender (R-SND-02)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from relay.core.model.event import Event, EventType
from relay.core.model.message import MessageState
from relay.core.model.sender import WORDS, SenderState
from relay.store.base import to_us
from relay.store.engine import Row, Work
from relay.store.events import EventVerbs
from relay.store.statements import spread, values

Data = dict[str, str | int]


class _Word(NamedTuple):
    """What a word does to a held item, and what it says of its message."""

    move: str
    """The statement; each moves an item only while it waits, so the first word counts and no other."""
    state: MessageState
    event: EventType


_RELEASED: Final = _Word("release_held", MessageState.QUEUED, EventType.RELEASED)
_RETURNED: Final = _Word("return_held", MessageState.RETURNED, EventType.RETURNED)
# Dispatch returns it, with the notice.
_REFUSED: Final = _Word("refuse_held", MessageState.HELD, EventType.MARKED)


class HoldVerbs(EventVerbs):
    async def release_hold(self, message_id: str, by: str) -> bool:
        return await self._say(_RELEASED, message_id, {"by": by})

    async def return_hold(self, message_id: str, by: str) -> bool:
        return await self._say(_REFUSED, message_id, {"mark": "refused", "by": by})

    async def _say(self, word: _Word, message_id: str, data: Data) -> bool:
        def say() -> Work[bool]:
            held = yield self._sql["held"], (message_id,)
            return (yield from self._move_held(held, word, data)) > 0

        return await self._engine.write(say)

    def _resolve_held(self, sender_ids: Sequence[str], state: SenderState, data: Data) -> Work[None]:
        """Approval releases what waits for the senders, in the order it came, and nothing that waits for another word;
        a block returns all of theirs."""
        if state not in WORDS or not sender_ids:
            return
        held = yield spread(self._sql["held_of_senders"], (), sender_ids)
        data = {"sender": str(state.value), **data}
        if state is SenderState.BLOCKED:
            yield from self._move_held(held, _RETURNED, data)
        else:
            yield from self._move_held([row for row in held if row["awaits_sender"]], _RELEASED, data)

    def _move_held(self, held: Sequence[Row], word: _Word, data: Data) -> Work[int]:
        """Moves the items with their messages and an event each; how many. What is released to one recipient leaves
        one by one (see `claim`)."""
        now = self._clock.now()
        moved: list[str] = []
        last: dict[str, str] = {}
        for row in held:
            params: tuple[object, ...] = () if word is _RETURNED else (to_us(now),)
            if word is _RELEASED:
                params = (*params, last.get(row["recipient_id"]))
            if (yield self._sql[word.move], (row["id"], *params)):
                moved.append(row["message_id"])
                last[row["recipient_id"]] = row["id"]
        if moved:
            states = [(message_id, word.state.value) for message_id in moved]
            yield values(self._sql["settle_messages"], ("TEXT", "TEXT"), states)
            yield from self._write_events(
                [
                    Event(id=self._ids.new(), message_id=message_id, at=now, type=word.event, data=data)
                    for message_id in moved
                ]
            )
        return len(moved)
