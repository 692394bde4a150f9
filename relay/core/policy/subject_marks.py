"""Finds marks in a subject that lift a buyer's opt-out (R-POL-04): a bracketed "Important", or a phrase at its start.

All spans are offsets into the decoded subject as given. Time is linear in its length: bracketed texts contain no
bracket, so they never overlap, and every repeat in a pattern is possessive or bounded.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from relay.core.model.reason import Span

_BRACKETED_CHARS: Final = 64
_REPLY_CHAIN: Final = re.compile(
    r"(?>(?:\s*+(?:[RrＲｒ][EeＥｅ]|返信)\s*+(?>(?:[\[(［（]\d{1,4}[\])］）]|[\^*]\d{1,4})?)\s*+[:：])*)\s*+"
)


def important(subject: str, brackets: tuple[str, ...], words: tuple[str, ...]) -> Span | None:
    """Returns the span of the first pair of brackets that contains one of `words` and otherwise only spaces.

    None if there is none. Both texts are compared after NFKC and case folding, so that full-width letters count. Spaces
    within a word are ignored unless all its letters are ASCII: 重　要 is 重要, but "Impor tant" is another word.
    """
    if not brackets or not words:
        return None
    for match in _bracketed(brackets).finditer(subject):
        if _is_one_of(match[0][1:-1], words):
            return _span(match.start(), match.end())
    return None


def additional_information(subject: str, phrases: tuple[str, ...]) -> Span | None:
    """Returns the phrase at the start of the subject, after any chain of `Re:`, `RE:`, `Re[2]:`, `返信：`."""
    chain = _REPLY_CHAIN.match(subject)
    start = chain.end() if chain else 0
    for phrase in phrases:
        wanted = _fold(phrase)
        window = subject[start : start + 2 * len(phrase) + _BRACKETED_CHARS]
        if wanted and _fold(window).startswith(wanted):
            length = next(n for n in range(1, len(window) + 1) if _fold(window[:n]).startswith(wanted))
            return _span(start, start + length)
    return None


@lru_cache(maxsize=64)
def _bracketed(brackets: tuple[str, ...]) -> re.Pattern[str]:
    inner = f"[^{re.escape(''.join(brackets))}]{{1,{_BRACKETED_CHARS}}}+"
    return re.compile("|".join(re.escape(pair[0]) + inner + re.escape(pair[1]) for pair in brackets))


@lru_cache(maxsize=64)
def _folded(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_fold(word) for word in words)


def _is_one_of(text: str, words: tuple[str, ...]) -> bool:
    spaced = _fold(text)
    tight = spaced.replace(" ", "")
    return spaced in _folded(words) or (not tight.isascii() and tight in _folded(words))


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _span(start: int, end: int) -> Span:
    return Span(part="subject", start=start, end=end)
