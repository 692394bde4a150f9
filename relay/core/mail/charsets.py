"""Charsets by the names that mail gives them, with what mail programs take them for: often a superset, as the WHATWG
Encoding Standard has it.
"""

import re
from encodings.aliases import aliases
from typing import Final

_AS_SENT: Final = {
    "ascii": "",  # whatever is sent under this name that is not ASCII, the name does not tell
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "windows_874": "cp874",
    "koi8_u": "koi8_u",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "x_euc_jp": "euc_jp",
    "iso2022_jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "euc_kr": "cp949",
    "csunicode11utf7": "utf_7",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_2_0_utf_7": "utf_7",
    "cp875": "cp875",
    "ibm875": "cp875",
    "ibm01140": "cp1140",
    "ibm1047": "cp037",  # the same but for brackets and the like
    "cp1047": "cp037",
}
_PUNCTUATION: Final = re.compile(r"[^a-z0-9]+")
# Only names from here are ever looked up: a look-up of a strange name imports files and is remembered for ever.
_CODECS: Final = {
    _PUNCTUATION.sub("_", name): _AS_SENT.get(codec, codec)
    for name, codec in (aliases | {codec: codec for codec in aliases.values()}).items()
    if not codec.endswith("_codec") and codec not in {"rot_13", "mbcs", "tactis"}
} | _AS_SENT


def codec_of(charset: str) -> str:
    """Python's name of the codec to read a charset with; "" for ASCII and for a name that nobody knows."""
    return _CODECS.get(_PUNCTUATION.sub("_", charset.lower()).strip("_"), "")
