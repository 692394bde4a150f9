"""Composes the replies of the SMTP dialogue.

They are English and ASCII: one text per reason (`ReasonCode.summary`), with the reason's word in brackets, as in the
record and in notices (R-POL-16). `Address unknown` is the same reply, byte for byte, for an alias that does not exist
and for a stranger who writes to an existing one (R-ADR-07), so it names no record.
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
"""The same for every address: it must not tell whether the address is on a list (R-IN-09)."""
_LONGEST: Final = 490
"""RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, code and CRLF included."""


def reply(
    code: ReasonCode, marketplace: Marketplace | None, *, record_id: str | None = None, detail: str = ""
) -> Reply:
    """Returns the refusal for a reason, with a link to help.

    `marketplace` is None if none is concerned; `detail` says more in words of the relay, never of the client.
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
    """Returns the reply for a message that is not taken: the limit that it exceeds, or when it may come again.

    Nothing else of a reason's values is shown, because From belongs to its writer.
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
    """Returns the reply for a recorded message.

    `reject`: a RETURN is answered with 5xx and without a notice; None means as the marketplace's `reject_at_data` says,
    False is for a transaction whose recipients do not all agree.
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
    """Returns the reply for a message that came before by the same signature (R-IN-09)."""
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
