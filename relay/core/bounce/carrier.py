"""Finds the provider of a mail server: a word for records and metrics, such as "google".

There are few such words, so they can be labels of a metric. A word names a provider and never a host, so it may be
shown to the other side of the pair (R-OUT-03).
"""

from typing import Final

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
