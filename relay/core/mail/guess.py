"""Finds the charset of octets for which no charset, or an unknown charset, is declared.

The charsets are tried in the order of their certainty. First is UTF-8, because text in another charset is valid UTF-8
only by chance. Then come the charset of the mail's first text, the charsets of Japanese, and windows-1252. Japanese is
the only language of the catalogues that is written in several charsets. The charsets of Japanese and windows-1252 count
only if the result looks like text of the language. Otherwise there is no answer, because a wrong answer would make the
text unreadable for ever.
"""

import re
from typing import Final

from relay.core.mail import charsets

_ESCAPE: Final = b"\x1b$"
"""The octets by which ISO-2022-JP begins; old Japanese programs sent it without a charset."""
_JAPANESE: Final = (("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP"))
_SAMPLE: Final = 4_000
# Kana, the punctuation and full-width forms of Japanese, and kanji.
_JAPANESE_CHAR: Final = re.compile(
    "[\u3000-\u3020\u3041-\u30fe\u4e00-\u9fff\uff01-\uff5e\uffe5\u203b\u2026\u2192\u25a0-\u25ff]"
)
_RUN: Final = re.compile(f"{_JAPANESE_CHAR.pattern}{{2}}")
_KANA: Final = re.compile("[\u3041-\u30fe]")
_KANJI: Final = re.compile("[\u4e00-\u9fff]")
_SPACED: Final = re.compile("[\u4e00-\u9fff] [\u4e00-\u9fff]")
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")
_FIRST_KANJI: Final = range(0xB0, 0xD0)
"""The first octets of the common kanji (JIS level 1) in EUC-JP."""
# Letters beside ASCII letters or alone, and the typographic signs of windows-1252.
_WESTERN: Final = re.compile(rb"[\x20-\x7e\s]|[\x80\x82\x84\x85\x8b\x91-\x97\x99\x9b\xa0-\xbf\xc0-\xff]")
_WESTERN_LETTERS: Final = re.compile(rb"[A-Za-z][\xc0-\xff]|[\xc0-\xff][a-z]")
_HIGH_LETTERS: Final = re.compile(rb"[\xc0-\xff]{3}")


def is_ascii(octets: bytes) -> bool:
    """Returns whether the octets are ASCII text. The octets of ISO-2022-JP have the values of ASCII, but are not."""
    return octets.isascii() and _ESCAPE not in octets


def charset(octets: bytes, near: str = "") -> str:
    """Returns the label of the charset; "" if it cannot be determined.

    `near` is the charset of the mail's first text, "" if it is unknown.
    """
    if _ESCAPE in octets:
        return "ISO-2022-JP"
    if octets.isascii():
        return "us-ascii"
    if charsets.decodes(octets, "utf_8"):
        return "utf-8"
    if near and (codec := charsets.codec_of(near)) and charsets.decodes(octets, codec):
        return near
    if _is_nearly_utf_8(octets):
        return "utf-8"
    return _japanese(octets) or ("windows-1252" if _is_western(octets) else "")


def _is_nearly_utf_8(octets: bytes) -> bool:
    """Whether the octets are UTF-8 with few faults, as text that was cut within a character."""
    text = octets[:_SAMPLE].decode("utf-8", "replace")
    faults = text.count("\ufffd")
    return faults * 10 < len(_NOT_ASCII.findall(text))


def _japanese(octets: bytes) -> str:
    """Returns the label of the Japanese charset in which the octets look most like Japanese; "" for none."""
    best, most = "", 0
    for codec, label in _JAPANESE:
        if charsets.decodes(octets, codec):
            score = _japanese_score(octets.decode(codec)[:_SAMPLE])
            if score > most:
                best, most = label, score
    return best


def _japanese_score(text: str) -> int:
    """Returns 0 for text that is hardly Japanese, else a number that grows with its kana."""
    foreign = _NOT_ASCII.findall(text)
    japanese = sum(1 for char in foreign if _JAPANESE_CHAR.match(char))
    if japanese * 20 < len(foreign) * 19 or not _RUN.search(text):
        return 0
    kana = len(_KANA.findall(text))
    kanji = _KANJI.findall(text)
    # Without kana, text of another language may decode to kanji, but rarely to common ones alone and without spaces.
    if not kana and (
        _SPACED.search(text) or any(char.encode("euc_jp", "replace")[0] not in _FIRST_KANJI for char in kanji)
    ):
        return 0
    return 1 + kana


def _is_western(octets: bytes) -> bool:
    """Whether the octets look like a Western language: ASCII letters with single other letters between them."""
    sample = octets[:_SAMPLE]
    if _WESTERN.sub(b"", sample) or _HIGH_LETTERS.search(sample):
        return False
    letters = sum(octet >= 0xC0 for octet in sample)
    plain = len(sample) - len(sample.translate(None, bytes((*range(65, 91), *range(97, 123)))))
    return letters * 2 <= plain and (letters == 0 or bool(_WESTERN_LETTERS.search(sample)))
