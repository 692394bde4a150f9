"""The ports of opt-outs, quotas, points of misuse, and the log of notices to parties."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.model.facts import QuotaScope
from relay.core.model.optout import OptOut
from relay.ports.record import OptOutChange
from relay.ports.usage import Misuse, NoticeSent, Restoration, Use


class OptOutStore(Protocol):
    """Opt-outs of buyers (R-POL-02)."""

    async def put(self, opt_out: OptOut, *, out: bool) -> None:
        """Sets the opt-out if `out` is True, and lifts it otherwise.

        Each call adds a line to the history, also a repeated one.
        """
        ...

    async def in_force(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        """Returns the opt-outs of the buyer that are in force and apply to this seller's mail, in no defined order.

        Opt-outs from the mail of all sellers are included.
        """
        ...

    async def history(self, buyer_id: str) -> Sequence[OptOutChange]:
        """Returns every change of the buyer's opt-outs, the oldest first."""
        ...


class LimitStore(Protocol):
    """The used part of quotas (R-POL-11), and the points that misused marks of importance cost a seller (R-POL-06)."""

    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        """Returns the present count of each counter, in the order of `uses`; 0 for a counter that was never used.

        `limit`, `amount` and `mark` of the uses are not read.
        """
        ...

    async def drop_counts(self, scopes: Sequence[QuotaScope], before: str) -> None:
        """Deletes the counters of these scopes whose subject ids sort before `before`, an ISO date."""
        ...

    async def add_misuse(self, misuse: Misuse) -> bool:
        """Adds points of misuse, and returns True.

        Returns False, and adds nothing, if points were added before for the same message and cause.
        """
        ...

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse | Restoration]:
        """Returns the added points and the restorations of a seller, the oldest first."""
        ...

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        """Returns the sum of the points that were added at or after `since` and after the last restoration."""
        ...

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        """Adds a restoration with the name `by`: no points that were added before the call count any more."""
        ...


class NoticeLog(Protocol):
    """The log of the notices to parties, by topic. With it a similar notice is not sent again too soon."""

    async def add(self, sent: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        """Records that a party was sent a notice about a topic, and returns True.

        With `unless_since` it returns False, and records nothing, if the last notice about the topic was sent at that
        time or later. If several nodes call it at the same time, only one of them gets True.
        """
        ...

    async def last_at(self, party_id: str, topic: str) -> datetime | None:
        """Returns the time of the last notice to the party about the topic, or None if there was none."""
        ...

    async def due_since(self, party_id: str, since: datetime) -> Mapping[str, datetime]:
        """Returns a time, by item id, for each notice to the party that was delivered or due after `since`.

        For a delivered notice this is the time of the delivery, and for any other notice the time of the next attempt.
        Notices whose next attempt is in the future are included.
        """
        ...

    async def accepted_between(self, party_id: str, since: datetime, until: datetime) -> Mapping[str, datetime]:
        """Returns the time of delivery of each notice to the party that was delivered in the interval, by item id.

        The interval begins after `since` and ends with `until`, which is included.
        """
        ...
