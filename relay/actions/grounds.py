"""The grounds on which staff read private data: the texts of messages and real addresses (R-REC-06)."""

from dataclasses import dataclass
from typing import Final

from relay.actions.actor import InvalidValueError
from relay.core import redact

_LONGEST_TEXT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The grounds for reading private data.

    `case` is the id of the case for which the data is read. `reason` is the reason in words.
    """

    case: str
    reason: str

    def recorded(self) -> "Grounds":
        """Returns the grounds in the form that a record may keep: without addresses, and cut to a fixed length.

        Raises InvalidValueError if the case or the reason is empty.
        """
        for field, text in (("case", self.case), ("reason", self.reason)):
            if not text.strip():
                raise InvalidValueError(field, "this is read for a dispute: {field} must say for which, or why")
        return Grounds(case=plain(self.case), reason=plain(self.reason))


def plain(text: str) -> str:
    """Returns the text without addresses, and cut to the length that a record may keep."""
    return redact.addresses(redact.clip(text.strip(), _LONGEST_TEXT), set())
