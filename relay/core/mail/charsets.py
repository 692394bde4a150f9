"""Finds the codec with which mail programs decode a charset.

The names of charsets are looked up in the WHATWG Encoding Standard, in the table of the package `webencodings`. The
standard often decodes a superset of the charset: Shift_JIS, for example, as windows-31j. A name that is not in the
standard is looked up in a table of this module and among Python's codecs.
"""

import re
from encodings.aliases import aliases
from functools import lru_cache
from typing import Final

from webencodings import PYTHON_NAMES
from webencodings.labels import LABELS

_READ_AS: Final = {
    "gbk": "gb18030",  # the standard decodes both alike, but has two names for them
    "iso_2022_jp": "iso2022_jp_ext",  # it has the half-width kana that the standard also decodes
    "utf_16le": "utf_16",  # mail uses either byte order; the octets show which one
}
"""The codecs of some encodings of the standard. Python's codecs of the same names would decode too few texts."""
_NO_CODEC: Final = frozenset({"replacement", "x-user-defined"})
"""Encodings of the standard in which a browser shows no text.

ISO-2022-KR and HZ are two of their charsets. Python's codecs decode these two, because mail programs show their text.
"""
_NOT_IN_STANDARD: Final = {
    "utf_16le": "utf_16_le",  # the name says the byte order
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "csunicode11utf7": "utf_7",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_2_0_utf_7": "utf_7",
    # EBCDIC; the standard has no charset of this kind
    "cp875": "cp875",
    "ibm875": "cp875",
    "ibm01140": "cp1140",
    "ibm1047": "cp037",  # the same except for brackets and a few other signs
    "cp1047": "cp037",
}
_PUNCTUATION: Final = re.compile(r"[^a-z0-9]+")


def _folded(name: str) -> str:
    return _PUNCTUATION.sub("_", name.lower()).strip("_")


def _codec_of_encoding(name: str) -> str:
    """Returns Python's name of the codec for an encoding of the standard."""
    folded = _folded(PYTHON_NAMES.get(name, name))
    return _READ_AS.get(folded) or aliases.get(folded, folded)


def _all_codecs() -> dict[str, str]:
    """Returns Python's name of the codec for each known charset name, which is in lower case with `_` as punctuation.

    If the standard contains one of Python's names for a codec, all of Python's names for it get the codec that the
    standard says. ASCII gets "", because the name does not say how to decode octets that are not ASCII.
    """
    python = {_folded(name): codec for name, codec in aliases.items()} | {codec: codec for codec in aliases.values()}
    standard = {_folded(label): _codec_of_encoding(name) for label, name in LABELS.items() if name not in _NO_CODEC}
    standard |= {codec: codec for codec in standard.values()} | _NOT_IN_STANDARD
    read_as = {python[name]: codec for name, codec in standard.items() if name in python} | {"ascii": ""}
    texts = {name: codec for name, codec in python.items() if not codec.endswith("_codec") and codec not in _NO_TEXT}
    return standard | {name: read_as.get(codec, codec) for name, codec in texts.items()}


_NO_TEXT: Final = frozenset({"rot_13", "mbcs", "tactis"})
_CODECS: Final = _all_codecs()
"""The codec by charset name. Python gets only codec names from this table, because its look-up of an unknown name tries
to import a module and keeps the result for ever."""
_BY_LABEL: Final = {label: _CODECS.get(_folded(label), "") for label in LABELS}
"""The codecs of the names as they are usually written, so that these need not be folded."""


def decodes(octets: bytes, codec: str) -> bool:
    """Returns whether all octets are valid in the codec."""
    try:
        octets.decode(codec)
    except UnicodeError:
        return False
    return True


@lru_cache(maxsize=256)
def codec_of(charset: str) -> str:
    """Returns Python's name of the codec that decodes a charset; "" for ASCII and for an unknown name."""
    low = charset.lower()
    codec = _BY_LABEL.get(low)
    return _CODECS.get(_folded(low), "") if codec is None else codec
