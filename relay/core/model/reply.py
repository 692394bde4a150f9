"""An SMTP reply of this server."""

from dataclasses import dataclass

from relay.core.model.reason import ReasonCode


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply; `text` is one line of printable ASCII, `enhanced` a code of RFC 3463."""

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
        """The reply for a reason that has SMTP numbers. Raises ValueError for any other."""
        if code.smtp is None:
            raise ValueError(f"{code} refuses nothing")
        return cls(code.smtp.code, code.smtp.enhanced, text)
