"""The quotas and limits that a message uses up (R-POL-11), as counters of the store.

The limits of the counters are in `relay.core.policy.rules.quotas` and `relay.core.policy.rules.probing`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from relay.core import keyed
from relay.core.identify import Writer
from relay.core.mail.mime import body_start
from relay.core.model import days
from relay.core.model.facts import Facts, QuotaScope, Usage
from relay.core.model.message import Incoming
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.rules import quotas
from relay.ports import SecretStore, Store, Use
from relay.steps import pace

OF_WRITER: Final = frozenset({ReasonCode.QUOTA_SELLER, ReasonCode.QUOTA_RETURNED, ReasonCode.QUOTA_CHECKS})
"""The reasons for quotas that count a writer's mail to all recipients together."""
QUOTAS: Final = OF_WRITER | {ReasonCode.QUOTA_PAIR, ReasonCode.QUOTA_BUYER}
_MARK_BYTES: Final = 16
_NOTHING_SPENT: Final[Counter[Use]] = Counter()
_DAYS_AHEAD: Final = range(1, 15)


def counters(pair: Pair, policy: Policy, at: datetime) -> tuple[Use, Use, Use, Use]:
    """Returns the four counters for the seller's mail to this buyer on the day of `at`.

    They are in the order of `QuotaScope`.
    """
    day = days.day_of(at, policy).isoformat()
    seller_id = pair.seller.party.id
    return (
        Use(scope=QuotaScope.SELLER, subject_id=seller_id, day=day),
        Use(scope=QuotaScope.PAIR, subject_id=pair.id, day=day),
        Use(scope=QuotaScope.BUYER, subject_id=pair.buyer.party.id, day=day),
        Use(scope=QuotaScope.BYPASS, subject_id=seller_id, day=day),
    )


def uses(facts: Facts, writer: Writer, verdict: Verdict, policy: Policy, at: datetime) -> tuple[Use, ...]:
    """Returns the counters that a relayed or held message uses up, each of them once.

    A message that is held counts on the day on which it is sent. The counters for a relayed message of a registered
    writer have their limits set, so that the store refuses the message if a concurrent one took the last place.
    """
    of_pair = pace.uses(facts, policy, at, is_relayed=verdict.action is Action.RELAY) if writer.registered else ()
    if not (verdict.counted or verdict.bypass):
        return of_pair
    leaves_at = (verdict.not_before or at) if verdict.action is Action.HOLD else at
    used = [use for use in counters(facts.pair, policy, leaves_at) if is_spent(verdict, use.scope)]
    if verdict.action is Action.RELAY and writer.registered:
        limits = quotas.limits(policy, facts.misuse)
        used = [replace(use, limit=limits[use.scope]) for use in used]
    return (*used, *of_pair)


def probe_counters(writer_key: str, policy: Policy, at: datetime) -> tuple[Use, Use]:
    """Returns two counters of the writer: verdicts on mail that was not relayed, by day, and checks, by hour."""
    day = days.day_of(at, policy).isoformat()
    return (
        Use(scope=QuotaScope.RETURNED, subject_id=writer_key, day=day, limit=policy.quotas.returned_per_day),
        Use(
            scope=QuotaScope.CHECKS,
            subject_id=writer_key,
            day=days.hour_of(at),
            limit=policy.quotas.checks_per_hour,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The values of a returned, checked or refused message by which it is counted."""

    writer_key: str
    pair_id: str
    to: Role
    from_address: str
    is_check: bool
    subject: str = ""
    tag: str = ""


def probed(facts: Facts, subject: str = "") -> Probed:
    return Probed(
        writer_key=facts.writer_key,
        pair_id=facts.pair.id,
        to=facts.to,
        from_address=facts.from_address,
        is_check=facts.is_check,
        subject=subject,
        tag=facts.tag,
    )


def probe_uses(secrets: SecretStore, incoming: Incoming, mail: Probed, policy: Policy) -> tuple[Use, ...]:
    """Returns the counters of the writer's limits that a returned, checked or refused message uses up.

    The same mail to the same side counts once a day, even if a server or a mail program changes its header fields.
    """
    content, key = incoming.content, secrets.get("probe")
    hashed = hashlib.blake2b(content[body_start(content) :], key=key, digest_size=_MARK_BYTES).hexdigest()
    judged = (mail.from_address, mail.subject, mail.tag, hashed)
    mark = keyed.tag(key, "mail", mail.pair_id, mail.to, *judged, size=_MARK_BYTES)
    day, hour = probe_counters(mail.writer_key, policy, incoming.received_at)
    counted = (day, hour) if mail.is_check else (day,)
    return (replace(counted[0], mark=keyed.base32hex(mark)), *counted[1:])


def is_spent(verdict: Verdict, scope: QuotaScope) -> bool:
    """Returns whether a message with this verdict counts towards the quota with this scope."""
    return verdict.bypass if scope is QuotaScope.BYPASS else verdict.counted


def of_counters(numbers: Mapping[Use, int]) -> Usage:
    """Returns the counts of counters as one value; the counts of one scope are added."""
    totals: Counter[str] = Counter()
    for use, number in numbers.items():
        totals[use.scope.value] += number
    return Usage(**totals)


async def usage(store: Store, counted: Sequence[Use], spent: Counter[Use] = _NOTHING_SPENT) -> Usage:
    """Returns the present counts of these counters, with `spent` added to the stored counts.

    Raises UnavailableError.
    """
    used = await store.limits.used(counted)
    return of_counters({use: number + spent[use] for number, use in zip(used, counted, strict=True)})


async def usage_ahead(
    store: Store, pair: Pair, policy: Policy, now: datetime, spent: Counter[Use]
) -> tuple[Usage, ...]:
    """Returns the counts for the next fourteen days, tomorrow first. Raises UnavailableError."""
    coming = [counters(pair, policy, now + timedelta(days=ahead)) for ahead in _DAYS_AHEAD]
    return tuple([await usage(store, counted, spent) for counted in coming])
