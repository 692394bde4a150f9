"""The `h=` lists with which providers and mail servers sign, as they stand in real mails or in public source code.

A mail's own list depends on the fields that it has: these are lists of mails with one recipient and, where the source
had one, of answers. Mails of NTT docomo, au and SoftBank with a signature were not found.
"""

from enum import Enum, auto
from typing import Final, NamedTuple


class Fate(Enum):
    """What becomes of the first mail from a registered address that names the alias in To, when SPF fails."""

    RELAYED = auto()
    DOMAIN = auto()
    """It waits until the owner has confirmed the signing domain once: To is not signed."""
    OWNER = auto()
    """It waits until the owner has confirmed the message: Subject, Date or Message-ID is not signed."""


class SignedList(NamedTuple):
    signer: str
    fields: str
    source: str
    fate: Fate


LISTS: Final = (
    SignedList(
        "Gmail",
        "to:subject:message-id:date:from:mime-version:from:to:cc:subject:date:message-id:reply-to",
        "a mail of January 2025 to linux-cifs@vger.kernel.org",
        Fate.RELAYED,
    ),
    SignedList(
        "Gmail before 2023",
        "to:subject:message-id:date:from:mime-version:from:to:cc",
        "a mail of August 2022 to linux-kernel@vger.kernel.org",
        Fate.RELAYED,
    ),
    SignedList(
        "Outlook.com",
        "From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-SenderADCheck",
        "mails of 2019 to 2026 on lists of freedesktop.org and osuosl.org, d=outlook.com",
        Fate.DOMAIN,
    ),
    SignedList(
        "Microsoft 365",
        "From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-SenderADCheck",
        "a mail in a public archive, d=armh.onmicrosoft.com",
        Fate.DOMAIN,
    ),
    SignedList(
        "Yahoo",
        "From:To:Cc:Subject:Date:In-Reply-To:References:From:Subject:Reply-To",
        "mails of 2022 and November 2025 to lists of kernel.org, d=yahoo.com",
        Fate.OWNER,
    ),
    SignedList(
        "Yahoo! JAPAN",
        "Date:From:Reply-To:To:Message-ID:Subject:MIME-Version:Content-Type:References",
        "a mail of February 2020 in a public archive, d=yahoo.co.jp",
        Fate.RELAYED,
    ),
    SignedList(
        "iCloud",
        "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:x-icloud-hme",
        "a mail of April 2026 to a list of kernel.org, d=icloud.com",
        Fate.RELAYED,
    ),
    SignedList(
        "Fastmail",
        "cc:cc:content-transfer-encoding:content-type:content-type:date:date:from:from:in-reply-to:in-reply-to:"
        "message-id:mime-version:references:reply-to:subject:subject:to:to",
        "mails of 2024 to 2026 to lists of kernel.org, d=fastmail.com",
        Fate.RELAYED,
    ),
    SignedList(
        "Proton",
        "Date:To:From:Subject:Message-ID:Feedback-ID:From:To:Cc:Date:Subject:Reply-To:Feedback-ID:Message-ID:"
        "BIMI-Selector",
        "a mail of April 2023 in a public repository's sample data, d=protonmail.com",
        Fate.RELAYED,
    ),
    SignedList(
        "Zoho",
        "From:From:To:To:Cc:Cc:Subject:Subject:Date:Date:Message-Id:Message-Id:In-Reply-To:References:MIME-Version:"
        "Content-Transfer-Encoding:Feedback-ID:Reply-To",
        "a mail of July 2025 to a list of kernel.org, d=zohomail.com",
        Fate.RELAYED,
    ),
    SignedList(
        "GMX",
        "X-UI-Sender-Class:Date:From:To:Cc:Subject",
        "a mail of March 2024 to a list of kernel.org, d=gmx.de",
        Fate.OWNER,
    ),
    SignedList(
        "WEB.DE",
        "X-UI-Sender-Class:Date:To:Cc:From:Subject",
        "a mail of February 2024 to a list of kernel.org, d=web.de",
        Fate.OWNER,
    ),
    SignedList(
        "mail.ru",
        "Content-Transfer-Encoding:MIME-Version:Message-ID:Date:Subject:Cc:To:From:From:Subject:Content-Type:"
        "Content-Transfer-Encoding:To:Cc",
        "a mail of March 2024 to a list of kernel.org, d=mail.ru",
        Fate.RELAYED,
    ),
    SignedList(
        "Yandex",
        "Message-ID:Date:Cc:Subject:To:From",
        "a mail of July 2026 in a public archive, d=yandex.ru",
        Fate.RELAYED,
    ),
    SignedList(
        "Amazon SES",
        "MIME-Version:Content-Type:Content-Transfer-Encoding:Subject:From:To:Date:Message-ID:Feedback-ID",
        "a mail of October 2019 to a list of kernel.org, d=amazonses.com",
        Fate.RELAYED,
    ),
    SignedList(
        "SendGrid",
        "from:reply-to:subject:mime-version:content-type:content-transfer-encoding:to:list-unsubscribe",
        "a public repository's sample data, d=sendgrid.net",
        Fate.OWNER,
    ),
    SignedList(
        "Mailgun",
        "Message-Id:Date:Subject:Cc:To:From:Sender",
        "a mail of April 2020 to linux-kernel@vger.kernel.org, d=mg.codeaurora.org",
        Fate.RELAYED,
    ),
    SignedList(
        "Postmark",
        "From:Date:Subject:Message-Id:To:References:In-Reply-To:MIME-Version:Content-Type",
        "a public repository's sample data of October 2022, d=pm.mtasv.net",
        Fate.RELAYED,
    ),
    SignedList(
        "Mailchimp",
        "Subject:From:Reply-To:To:Date:Message-ID:List-ID:List-Unsubscribe:Content-Type:MIME-Version",
        "a public repository's test data, d=mailchimpapp.net",
        Fate.RELAYED,
    ),
    SignedList(
        "Mandrill",
        "From:Subject:To:Cc:Message-Id:References:In-Reply-To:Date:MIME-Version:Content-Type:Content-Transfer-Encoding",
        "a mail of June 2019 to a list of kernel.org, d=mandrillapp.com",
        Fate.RELAYED,
    ),
    SignedList(
        "OpenDKIM's default",
        "from:reply-to:subject:date:to:cc:in-reply-to:references:list-id",
        "`dkim_should_signhdrs` in its source, libopendkim/dkim.c",
        Fate.OWNER,
    ),
    SignedList(
        "Rspamd's default",
        "from:from:reply-to:subject:subject:date:date:message-id:message-id:to:to:cc:mime-version:mime-version:"
        "content-type:content-type:content-transfer-encoding:content-transfer-encoding",
        "`default_sign_headers` in its source, src/plugins/dkim_check.c: (o) is signed once more than present, (x) also, "
        "where it is present",
        Fate.RELAYED,
    ),
    SignedList(
        "Exim's default",
        "From:Sender:Reply-To:Subject:Date:Message-ID:To:Cc:MIME-Version:Content-Type:Content-Transfer-Encoding:"
        "Content-ID:Content-Description:In-Reply-To:References",
        "`PDKIM_DEFAULT_SIGN_HEADERS` in its source, src/pdkim/pdkim.h",
        Fate.RELAYED,
    ),
)


def oversigns(one: SignedList) -> bool:
    """Whether nobody can add a Subject, Date or Message-ID to a mail that is signed so."""
    signed = one.fields.lower().split(":")
    return all(signed.count(name) > 1 for name in ("subject", "date", "message-id"))
