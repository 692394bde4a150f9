"""Writing events that belong neither to an acceptance nor to a settlement. They are reported after the commit."""

from collections.abc import Sequence
from functools import partial

from relay.core.model.event import Event
from relay.store.base import StorePart
from relay.store.contents import EVENT, event_row
from relay.store.engine import Work
from relay.store.statements import insert


class EventWriter(StorePart):
    def write(self, events: Sequence[Event]) -> Work[None]:
        yield from insert(EVENT, [event_row(event) for event in events])
        self._engine.after_commit(partial(self._event_log.happened, events))
