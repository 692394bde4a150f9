"""The outcomes of one transaction's recipients before anything is written: one type for each.

The rules across recipients stand here too: shared quotas, merged copies, one 450 for all (R-IN-05, R-REW-05, R-POL-11).
`relay.flow.judge` makes the outcomes; `relay.flow.reply`, `relay.steps.record` and `relay simulate` match them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Facts, Proof
from relay.core.model.message import Incoming
from relay.core.model.reason import Reason
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action, Verdict
from relay.core.rewrite.plan import Rewritten
from relay.ports import Use
from relay.steps.quota import QUOTAS
from relay.steps.recipients import OperatorRecipient, PartyRecipient, Recipient, RecipientKey, ResolvedRecipients


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMail:
    """A message whose structure and header could be read.

    `root` and `head` lack the fields that have no effect because no signature covers them (`core.coverage`).
    `automatic` takes the null sender into account, which `head.automatic` does not.
    """

    root: Part
    head: Head
    automatic: Automatic
    authentication: Authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict about the mail for one recipient, with the values that it follows from."""

    recipient: PartyRecipient
    mail: ParsedMail
    facts: Facts
    writer: Writer
    verdict: Verdict

    @property
    def waits_for_owner(self) -> bool:
        """Whether the mail is held, and the owner of the writer's account must decide about it (R-SND-02, R-IN-09)."""
        return self.verdict.action is Action.HOLD and not self.writer.registered

    @property
    def has_reader(self) -> bool:
        """Whether a notice about this mail reaches its writer, and not somebody whom a stranger writes for.

        The writer is listed, has logged in, or wrote from an own address to the own alias.
        """
        writer = self.writer
        return writer.registered or writer.proof is Proof.LOGIN or writer.role is self.facts.to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    judgement: Judgement

    @property
    def recipient(self) -> PartyRecipient:
        return self.judgement.recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed(_Judged):
    """The mail goes to the other side, now or at `verdict.not_before`. `uses` is what it costs of the day's quotas."""

    rewritten: Rewritten
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(_Judged):
    """The mail waits for a decision or for a time, ready to go to the other side.

    `uses` counts on the day on which the mail leaves.
    """

    rewritten: Rewritten
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted(_Judged):
    """A buyer's question about an order that the operator fulfils.

    It goes to the operator as it was received, at once or after a hold (R-POL-13). `uses` is what it costs of the
    writer's limits (R-IN-06).
    """

    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(_Judged):
    """The mail is recorded and not delivered. `uses` is what it costs of the writer's limit on such mail."""

    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(_Judged):
    """The mail was sent to `check+ALIAS`: the answer is a notice, and nothing is relayed (R-POL-19).

    `reach` stands in the answer to a registered seller; it is None for everybody else. `uses` as in `Returned`.
    """

    reach: Standing | None
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The SMTP dialogue ends in 5xx without a notice.

    Nothing proves that the address which would get the notice wrote the mail, unless another recipient of the
    transaction does (`docs/decisions/0005-one-reply.md`). A used-up quota is a 450 instead: the client keeps the
    message until the quota's reset (R-POL-11). `uses` as in `Returned`; only mail of a login has any.

    `is_kept` means that the content is kept for a short time: that of mail whose From address is neither proven nor
    listed (R-REC-01).
    """

    recipient: Recipient
    reason: Reason
    uses: tuple[Use, ...] = ()
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The mail came before by the same signature, to the same alias; the record `of` has it (R-IN-09).

    It is recorded and not delivered again. The client gets 250: it may have lost the first answer.
    """

    recipient: PartyRecipient
    writer: Writer
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForOperator:
    """Mail to `postmaster@` or `abuse@`, which the operator gets as it was received (R-IN-10).

    `uses` is what it costs of the client's limits (R-IN-06).
    """

    recipient: OperatorRecipient
    uses: tuple[Use, ...]


JudgedResult = Relayed | Held | Rerouted | Returned | Checked
DistinctResult = JudgedResult | Refused | Duplicate | ForOperator


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A further address that `into` serves too (R-REW-05). It has no record of its own, and shares the reply."""

    into: DistinctResult


RecipientResult = DistinctResult | Merged


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """The outcome of each address of `Incoming.rcpt_to`, in the same order.

    `mail` is None when the message could not be read; then each outcome is Refused, ForOperator or Merged.
    """

    mail: ParsedMail | None
    recipients: tuple[RecipientResult, ...]

    @property
    def rejects(self) -> bool:
        """Whether returned mail is answered with 5xx and without a notice.

        The marketplaces of all recipients want it so (`reject_at_data`), and all recipients return the mail for the
        same reason. The writer is proven: the answer to all others names no reason, so the account's owner gets it.
        """
        distinct = [one for one in self.recipients if not isinstance(one, Merged)]
        returned = [one for one in distinct if isinstance(one, Returned) and one.recipient.marketplace.reject_at_data]
        returned = [one for one in returned if one.judgement.writer.proof is not Proof.NONE]
        reasons = {one.judgement.verdict.reasons[0].code for one in returned}
        return len(returned) == len(distinct) and len(reasons) == 1


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """The writer's own alias beside the alias of the other side, which is `of` (R-REW-05).

    The other side gets the mail itself, and the writer gets no copy of it.
    """

    of: RecipientKey


@dataclass(slots=True)
class ResultsInTransaction:
    """The results so far. `spent` holds the counters that they use up: the next recipient finds that much less."""

    resolved: ResolvedRecipients
    spent: Counter[Use] = field(default_factory=Counter)
    _results: dict[RecipientKey, DistinctResult] = field(default_factory=dict)
    _own_copies: dict[RecipientKey, RecipientKey] = field(default_factory=dict)

    def add(self, key: RecipientKey, result: DistinctResult | OwnCopy) -> None:
        if isinstance(result, OwnCopy):
            self._own_copies[key] = result.of
            return
        self._results[key] = result
        if isinstance(result, Relayed | Held | Returned | Checked | Refused):
            self.spent.update(result.uses)

    def own_copy(self, recipient: PartyRecipient) -> OwnCopy | None:
        """Returns how an alias is merged into the other side's recipient if it is the writer's own.

        None where the other side is no recipient of the transaction.

        Of the two aliases of somebody who is listed on both sides of a pair only the first is merged.
        """
        other = RecipientKey(recipient.pair.id, recipient.to.other, recipient.check)
        if other not in self.resolved.distinct or other in self._own_copies:
            return None
        return OwnCopy(other)

    def in_order(self, incoming: Incoming) -> tuple[RecipientResult, ...]:
        """Returns one result for each address of `incoming.rcpt_to`, with further addresses of a recipient merged."""
        results = _put_off(incoming, self._results)
        seen: set[RecipientKey] = set()
        ordered: list[RecipientResult] = []
        for key in self.resolved.keys:
            into = self._own_copies.get(key, key)
            is_merged = into != key or key in seen
            ordered.append(Merged(into=results[into]) if is_merged else results[key])
            seen.add(key)
        return tuple(ordered)


def _put_off(
    incoming: Incoming, results: Mapping[RecipientKey, DistinctResult]
) -> Mapping[RecipientKey, DistinctResult]:
    """Puts the mail off with 450 if a quota holds it for every recipient.

    This is for sessions with a login: their client keeps the message until the reset (R-POL-11).
    """
    if incoming.peer.login_party_id is None:
        return results
    over = {
        key: Refused(recipient=result.recipient, reason=reasons[0])
        for key, result in results.items()
        if isinstance(result, Held) and (reasons := result.judgement.verdict.reasons)[0].code in QUOTAS
    }
    return over if len(over) == len(results) else results
