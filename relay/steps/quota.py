"""The day's counters that a message uses up (R-POL-11). Their limits are in `relay.core.policy.rules.quotas`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from relay.core.identify import Writer
from relay.core.model import days
from relay.core.model.facts import Facts, QuotaScope, Usage
from relay.core.model.pair import Pair
from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.rules import quotas
from relay.ports import Store, Use

QUOTAS: Final = frozenset({ReasonCode.QUOTA_SELLER, ReasonCode.QUOTA_PAIR, ReasonCode.QUOTA_BUYER})
_NOTHING_SPENT: Final[Counter[Use]] = Counter()
_DAYS_AHEAD: Final = range(1, 15)


def counters(pair: Pair, policy: Policy, at: datetime) -> tuple[Use, Use, Use, Use]:
    """Returns the counters of that day for the seller's mail to this buyer, in the order of `QuotaScope`."""
    day = days.day_of(at, policy).isoformat()
    seller_id = pair.seller.party.id
    return (
        Use(scope=QuotaScope.SELLER, subject_id=seller_id, day=day),
        Use(scope=QuotaScope.PAIR, subject_id=pair.id, day=day),
        Use(scope=QuotaScope.BUYER, subject_id=pair.buyer.party.id, day=day),
        Use(scope=QuotaScope.BYPASS, subject_id=seller_id, day=day),
    )


def uses(facts: Facts, writer: Writer, verdict: Verdict, policy: Policy, at: datetime) -> tuple[Use, ...]:
    """Returns the counters that a relayed or held message uses up, each once.

    A message that a quota holds counts on the day on which it leaves. A relayed one of a registered writer carries the
    limits, so that the store rejects it if a concurrent message took the last place.
    """
    leaves_at = (verdict.not_before or at) if verdict.action is Action.HOLD else at
    used = [use for use in counters(facts.pair, policy, leaves_at) if is_spent(verdict, use.scope)]
    if verdict.action is Action.RELAY and writer.registered:
        limits = quotas.limits(policy, facts.misuse)
        used = [replace(use, limit=limits[use.scope]) for use in used]
    return tuple(used)


def is_spent(verdict: Verdict, scope: QuotaScope) -> bool:
    """Returns whether a message with this verdict counts in the scope."""
    return verdict.bypass if scope is QuotaScope.BYPASS else verdict.counted


def of_counters(numbers: Mapping[Use, int]) -> Usage:
    """Returns the numbers of the four counters of one day as one value."""
    return Usage(**{use.scope.value: number for use, number in numbers.items()})


async def usage(store: Store, pair: Pair, policy: Policy, at: datetime, spent: Counter[Use] = _NOTHING_SPENT) -> Usage:
    """Returns the state of that day's counters; `spent` is added to the stored numbers."""
    counted = counters(pair, policy, at)
    used = await store.limits.used(counted)
    return of_counters({use: number + spent[use] for number, use in zip(used, counted, strict=True)})


async def usage_ahead(
    store: Store, pair: Pair, policy: Policy, now: datetime, spent: Counter[Use]
) -> tuple[Usage, ...]:
    """Returns the counters of the next fourteen days, tomorrow first."""
    return tuple([await usage(store, pair, policy, now + timedelta(days=ahead), spent) for ahead in _DAYS_AHEAD])
