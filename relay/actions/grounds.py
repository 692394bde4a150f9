"""The grounds on which staff read what is private: the texts of messages and real addresses (R-REC-06)."""

from dataclasses import dataclass
from typing import Final

from relay.actions.actor import InvalidValueError
from relay.core import redact

_LONGEST_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """`case` is the id of the case for which something is read, `reason` says in words why."""

    case: str
    reason: str

    def recorded(self) -> "Grounds":
        """Returns both as a record may keep them: without addresses, and cut at a length that a record may have.

        Raises InvalidValueError if one is empty.
        """
        for field, text in (("case", self.case), ("reason", self.reason)):
            if not text.strip():
                raise InvalidValueError(field, "this is read for a dispute: {field} must say for which, or why")
        return Grounds(case=plain(self.case), reason=plain(self.reason))


def plain(text: str) -> str:
    """Returns the text without addresses, cut at a length that a record may have."""
    return redact.addresses(redact.clip(text.strip(), _LONGEST_TEXT), set())
