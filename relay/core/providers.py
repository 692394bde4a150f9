"""Lists the providers of mailboxes and mail servers whose names say nothing about a person, and finds them.

The word for the provider of a server, such as "google", stands in records and metrics. There are few such words, so
they can be labels of a metric. A word names a provider and never a host, so it may be shown to the other side of the
pair (R-OUT-03).
"""

from typing import Final

_MAILBOXES: Final = (
    # Mobile carriers
    *("docomo.ne.jp", "ezweb.ne.jp", "au.com", "softbank.jp", "softbank.ne.jp", "vodafone.ne.jp", "ymobile.ne.jp"),
    *("ymobile1.ne.jp", "y-mobile.ne.jp", "emobile.ne.jp", "willcom.com", "disney.ne.jp", "rakuten.jp"),
    # Internet providers in Japan
    *("nifty.com", "biglobe.ne.jp", "ocn.ne.jp", "so-net.ne.jp", "plala.or.jp", "dion.ne.jp", "jcom.home.ne.jp"),
    *("asahi-net.or.jp", "infoseek.jp", "excite.co.jp", "goo.jp"),
    # Mailboxes for everybody
    *("gmail.com", "googlemail.com", "yahoo.co.jp", "yahoo.com", "ymail.com", "myyahoo.com", "aol.com"),
    *("outlook.com", "outlook.jp", "hotmail.com", "hotmail.co.jp", "live.com", "live.jp", "msn.com"),
    *("icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "pm.me", "tuta.com", "tutanota.com"),
    *("gmx.de", "gmx.net", "gmx.com", "web.de", "t-online.de", "mail.com", "mail.ru", "yandex.ru", "yandex.com"),
    *("qq.com", "163.com", "126.com", "sina.com", "naver.com", "daum.net", "hanmail.net", "zoho.com", "fastmail.com"),
    *("orange.fr", "free.fr", "laposte.net", "libero.it", "comcast.net", "btinternet.com", "hey.com"),
)
MAILBOX_PROVIDERS: Final = frozenset(_MAILBOXES)
"""Domains at which anybody can get a mailbox."""

_SUFFIXES: Final[dict[str, str]] = {
    "docomo.ne.jp": "docomo",
    "ezweb.ne.jp": "au",
    "au.com": "au",
    "biglobe.ne.jp": "biglobe",
    "softbank.ne.jp": "softbank",
    "i.softbank.jp": "softbank",
    "softbank.jp": "softbank",
    "vodafone.ne.jp": "softbank",
    "disney.ne.jp": "softbank",
    "ymobile.ne.jp": "softbank",
    "ymobile1.ne.jp": "softbank",
    "y-mobile.ne.jp": "softbank",
    "emobile.ne.jp": "softbank",
    "willcom.com": "softbank",
    "rakuten.jp": "rakuten",
    "yahoo.co.jp": "yahoo_japan",
    "gmail.com": "google",
    "googlemail.com": "google",
    "google.com": "google",
    "outlook.com": "microsoft",
    "hotmail.com": "microsoft",
    "live.com": "microsoft",
    "live.jp": "microsoft",
    "outlook.jp": "microsoft",
    "icloud.com": "apple",
    "me.com": "apple",
    "mac.com": "apple",
    "yahoo.com": "yahoo",
    "yahoodns.net": "yahoo",
    "aol.com": "yahoo",
}
MAIL_DOMAINS: Final = MAILBOX_PROVIDERS | frozenset(_SUFFIXES)
"""Domains of providers, which stand unsealed in the store and in the log."""
_OF_CUSTOMERS: Final = ".mail.protection.outlook.com"
"""The end of the names of Microsoft's hosts whose first part is the domain of a customer, as in `shop-example`."""


def is_host_of_provider(name: str) -> bool:
    """Returns whether a host belongs to a listed provider and is not named after a customer."""
    return host_class(name) not in {"", "other"} and not name.lower().rstrip(".").endswith(_OF_CUSTOMERS)


def host_class(name: str) -> str:
    """Returns the word for the provider of a host or a mailbox domain, such as "google".

    Returns "other" if the provider is unknown, and "" if `name` is "".
    """
    name = name.lower().rstrip(".")
    if not name:
        return ""
    labels = name.split(".")
    return next(
        (_SUFFIXES[suffix] for i in range(len(labels)) if (suffix := ".".join(labels[i:])) in _SUFFIXES), "other"
    )
