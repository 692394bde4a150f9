"""Composes the replies of the relay's SMTP server.

A reply is English and ASCII. It has the text of its reason (`ReasonCode.summary`), then the code of the reason in
brackets, as in the record and in notices (R-POL-16). The reply for `address_unknown` is the same, byte for byte, for an
alias that does not exist and for a stranger who writes to an alias that exists (R-ADR-07). So this reply never contains
the id of a record.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.reply import Reply
from relay.core.model.verdict import Action, Verdict

_UNPROVEN: Final = (
    "if that address is registered here, its owner has been asked and can still let it through; otherwise it is not "
    "passed on"
)
"""The text is the same for every address, because it must not show whether a party lists the address (R-IN-09)."""
_LONGEST: Final = 490
"""The most characters of a text. A reply line has at most 512 octets with its codes and CRLF (RFC 5321 §4.5.3.1.5)."""


def reply(
    code: ReasonCode, marketplace: Marketplace | None, *, record_id: str | None = None, detail: str = ""
) -> Reply:
    """Returns the reply that refuses a message for a reason, with the marketplace's help page if there is space.

    `marketplace` is None if the reply concerns no marketplace. `record_id` is the id of the record, None if there is
    none. `detail` is a further text of the relay itself; it never contains a text of the client. Raises ValueError if
    the reason has no SMTP codes.
    """
    line = f"{code.summary}: {detail}" if detail else code.summary
    line = f"{line} ({code})"
    if record_id and code is not ReasonCode.ADDRESS_UNKNOWN:
        line = f"{record_id} {line}"
    if marketplace:
        help_line = f"{line}; see {_ascii(marketplace.help_url)}"
        line = help_line if len(help_line) <= _LONGEST else line
    return Reply.refusing(code, line)


def reply_for_refusal(reason: Reason, marketplace: Marketplace) -> Reply:
    """Returns the reply for a message that is refused without a record.

    The reply also contains the limit that the message exceeds, or the time from which it may be sent again. The other
    values of the reason are not shown, because some of them, such as the From address, come from the client.
    """
    values = dict(reason.values)
    detail = values.get("detail", "") if reason.code is ReasonCode.MALFORMED else ""
    if "limit_bytes" in values:
        detail = f"{values['limit_bytes']} bytes at most"
    if reason.code is ReasonCode.SENDER_UNPROVEN:
        detail = _UNPROVEN
    if "reset" in values:
        detail = f"again from {_minute(datetime.fromisoformat(values['reset']))}"
    return reply(reason.code, marketplace, detail=detail)


def reply_for_verdict(
    verdict: Verdict, record_id: str, marketplace: Marketplace, *, reject: bool | None = None
) -> Reply:
    """Returns the reply for a message that was recorded with this verdict.

    If `reject` is True, a message with the action RETURN gets a 5xx reply, and no notice is sent. If it is False, the
    message gets a 250 reply; this is needed if the verdicts for several recipients differ. None means the value of the
    marketplace's `reject_at_data`.
    """
    if verdict.action is Action.RELAY:
        return _taken("; ".join((f"{record_id} recorded and queued{_warning(verdict)}", *_outlook(verdict))))
    first = verdict.reasons[0]
    if verdict.action is Action.HOLD:
        until = f" until {_minute(verdict.disclosed_until)}" if verdict.disclosed_until else ""
        return _taken(f"{record_id} held{until}, {first.code.summary} ({first.code})")
    if marketplace.reject_at_data if reject is None else reject:
        return reply(first.code, marketplace, record_id=record_id)
    return _taken(
        f"{record_id} recorded, not delivered ({first.code})" + (", notice follows" if verdict.notify else "")
    )


def reply_for_duplicate(record_id: str) -> Reply:
    """Returns the reply for a message that was recorded but has the same signature as an earlier one (R-IN-09)."""
    return _taken(f"{record_id} recorded, not delivered ({ReasonCode.DUPLICATE})")


def _warning(verdict: Verdict) -> str:
    codes = ", ".join(dict.fromkeys(reason.code for reason in verdict.warnings))
    return f" (warning: {codes})" if codes else ""


def _outlook(verdict: Verdict) -> Iterator[str]:
    if verdict.disclosed_until:
        yield f"waits until {_minute(verdict.disclosed_until)}"
    if verdict.remaining is not None:
        yield f"{verdict.remaining} more today"


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _taken(line: str) -> Reply:
    return Reply(250, "2.0.0", line)


def _ascii(url: str) -> str:
    return "".join(c if "!" <= c <= "~" else "".join(f"%{byte:02X}" for byte in c.encode()) for c in url)
