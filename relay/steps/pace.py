"""The counters by which automatic replies are recognised and the mail of a pair is limited (R-POL-14).

They are counters of the store like those of the quotas, so that they hold for several processes. The id of each begins
with the date, so that old ones can be deleted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from relay.core import keyed
from relay.core.mail.head import Automatic
from relay.core.mail.quotes import WrittenTexts
from relay.core.model import days
from relay.core.model.facts import Facts, QuotaScope, ThreadRef
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.policy import automation
from relay.ports import SecretStore, Use

SCOPES: Final = (QuotaScope.PAIR_HOUR, QuotaScope.TEXT, QuotaScope.TYPED)
KEPT: Final = timedelta(days=30)
"""The time for which the counters are kept."""
_MARK_BYTES: Final = 16
_DAY: Final = timedelta(days=1)


class Marks(NamedTuple):
    """Keyed marks of a mail. `text` is for the text that its writer newly wrote, and `typed` for the mail it answers.

    `typed` begins with the date of that mail, and is set only for a mail that its header marks as generated. Each is ""
    if the mail has no such text, or answers no mail of the other side.
    """

    text: str = ""
    typed: str = ""


def marks(
    secrets: SecretStore,
    texts: WrittenTexts,
    marked: Automatic,
    pair: Pair,
    author: Role,
    refs: Sequence[ThreadRef],
    policy: Policy,
) -> Marks:
    """Returns the marks of a mail of the pair that `author` wrote; `marked` is the class that its header shows."""
    key, limits = secrets.get("pace"), policy.limits
    answered = automation.answered(refs, author)
    is_bulk = marked is Automatic.BULK
    text = ""
    if limits.repeated_text_bytes:
        text = automation.comparable(
            texts,
            shortest_bytes=limits.repeated_text_bytes,
            without_numbers=is_bulk and answered is not None,
        )
    return Marks(
        text=_mark(key, "text", pair.id, text) if text else "",
        typed=f"{_date(answered.at)} {_mark(key, 'typed', pair.id, author, answered.incoming_id)}"
        if is_bulk and answered is not None
        else "",
    )


def counters(pair: Pair, of_mail: Marks, at: datetime) -> tuple[Use, ...]:
    """Returns the counters that decide about a mail which was received at `at`.

    A text is looked for on the day of the mail and on the day before it.
    """
    times = (at, at - _DAY) if of_mail.text else ()
    return (_of_pair(pair, at), *(_of_text(of_mail.text, one) for one in times), *_of_typed(of_mail.typed))


def uses(facts: Facts, policy: Policy, at: datetime, *, is_relayed: bool) -> tuple[Use, ...]:
    """Returns the counters that a relayed or held mail of a registered writer uses up.

    The counter of the pair has its limit set for relayed mail, so that the store refuses the mail if a concurrent one
    took the last place.
    """
    limit = policy.limits.pair_per_hour if is_relayed else 0
    text = (_of_text(facts.text_mark, at),) if facts.text_mark else ()
    typed = _of_typed(facts.typed_mark) if facts.automatic is Automatic.TYPED else ()
    return (_of_pair(facts.pair, at, limit), *text, *typed)


def first_kept(now: datetime) -> str:
    """Returns the date of the oldest counters that are kept."""
    return _date(now - KEPT)


def _date(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _of_pair(pair: Pair, at: datetime, limit: int = 0) -> Use:
    hour = days.hour_of(at)
    return Use(scope=QuotaScope.PAIR_HOUR, subject_id=f"{hour} {pair.id}", day=hour, limit=limit)


def _of_text(mark: str, at: datetime) -> Use:
    day = _date(at)
    return Use(scope=QuotaScope.TEXT, subject_id=f"{day} {mark}", day=day)


def _of_typed(mark: str) -> tuple[Use, ...]:
    return (Use(scope=QuotaScope.TYPED, subject_id=mark, day=mark.partition(" ")[0]),) if mark else ()


def _mark(key: bytes, purpose: str, *parts: str) -> str:
    return keyed.base32hex(keyed.tag(key, purpose, *parts, size=_MARK_BYTES))
