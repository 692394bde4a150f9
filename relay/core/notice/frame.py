"""What every mail of the relay's own has around its words: header, footer, times as its readers count them.

No letter has To or a signature: dispatch adds both, and sends it with the null sender (R-OUT-07).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from relay.core.mail import date
from relay.core.model.marketplace import Marketplace
from relay.core.model.policy import Policy
from relay.core.notice import encode
from relay.core.notice.encode import field
from relay.core.notice.texts import Translations, text

_MESSAGE_ID: Final = re.compile(r"[!-;=?-~]{1,900}\Z")


def message_id(given: str) -> str:
    """An author's id, without brackets, where it can stand in a header of ours; else ""."""
    return given if _MESSAGE_ID.match(given) else ""


def header(marketplace: Marketplace, at: datetime, own_id: str, subject: str, answered_id: str | None = None) -> bytes:
    """All but what says how the body is built. `answered_id`: the message that this is about, "" where it had no id
    (RFC 3834 §3.1.3), None where the letter is about none."""
    fields = [
        field("Date", date.write(at)),
        field("From", f"{encode.phrase(marketplace.name)} <mailer-daemon@{marketplace.domain}>"),
        field("Subject", encode.unstructured(subject)),
        field("Message-ID", f"<{own_id}>"),
    ]
    if answered_id and message_id(answered_id):
        fields += [field("In-Reply-To", f"<{answered_id}>"), field("References", f"<{answered_id}>")]
    fields += [
        field("Auto-Submitted", "auto-generated" if answered_id is None else "auto-replied"),  # RFC 3834 §5
        field("X-Auto-Response-Suppress", "All"),
        field("MIME-Version", "1.0"),
    ]
    return b"".join(fields)


def page(blocks: Iterable[str], marketplace: Marketplace, translations: Translations) -> str:
    """The blocks that hold anything, an empty line between them, and who wrote this below."""
    footer = text(translations, "footer", {"marketplace": marketplace.name, "help_url": marketplace.help_url})
    return "\n\n".join([*filter(None, blocks), f"-- \n{footer}"]) + "\n"


def moment(at: datetime, policy: Policy) -> str:
    """To the minute, in the marketplace's time zone."""
    return at.astimezone(ZoneInfo(policy.hours.time_zone)).strftime("%Y-%m-%d %H:%M %Z")
