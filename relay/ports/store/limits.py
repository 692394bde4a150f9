"""Opt-outs, quotas and misuse, and the notices that parties had lately."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.model.optout import OptOut
from relay.ports.record import Misuse, NoticeSent, OptOutChange, Restoration, Use


class OptOutStore(Protocol):
    """Opt-outs of buyers (R-POL-02)."""

    async def put(self, opt_out: OptOut, *, out: bool) -> None:
        """Sets the opt-out if `out`, else lifts it. Each call adds a line to the history."""
        ...

    async def in_force(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        """Returns the buyer's opt-outs in force that concern this seller's mail, in no order.

        Those from the mail of all sellers are included.
        """
        ...

    async def history(self, buyer_id: str) -> Sequence[OptOutChange]:
        """Returns every change of the buyer's opt-outs, the oldest first."""
        ...


class LimitStore(Protocol):
    """Quota use (R-POL-11), and the points that misuse of importance marks costs a seller (R-POL-06)."""

    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        """Returns how much of each quota is used, in the order of `uses`; 0 for a quota without use.

        The limits in `uses` are not read.
        """
        ...

    async def add_misuse(self, misuse: Misuse) -> bool:
        """Adds points. Returns False, and adds nothing, if the same message has cost points for this cause before."""
        ...

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse | Restoration]:
        """Returns the points and the restorations, oldest first."""
        ...

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        """Returns the points that were added at or after `since` and after the last restoration."""
        ...

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        """Adds a restoration by `by`: points that were added until now do not count any more."""
        ...


class NoticeLog(Protocol):
    """The notices that parties were sent, by topic, so that a similar notice is not sent again too soon."""

    async def add(self, sent: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        """Records that a party was sent a notice about a topic.

        Returns False, and records nothing, if the last one was sent at `unless_since` or later: of several nodes only
        one gets True.
        """
        ...

    async def last_at(self, party_id: str, topic: str) -> datetime | None:
        """Returns when the party was last sent a notice about the topic; None if it never was."""
        ...

    async def due_since(self, party_id: str, since: datetime) -> Mapping[str, datetime]:
        """Returns the notices to the party that were due or delivered after `since`, or will be due: time by item id.

        The time is that of the delivery for a delivered one, else that of the next attempt.
        """
        ...

    async def accepted_between(self, party_id: str, since: datetime, until: datetime) -> Mapping[str, datetime]:
        """Returns the notices to the party that were delivered after `since` and not after `until`: time by item id."""
        ...
