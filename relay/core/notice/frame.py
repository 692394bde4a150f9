"""The frame of every mail that the relay writes itself: header, footer, and times in the reader's time zone.

No letter has To or a signature yet: dispatch adds both, and sends it with the null sender (R-OUT-07).
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from relay.core.mail import date
from relay.core.mail.head import LOOP_MARK
from relay.core.model.marketplace import Marketplace
from relay.core.model.policy import Policy
from relay.core.notice import encode
from relay.core.notice.encode import field
from relay.core.notice.texts import Translations, text

_MESSAGE_ID: Final = re.compile(r"[!-;=?-~]{1,900}\Z")


def message_id(given: str) -> str:
    """Returns an author's Message-ID, without brackets, if it can stand in a header field of ours; else ""."""
    return given if _MESSAGE_ID.match(given) else ""


def header(marketplace: Marketplace, at: datetime, own_id: str, subject: str, answered_id: str | None = None) -> bytes:
    """Returns the header without the fields about the body.

    `answered_id` is the id of the message that the mail is about, "" if that message had none (RFC 3834 §3.1.3), None
    if the mail is about no message.
    """
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
        field(LOOP_MARK, marketplace.domain),
        field("MIME-Version", "1.0"),
    ]
    return b"".join(fields)


def page(blocks: Iterable[str], marketplace: Marketplace, translations: Translations) -> str:
    """Returns the blocks that are not empty, an empty line between them, and the footer."""
    footer = text(translations, "footer", {"marketplace": marketplace.name, "help_url": marketplace.help_url})
    return "\n\n".join([*filter(None, blocks), f"-- \n{footer}"]) + "\n"


def moment(at: datetime, policy: Policy) -> str:
    """Returns a time to the minute, in the marketplace's time zone."""
    return at.astimezone(ZoneInfo(policy.hours.time_zone)).strftime("%Y-%m-%d %H:%M %Z")
