"""Finds the names of people in a text. Only whole tokens count, because a wrong hit garbles the text (R-REW-01).

A name is the display name of a From field. It is searched for if it has at least three letters. Its words may stand in
either order, with spaces, dots, hyphens or underscores between them, or joined. A part of a name and a nickname are not
found.

The end of a token depends on the script, because Chinese, Japanese and Korean put no space between words:

- Latin, Cyrillic, Greek and similar scripts: no letter of these scripts and no digit beside it; kana and kanji may
  stand beside it.
- Kanji: no kanji beside it, except a title after it (様 殿 氏 君 先生 女士 小姐); so 山田花子 is not found
  in 新山田花子店.
- Katakana: no katakana beside it.
- Hiragana: no hiragana before it; after it only a title or a particle (さん ちゃん は が の に を と も です ...).
- Hangul: no hangul before it; anything may follow, because particles are joined to a name.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from relay.core.rewrite.scrub.occurrence import Occurrence
from relay.core.rewrite.scrub.spellings import spellings

_LETTERS: Final = r"0-9A-Za-z\u00aa-\u02ff\u0370-\u10ff\u1e00-\u1fff"
_KANJI: Final = r"\u3400-\u9fff\uf900-\ufaff\u3005\u3006"
_KATAKANA: Final = r"\u30a1-\u30fa\u30fc\uff66-\uff9f"
_HIRAGANA: Final = r"\u3041-\u3096"
_HANGUL: Final = r"\uac00-\ud7a3"
_TITLES: Final = "様|殿|氏|君|先生|女士|小姐"
_PARTICLES: Final = "さん|さま|ちゃん|くん|より|から|へ|です|でした|だ|という|といい|と申|は|が|の|に|を|と|も|で|や|宛"
# The script of a letter, the pattern before a first letter of that script, and the pattern after a last letter of it.
_EDGES: Final = tuple(
    (re.compile(f"[{script}]"), f"(?<![{script}])", after)
    for script, after in (
        (_LETTERS, f"(?![{_LETTERS}])"),
        (_KANJI, rf"(?={_TITLES}|[^{_KANJI}]|\Z)"),
        (_KATAKANA, f"(?![{_KATAKANA}])"),
        (_HIRAGANA, rf"(?={_PARTICLES}|[^{_HIRAGANA}]|\Z)"),
        (_HANGUL, ""),
    )
)
_BETWEEN: Final = re.compile(r"[\s,._\u30fb\"'()<>-]+")
_MAY_JOIN: Final = r"[\s,._\u30fb-]{0,3}"
_SHORTEST: Final = 3


class Names:
    """Searches texts for names of people.

    `hidden` yields pairs of a name and the text that is shown in its place. Names that contain "@" are ignored. The
    pattern is compiled only if a text has all words of a name. So the time for any other text does not reveal the name.
    """

    def __init__(self, hidden: Iterable[tuple[str, str]]) -> None:
        known = {_words(name): shown for name, shown in hidden if "@" not in name}
        known = {
            tuple(spelt.split(" ")): shown
            for words, shown in known.items()
            if len("".join(words)) >= _SHORTEST
            for spelt in spellings(" ".join(words))
        }
        self._shown = tuple(known.values())
        self._words = tuple(tuple(word.lower() for word in words) for words in known)
        self._known = tuple(known)

    def find(self, text: str) -> Iterator[Occurrence]:
        low = text.lower()
        for words in self._words:
            if words[0] in low and all(word in low for word in words):
                break
        else:
            return
        for match in name_pattern(self._known).finditer(text):
            assert match.lastindex
            yield Occurrence(match.start(), match.end(), self._shown[match.lastindex - 1], "name")


@lru_cache(maxsize=4096)
def name_pattern(known: tuple[tuple[str, ...], ...]) -> re.Pattern[str]:
    """Returns the pattern of the names, each given as a tuple of words; group n is the n-th name."""
    return re.compile("|".join([f"({_pattern(words)})" for words in known]), re.IGNORECASE)


@lru_cache(maxsize=4096)
def names(hidden: frozenset[tuple[str, str]]) -> Names:
    return Names(hidden)


def _words(name: str) -> tuple[str, ...]:
    return tuple(word for word in _BETWEEN.split(unicodedata.normalize("NFKC", name)) if word)


def _pattern(words: tuple[str, ...]) -> str:
    if len(words) == 1:
        # In lower case the name may be an ordinary word.
        return f"(?-i:{_token(words[0], re.escape(words[0]), words[0])})"
    orders = (words, (words[-1], *words[:-1]), (*words[1:], words[0]))
    return "|".join(
        _token(order[0], _MAY_JOIN.join(map(re.escape, order)), order[-1]) for order in dict.fromkeys(orders)
    )


def _token(first: str, pattern: str, last: str) -> str:
    last = unicodedata.normalize("NFC", last)  # a combining mark has no script of its own
    before = next((before for script, before, _ in _EDGES if script.match(first[0])), "")
    after = next((after for script, _, after in _EDGES if script.match(last[-1])), "")
    return f"{before}{pattern}{after}"
