"""The effect that a policy would have on recorded mail (R-POL-15): each message is judged again, and nothing changes.

The parties, opt-outs and points of misuse are the present ones. The writer and the proof are taken from the record.
Quota use, the age of threads and open questions are simulated for each policy separately. Scanners are not asked again.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from relay.core.mail.head import Automatic
from relay.core.model.facts import Facts
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.decide import decide
from relay.ports import Store, StoredMessage, Use
from relay.steps import orders, quota
from relay.steps.reload import ReloadedMessage, reload_message

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The verdicts on one recorded message under the policy in force (`now`) and under the candidate (`then`).

    A verdict is None if the message cannot be judged again, because its text was deleted or it was refused.
    """

    message_id: str
    received_at: datetime
    now: Verdict | None
    then: Verdict | None

    @property
    def differs(self) -> bool:
        return self.now is not None and self.then is not None and _shape(self.now) != _shape(self.then)


@dataclass(slots=True)
class _Course:
    """The simulated state under one policy, after the messages that were judged so far."""

    policy: Policy
    used: Counter[Use] = field(default_factory=Counter)
    last_at: dict[tuple[str, str | None], datetime] = field(default_factory=dict)
    asked: dict[str, bool] = field(default_factory=dict)
    machines: dict[tuple[str, Role], list[datetime]] = field(default_factory=dict)

    def judge(self, recorded: ReloadedMessage) -> Verdict:
        incoming, writer, facts, policy = recorded.incoming, recorded.writer, recorded.facts, self.policy
        at, pair = incoming.received_at, facts.pair
        order_id = facts.order.id if facts.order else None
        counters = quota.counters(pair, policy, at)
        machines = self.machines.setdefault((pair.id, writer.role), [])
        facts = replace(
            facts,
            usage=quota.of_counters({use: self.used[use] for use in counters}),
            thread_last_at=self._thread_last_at(facts, at),
            open_question=facts.to is Role.BUYER and self.asked.get(pair.id, False),
            auto_replies_today=sum(at - one < _DAY for one in machines),
        )
        verdict = decide(incoming, recorded.head, recorded.root, facts, writer, policy, at)
        self.used.update(use for use in counters if quota.is_spent(verdict, use.scope))
        if verdict.action is not Action.RETURN:
            self.last_at |= {(pair.id, order_id): at, (pair.id, None): at}
            if facts.automatic in {Automatic.NO, Automatic.TYPED}:
                self.asked[pair.id] = writer.role is Role.BUYER and not verdict.to_operator
            elif facts.automatic is Automatic.REPLY:
                machines.append(at)
        return verdict

    def _thread_last_at(self, facts: Facts, now: datetime) -> datetime | None:
        pair_id = facts.pair.id
        if facts.order is not None:
            return self.last_at.get((pair_id, facts.order.id))
        ids = (None, *(order.id for order in facts.orders))
        times = {each: at for each in ids if (at := self.last_at.get((pair_id, each))) is not None}
        return orders.unnamed(facts.marketplace, self.policy, facts.orders, times, now)[1]


async def replay(
    store: Store, marketplace: Marketplace, candidate: Policy, since: datetime, until: datetime, now: datetime
) -> AsyncIterator[Replayed]:
    """Yields each message between two parties that was received in the given time, the oldest first.

    The time begins at `since`, and ends before `until`. Each message is judged under the policy in force at `now` and
    under the candidate. Raises UnavailableError.
    """
    courses = _Course(marketplace.policy_at(now)), _Course(candidate)
    async for message_id in store.records.ids_between(marketplace.id, since, until):
        stored = await store.records.message(message_id)
        if stored is not None:
            verdicts = await _judged(store, marketplace, stored, courses, now)
            yield Replayed(
                message_id=message_id, received_at=stored.summary.received_at, now=verdicts[0], then=verdicts[1]
            )


async def _judged(
    store: Store, marketplace: Marketplace, stored: StoredMessage, courses: tuple[_Course, _Course], now: datetime
) -> tuple[Verdict | None, Verdict | None]:
    recorded = await reload_message(store, marketplace, courses[0].policy, stored, now)
    if recorded is None:
        return None, None
    current, candidate = (course.judge(recorded) for course in courses)
    return current, candidate


def _shape(verdict: Verdict) -> tuple[object, ...]:
    """Returns the parts of a verdict by which two verdicts are compared."""
    return (
        verdict.action,
        tuple(reason.code for reason in verdict.reasons),
        tuple(reason.code for reason in verdict.warnings),
        tuple((strip.part, strip.start, strip.end) for strip in verdict.strips),
        verdict.to_operator,
    )
