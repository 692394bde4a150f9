"""The packaged text catalogues: `locale/LANGUAGE/LC_MESSAGES/relay.mo`, compiled from the `.po` files beside them.

`core.notice.texts` names the keys of the texts; this module loads the texts.
"""

import gettext
from importlib import resources

from relay.core.notice.texts import LANGUAGES, Catalogue, Translations


def load() -> Catalogue:
    """Reads the catalogues of all languages, so that a broken installation fails at start.

    The catalogue accepts locales such as `ja`, `ja-JP` or `ja_JP`, and uses English for an unknown language.
    """
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
