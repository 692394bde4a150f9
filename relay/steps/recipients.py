"""What the recipients of one transaction have to do with each other: each is judged by itself, but nobody is served
twice, and all draw on the same quotas (R-IN-05, R-REW-05, R-POL-11)."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from relay.core.model.message import Incoming
from relay.core.model.party import Role
from relay.core.model.verdict import Verdict
from relay.ports import Use
from relay.steps.gather import Target, spends
from relay.steps.judgement import QUOTAS, RecipientResult, Refusal


@dataclass(slots=True)
class QuotaInTransaction:
    """What the recipients so far use up of quotas: the next one finds that much less (R-POL-11)."""

    uses: Counter[Use] = field(default_factory=Counter)
    served: set[tuple[str, Role]] = field(default_factory=set)

    def add(self, judged: RecipientResult, incoming: Incoming) -> None:
        facts, verdict = judged.facts, judged.outcome
        if facts is None or not isinstance(verdict, Verdict) or judged.target.check:
            return
        if (facts.pair.id, facts.to) not in self.served:  # a further copy will be merged
            self.served.add((facts.pair.id, facts.to))
            self.uses.update(spends(facts, verdict, incoming.received_at))


def merge_recipients(incoming: Incoming, judged: Sequence[RecipientResult]) -> tuple[RecipientResult, ...]:
    """The outcomes as they stand beside each other."""
    return tuple(_put_off(incoming, list(_merge_copies(judged))))


def _merge_copies(judged: Sequence[RecipientResult]) -> Iterator[RecipientResult]:
    """Yields the outcomes, with every further recipient that reaches the same mailbox as an earlier one merged into it
    (R-REW-05), so that one transaction is recorded, queued and delivered once for each. A party gets no copy of its own
    mail either, when the other side of the pair gets the mail itself."""
    first = {_reached(one.target): one.message_id for one in reversed(judged)}
    for one in judged:
        target = one.target
        into = first[_reached(target)]
        if target.pair and target.to and one.writer and one.writer.role is target.to:
            into = first.get((target.pair.id, target.to.other, target.check), into)
        merged = into != one.message_id
        yield RecipientResult(target=target, message_id=one.message_id, merged_into=into) if merged else one


def _reached(target: Target) -> Hashable:
    """A key that is equal for two recipients of a transaction that reach the same mailbox: the operator of one
    marketplace, or one side of a pair. A check reaches nobody, so it has a key of its own. Addresses of nobody are
    equal when only case or tag differ."""
    if target.is_operator:
        return target.marketplace.id
    if target.pair and target.to:
        return target.pair.id, target.to, target.check
    return target.marketplace.id, target.local_part, target.domain


def _put_off(incoming: Incoming, judged: Sequence[RecipientResult]) -> Sequence[RecipientResult]:
    """Over quota, a session with a login is told to come again, when that holds for each of its recipients: its
    program keeps the mail until the reset (R-POL-11). A check is answered at once."""
    if incoming.peer.login_party_id is None:
        return judged
    over = [
        not one.target.check
        and isinstance(one.outcome, Verdict)
        and one.outcome.reasons[:1]
        and one.outcome.reasons[0].code in QUOTAS
        for one in judged
        if one.merged_into is None
    ]
    if not all(over):
        return judged
    return [
        replace(one, outcome=Refusal(reason=one.outcome.reasons[0])) if isinstance(one.outcome, Verdict) else one
        for one in judged
    ]
