"""The text catalogues as packaged: `locale/LANGUAGE/LC_MESSAGES/relay.mo`, compiled from the `.po` beside it.

`core` says what it needs by key (`core.notice.texts`); this is where the words come from.
"""

import gettext
from importlib import resources

from relay.core.notice.texts import LANGUAGES, Catalogue, Translations


def load() -> Catalogue:
    """Reads every language now, so that a broken installation shows at start. The catalogue takes locales such as
    `ja`, `ja-JP` or `ja_JP`, and gives English where there is no such language."""
    by_language = {language: _read(language) for language in LANGUAGES}

    def translations(locale: str, /) -> Translations:
        return by_language[_language(locale)]

    return translations


def _language(locale: str) -> str:
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]


def _read(language: str) -> gettext.GNUTranslations:
    with resources.files("relay").joinpath("locale", language, "LC_MESSAGES", "relay.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
