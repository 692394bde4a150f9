"""Finds the marks in a subject by which a message passes a buyer's opt-out (R-POL-04).

A mark is a word such as "Important" in brackets, or a configured phrase at the start of the subject. Spans are
character offsets into the decoded subject. The time is linear in the length of the subject, because a bracketed text
contains no bracket, so that matches never overlap, and because every repeat in a pattern is possessive or bounded.
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

    Returns None if the subject has no such brackets. Each of `brackets` is an opening and a closing character. The text
    and the words are compared after NFKC normalization and case folding, so full-width letters equal plain letters.
    Spaces within a word are ignored unless all its letters are ASCII: 重　要 equals 重要, but "Impor tant" does not
    equal "Important".
    """
    if not brackets or not words:
        return None
    for match in _bracketed(brackets).finditer(subject):
        if _is_one_of(match[0][1:-1], words):
            return _span(match.start(), match.end())
    return None


def additional_information(subject: str, phrases: tuple[str, ...]) -> Span | None:
    """Returns the span of the first of `phrases` with which the subject begins, or None.

    Reply prefixes such as `Re:`, `RE:`, `Re[2]:` and `返信：` before the phrase are skipped.
    """
    chain = _REPLY_CHAIN.match(subject)
    start = chain.end() if chain else 0
    for phrase in phrases:
        wanted = _fold(phrase)
        window = subject[start : start + 2 * len(phrase) + _BRACKETED_CHARS]
        if wanted and _fold(window).startswith(wanted):
            length = next(n for n in range(1, len(window) + 1) if _fold(window[:n]).startswith(wanted))
            return _span(start, start + length)
    return None


def is_reply(subject: str) -> bool:
    """Returns whether the subject begins with a reply prefix, so that it repeats an earlier subject."""
    chain = _REPLY_CHAIN.match(subject)
    return chain is not None and bool(chain[0].strip())


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
