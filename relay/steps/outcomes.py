"""The possible outcomes for the recipients of one transaction, one type for each, before anything is written.

The rules that concern several recipients are here too: shared quotas, merged copies, and one 450 for all (R-IN-05,
R-REW-05, R-POL-11). `relay.flow.judge` makes the outcomes; `relay.flow.reply`, `relay.steps.record` and `relay
simulate` match on them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from relay.core.identify import Writer
from relay.core.mail.head import Automatic, Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Facts, Proof
from relay.core.model.message import Incoming
from relay.core.model.reason import Reason, ReasonCode
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
    `automatic` takes the null sender of the envelope into account, which `head.automatic` does not.
    """

    root: Part
    head: Head
    automatic: Automatic
    authentication: Authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict about the message for one recipient, with the values on which it is based."""

    recipient: PartyRecipient
    mail: ParsedMail
    facts: Facts
    writer: Writer
    verdict: Verdict

    @property
    def waits_for_owner(self) -> bool:
        """Returns whether the mail is held until the owner of the writer's account decides (R-SND-02, R-IN-09)."""
        return self.verdict.action is Action.HOLD and not self.writer.registered

    @property
    def has_reader(self) -> bool:
        """Returns whether a notice about this mail is sent to the person who wrote it, and not to a victim of a forger.

        It is True if the writer is registered, has logged in, or has proven to be the party that the alias stands for.
        """
        writer = self.writer
        return writer.registered or writer.proof is Proof.LOGIN or writer.role is self.facts.to

    def warned_of(self, rewritten: Rewritten) -> "Judgement":
        """Returns the judgement with a warning for the writer if the rewrite has removed a link (R-REW-01)."""
        verdict = self.verdict
        if verdict.kept is not None or not rewritten.has_removed_link:
            return self
        warned = replace(
            verdict,
            warnings=(Reason(code=ReasonCode.LINK_REMOVED), *verdict.warnings),
            notify=verdict.notify or self.mail.automatic is Automatic.NO,
        )
        return replace(self, verdict=warned)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    judgement: Judgement

    @property
    def recipient(self) -> PartyRecipient:
        return self.judgement.recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed(_Judged):
    """The mail is sent to the other side, now or at `verdict.not_before`.

    `uses` are the quota counts that it uses up.
    """

    rewritten: Rewritten
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(_Judged):
    """The mail waits for a decision or for a time, and is already rewritten for the other side.

    `uses` are the quota counts that it uses up on the day on which it is sent.
    """

    rewritten: Rewritten
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted(_Judged):
    """A buyer's question about an order that the operator fulfils.

    The operator gets the message as it was received, at once or after a hold (R-POL-13). `uses` are the counts of the
    writer's limits that it uses up (R-IN-06).
    """

    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(_Judged):
    """The mail is recorded and not delivered. `uses` are the counts of the writer's limit on returned mail."""

    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(_Judged):
    """The mail was sent to `check+ALIAS`: the relay answers with a notice and relays nothing (R-POL-19).

    `reach` is the answer to a registered seller whether the buyer may be written to; it is None for every other writer.
    `uses` are the counts of the writer's limit on checks.
    """

    reach: Standing | None
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The SMTP server answers this recipient with 5xx, and the writer gets no notice.

    There is no notice because it would be sent to an address that is not proven to have written the mail. Only if the
    writer is proven for another recipient of the transaction, a notice is sent (`docs/decisions/0005-one-reply.md`). If
    a quota is used up the answer is 450, because the client then keeps the message until the reset of the quota
    (R-POL-11).

    `uses` are the counts of the writer's limit on such mail; only mail from a client with a login has any. `is_kept`
    means that the content is kept for a short time, because the From address is neither proven nor listed (R-REC-01).
    """

    recipient: Recipient
    reason: Reason
    uses: tuple[Use, ...] = ()
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A message with the same signature was sent to the same alias before (R-IN-09).

    The record of the earlier message has the id `of`. This message is recorded and not delivered again. The client gets
    250, because it may not have received the first answer.
    """

    recipient: PartyRecipient
    writer: Writer
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForOperator:
    """Mail to `postmaster@` or `abuse@`, which is sent to the operator as it was received (R-IN-10).

    `uses` are the counts of the client's limits that it uses up (R-IN-06).
    """

    recipient: OperatorRecipient
    uses: tuple[Use, ...]


JudgedResult = Relayed | Held | Rerouted | Returned | Checked
DistinctResult = JudgedResult | Refused | Duplicate | ForOperator


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A further address whose mail the outcome `into` already covers (R-REW-05).

    The address has no record of its own, and gets the reply of `into`.
    """

    into: DistinctResult


RecipientResult = DistinctResult | Merged


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """The outcome for each address of `Incoming.rcpt_to`, in the same order.

    `mail` is None if the message could not be read; then each outcome is Refused, ForOperator or Merged.
    """

    mail: ParsedMail | None
    recipients: tuple[RecipientResult, ...]

    @property
    def rejects(self) -> bool:
        """Returns whether returned mail is answered with 5xx, so that no notice is needed.

        This requires that the marketplaces of all recipients have `reject_at_data` set, that all recipients return the
        mail for the same reason, and that the writer is proven. The reply to an unproven writer never names the reason;
        the owner of the account gets it by notice.
        """
        distinct = [one for one in self.recipients if not isinstance(one, Merged)]
        returned = [one for one in distinct if isinstance(one, Returned) and one.recipient.marketplace.reject_at_data]
        returned = [one for one in returned if one.judgement.writer.proof is not Proof.NONE]
        reasons = {one.judgement.verdict.reasons[0].code for one in returned}
        return len(returned) == len(distinct) and len(reasons) == 1


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """The outcome for the writer's own alias if the same transaction also names the other side's alias (R-REW-05).

    `of` is the recipient of the other side. The other side gets the mail itself, and the writer gets no copy of it.
    """

    of: RecipientKey


@dataclass(slots=True)
class ResultsInTransaction:
    """The outcomes of the transaction so far.

    `spent` has the counts that these outcomes use up, so that the quotas of the next recipient are reduced by them.
    """

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
        """Returns the merging of the writer's own alias into the other side's recipient.

        Returns None if the other side is not a recipient of the transaction. If a writer is listed on both sides of the
        pair, both aliases are the writer's own, and only the first is merged.
        """
        other = RecipientKey(recipient.pair.id, recipient.to.other, recipient.check)
        if other not in self.resolved.distinct or other in self._own_copies:
            return None
        return OwnCopy(other)

    def in_order(self, incoming: Incoming) -> tuple[RecipientResult, ...]:
        """Returns one outcome for each address of `incoming.rcpt_to`, in order; a repeated recipient becomes Merged."""
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
    """Returns the outcomes, all of them changed to a refusal with 450 if a quota holds the mail for every recipient.

    This applies only to sessions with a login, whose client keeps the message until the reset (R-POL-11).
    """
    if incoming.peer.login_party_id is None:
        return results
    over = {
        key: Refused(recipient=result.recipient, reason=reasons[0])
        for key, result in results.items()
        if isinstance(result, Held) and (reasons := result.judgement.verdict.reasons)[0].code in QUOTAS
    }
    return over if len(over) == len(results) else results
