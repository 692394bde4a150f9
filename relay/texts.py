"""Loading the text catalogues of the package: `locale/LANGUAGE/LC_MESSAGES/relay.po`.

The `.po` files are read at start, so that nothing has to be compiled after a change. `make catalogues` checks them.
"""

import gettext
import io
import re
import struct
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Final

from relay.core.notice.texts import LANGUAGES, Catalogue, Translations

_LINE: Final = re.compile(r'(?:(msgid|msgid_plural|msgstr)(?:\[\d\])? )?"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def load() -> Catalogue:
    """Returns the catalogue of all languages. All files are read now, so that a broken installation fails at start.

    The catalogue accepts locales such as `ja`, `ja-JP` or `ja_JP`, and has English for an unknown language. Raises
    ValueError for a broken file.
    """
    by_language = {language: _read(language) for language in LANGUAGES}

    def translations(locale: str, /) -> Translations:
        return by_language[_language(locale)]

    return translations


def messages(po: str) -> dict[str, tuple[str, ...]]:
    """Returns the texts of a `.po` file by their key. Texts that are still empty are left out.

    If a text depends on a number, its key is the singular key, a NUL and the plural key, and it has one text for each
    plural form of the language, as in gettext's binary format. The function reads comments, msgid, msgid_plural, msgstr
    and continued lines, because the catalogues use only these. Raises ValueError for any other line.
    """
    found: dict[str, tuple[str, ...]] = {}
    for entry in _entries(po):
        texts = tuple(text for keyword, text in entry if keyword == "msgstr")
        key = "\0".join(text for keyword, text in entry if keyword != "msgstr")
        if entry[0][0] != "msgid" or not texts or key in found:
            raise ValueError(f"a message without msgid or msgstr, or a second one with its key: {key!r}")
        if all(texts):
            found[key] = texts
    return found


def _entries(po: str) -> Iterator[list[tuple[str, str]]]:
    """Yields the entry of each message as a list of (keyword, text)."""
    entry: list[tuple[str, str]] = []
    for number, line in enumerate(po.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if not found or not (found[1] or entry):
            raise ValueError(f"line {number} is not a line of a catalogue")
        text = _ESCAPED.sub(lambda escaped: _ESCAPES[escaped[1]], found[2])
        if found[1] == "msgid" and entry:
            yield entry
            entry = []
        if found[1]:
            entry.append((found[1], text))
        else:
            entry[-1] = (entry[-1][0], entry[-1][1] + text)
    if entry:
        yield entry


def _language(locale: str) -> str:
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]


def _read(language: str) -> gettext.GNUTranslations:
    path = resources.files("relay").joinpath("locale", language, "LC_MESSAGES", "relay.po")
    return gettext.GNUTranslations(io.BytesIO(_compiled(messages(path.read_text(encoding="utf-8")))))


def _compiled(texts: Mapping[str, tuple[str, ...]]) -> bytes:
    """Returns the texts in gettext's binary format (GNU gettext manual, "The Format of GNU MO Files")."""
    pairs = [(key.encode(), "\0".join(forms).encode()) for key, forms in texts.items()]
    strings = [string for column in zip(*pairs, strict=True) for string in column]
    table, octets, start = b"", b"", 28 + 16 * len(pairs)
    for string in strings:
        table += struct.pack("<2I", len(string), start + len(octets))
        octets += string + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start) + table + octets
