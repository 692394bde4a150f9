"""An SMTP reply of the relay to a client."""

from dataclasses import dataclass

from relay.core.model.reason import ReasonCode


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply of the relay.

    `code` is the reply code, such as 550. `enhanced` is the enhanced status code (RFC 3463), such as "5.7.1". `text` is
    one line of printable ASCII.
    """

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"

    @property
    def is_positive(self) -> bool:
        return self.code < 400

    @classmethod
    def refusing(cls, code: ReasonCode, text: str) -> "Reply":
        """Returns the reply that refuses a message for the reason `code`, with `text`.

        Raises ValueError if the reason has no SMTP codes.
        """
        if code.smtp is None:
            raise ValueError(f"{code} refuses nothing")
        return cls(code.smtp.code, code.smtp.enhanced, text)
