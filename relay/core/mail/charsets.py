"""Finds the codec with which mail programs read a charset.

Names are read as the WHATWG Encoding Standard says, by the table of `webencodings`: often as a superset of the named
charset, for example windows-31j for Shift_JIS. Names that the standard does not contain are looked up in Python's
codecs, or are listed here.
"""

import re
from encodings.aliases import aliases
from typing import Final

from webencodings import PYTHON_NAMES
from webencodings.labels import LABELS

_READ_AS: Final = {
    "gbk": "gb18030",  # the standard decodes both alike, but has two names for them
    "iso_2022_jp": "iso2022_jp_ext",  # with the half-width kana that the standard reads in it
    "utf_16le": "utf_16",  # mail has it in either byte order; the octets tell which
}
"""Codecs for encodings of the standard for which the codec of the same name is too narrow."""
_NO_CODEC: Final = frozenset({"replacement", "x-user-defined"})
"""Encodings of the standard by which a browser shows nothing of the text. Mail programs read what Python knows of them:
ISO-2022-KR and HZ."""
_NOT_IN_STANDARD: Final = {
    "utf_16le": "utf_16_le",  # its name tells the byte order
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "csunicode11utf7": "utf_7",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_2_0_utf_7": "utf_7",
    # EBCDIC, of which the standard has none
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
    """Returns the codec for an encoding of the standard."""
    folded = _folded(PYTHON_NAMES.get(name, name))
    return _READ_AS.get(folded) or aliases.get(folded, folded)


def _all_codecs() -> dict[str, str]:
    """Returns a dictionary from folded charset name to codec.

    Where the standard names a codec of Python, all of Python's names for it are read as the standard says. ASCII has
    "", because its name does not say how other octets that are sent under it are to be read.
    """
    python = {_folded(name): codec for name, codec in aliases.items()} | {codec: codec for codec in aliases.values()}
    standard = {_folded(label): _codec_of_encoding(name) for label, name in LABELS.items() if name not in _NO_CODEC}
    standard |= {codec: codec for codec in standard.values()} | _NOT_IN_STANDARD
    read_as = {python[name]: codec for name, codec in standard.items() if name in python} | {"ascii": ""}
    texts = {name: codec for name, codec in python.items() if not codec.endswith("_codec") and codec not in _NO_TEXT}
    return standard | {name: read_as.get(codec, codec) for name, codec in texts.items()}


_NO_TEXT: Final = frozenset({"rot_13", "mbcs", "tactis"})
_CODECS: Final = _all_codecs()
"""Only names from here are ever looked up: a look-up of a strange name imports files and is remembered for ever."""


def codec_of(charset: str) -> str:
    """Returns Python's name of the codec to read a charset with; "" for ASCII and for an unknown name."""
    return _CODECS.get(_folded(charset), "")
