"""Writes the header, the footer and the times of each mail that the relay writes itself (notices and letters).

Such a mail has no To field and no signature yet. Both are added when it is delivered, with the null reverse-path as its
sender (R-OUT-07).
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
    """Returns a writer's Message-ID (without angle brackets) if it may be used in a header field, else ""."""
    return given if _MESSAGE_ID.match(given) else ""


def header(marketplace: Marketplace, at: datetime, own_id: str, subject: str, answered_id: str | None = None) -> bytes:
    """Returns the header fields of a mail of the relay, except To and the fields that describe the body.

    `own_id` is the Message-ID of the mail. `answered_id` is the Message-ID of the message that the mail is about
    (RFC 3834 §3.1.3); it is "" if that message has none, and None if the mail is about no single message. Both have no
    angle brackets.
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
    """Returns the text of a mail: the blocks that are not empty, with an empty line between them, then the footer."""
    footer = text(translations, "footer", {"marketplace": marketplace.name, "help_url": marketplace.help_url})
    return "\n\n".join([*filter(None, blocks), f"-- \n{footer}"]) + "\n"


def moment(at: datetime, policy: Policy) -> str:
    """Returns a time as people read it, in the policy's time zone, such as "2026-11-23 10:00 JST"."""
    return at.astimezone(ZoneInfo(policy.hours.time_zone)).strftime("%Y-%m-%d %H:%M %Z")
