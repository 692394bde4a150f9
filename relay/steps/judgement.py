"""What the first half of the flow yields: each recipient's outcome, before anything is written."""

from dataclasses import dataclass

from relay.core.identify import Writer
from relay.core.mail.head import Head
from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Facts
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action, Verdict
from relay.core.rewrite.plan import Rewritten
from relay.steps.gather import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMail:
    """A message that was read: its structure and what its header says."""

    root: Part
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A 5xx after DATA and no notice: nothing proves that the one who would read it wrote the mail, unless another
    recipient of the transaction does (`docs/decisions/0005-one-reply.md`). Or a 450: the writer's own program keeps
    the message until the quota's reset (R-POL-11)."""

    reason: Reason


QUOTAS = frozenset({ReasonCode.QUOTA_SELLER, ReasonCode.QUOTA_PAIR, ReasonCode.QUOTA_BUYER})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientResult:
    """One recipient's outcome. `rewritten` is there when the mail is to be relayed, now or after a hold. `merged_into`
    names the record of another recipient of the transaction that reaches the same mailbox (R-REW-05). Without outcome
    and merge it is the operator's mail. `reach` is a part of the answer to a check (R-POL-19)."""

    target: Target
    message_id: str
    facts: Facts | None = None
    writer: Writer | None = None
    outcome: Verdict | Refusal | None = None
    rewritten: Rewritten | None = None
    merged_into: str | None = None
    reach: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionResult:
    """All recipients' outcomes, in their order. `mail` is None when the message could not be read."""

    mail: ParsedMail | None
    judged: tuple[RecipientResult, ...]
    authentication: Authentication | None = None

    @property
    def rejects(self) -> bool:
        """Whether what is returned is said as 5xx in the dialogue and by no notice: the marketplace wants it so, and
        all recipients agree (`reject_at_data`)."""
        outcomes = [None if one.target.check else one.outcome for one in self.judged if one.merged_into is None]
        first_reasons = {
            outcome.reasons[0].code if isinstance(outcome, Verdict) and outcome.action is Action.RETURN else None
            for outcome in outcomes
        }
        return (
            len(first_reasons) == 1
            and None not in first_reasons
            and all(judged.target.marketplace.reject_at_data for judged in self.judged)
        )
