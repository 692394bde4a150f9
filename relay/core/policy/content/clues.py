"""Finds in one pass over a text which detectors have to examine it; most texts need no detector.

The patterns are searched by RE2, so the time is linear for any text.
"""

from enum import Enum, auto
from functools import cache
from typing import Final

import re2

from relay.core.policy.content import phrases
from relay.core.policy.content.phrases import Phrase

_NETWORKS: Final = (
    "LINE|ライン|友だち|友達|whats ?app|ワッツアップ|telegram|テレグラム|we ?chat|微信|ウィーチャット|kakao|カカオ|skype|スカイプ|instagram|インスタ"
    "|ダイレクトメッセージ|(^|[^a-z])dm([^a-z]|$)|twitter|ツイッター|facebook|フェイスブック|messenger|discord|ディスコード|viber|tiktok|snapchat"
)
_DIGIT: Final = "[0-9〇零一二三四五六七八九]"


class Clue(Enum):
    LINK = auto()
    AT = auto()
    DIGITS = auto()
    SPELT = auto()
    """A digit, an `@` or a dot is written as a word."""
    ACCOUNT = auto()
    LOOK_ALIKE = auto()


_CLUES: Final = (
    (Clue.LINK, r"https?:|ftp:|www\.|[a-z0-9\x{80}-\x{10ffff}-]\.([a-z]{2}|[^\x00-\x7f])"),
    (Clue.AT, "@"),
    (Clue.DIGITS, rf"{_DIGIT}([^0-9a-zA-Z\n]{{0,3}}{_DIGIT}){{7}}|[0o][0-9o][0o][-. 0-9]"),
    (Clue.SPELT, r"アット|あっと|ドット|[(\[{<] ?(at|dot|アット) ?[)\]}>]| dot |ゼロ|zero|\boh nine|(four|five|six|seven|eight|nine)[- ,]+(zero|oh)"),
    (Clue.ACCOUNT, _NETWORKS),
    (Clue.LOOK_ALIKE, r"[A-Za-z.@][\x{370}-\x{3ff}\x{400}-\x{52f}]|[\x{370}-\x{3ff}\x{400}-\x{52f}][A-Za-z.@]"),
    *((phrase, phrase.pattern) for phrase in phrases.PROMOTION + phrases.REVIEW),
)  # fmt: skip


@cache
def _set() -> re2.Set:
    patterns = re2.Set.SearchSet()
    for _, pattern in _CLUES:
        patterns.Add(f"(?i){pattern}")
    patterns.Compile()
    return patterns


def seen(text: str) -> frozenset[Clue | Phrase]:
    octets = text.encode("utf-8", "replace")
    return frozenset(_CLUES[index][0] for index in _set().Match(octets) or ())


@cache
def compiled(pattern: str) -> "re2._Regexp":
    return re2.compile(f"(?i){pattern}")


def first(patterns: tuple[str, ...], text: str) -> tuple[int, int] | None:
    """Returns the span in `text` of the first of `patterns` that occurs there, or None."""
    found = next((match for pattern in patterns if (match := compiled(pattern).search(text))), None)
    return (found.start(), found.end()) if found else None
