"""Recognises promotion and requests for a review by their words."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

import re2

from relay.core.model.reason import ReasonCode
from relay.core.policy.content import clues, phrases
from relay.core.policy.content.clues import Clue
from relay.core.policy.content.finding import Hit
from relay.core.policy.content.phrases import Phrase
from relay.core.policy.content.reading import Text

_ENOUGH: Final = 1.0


def promotion(texts: Sequence[Text], seen: Sequence[AbstractSet[Clue | Phrase]]) -> Iterator[tuple[Text, Hit]]:
    """Yields a hit for each phrase in each text if the phrases of all texts together reach the weight 1.

    Each phrase counts once. The heaviest phrases come first, phrases of equal weight in the order of the texts. `seen`
    has the clues and phrases that occur in each text.
    """
    present = {item for each in seen for item in each if isinstance(item, Phrase)}
    if sum(phrase.weight for phrase in present) < _ENOUGH:
        return
    found = [
        (-phrase.weight, number, span)
        for number, in_text in enumerate(seen)
        for phrase in present & in_text
        if (span := clues.first((phrase.pattern,), texts[number].view))
    ]
    for _, number, span in sorted(found):
        yield texts[number], Hit(ReasonCode.PROMOTION, *span)


def asks_for_review(seen: Iterable[AbstractSet[Clue | Phrase]]) -> bool:
    return any(phrase in each for each in seen for phrase in phrases.REVIEW)


def operators_words(texts: Sequence[Text], patterns: tuple[str, ...]) -> Iterator[tuple[Text, Hit]]:
    """Yields at most one hit for each of the operator's own patterns in each text."""
    for text in texts:
        for pattern in _compiled(patterns):
            match = pattern.search(text.view)
            if match and match.end() > match.start():
                yield text, Hit(ReasonCode.PROMOTION, match.start(), match.end())


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> tuple["re2._Regexp", ...]:
    """Returns the operator's patterns compiled, without those that RE2 refuses.

    The check of the policy file reports a pattern that RE2 refuses.
    """
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    found = []
    for pattern in patterns:
        try:
            found.append(re2.compile(pattern, options))
        except re2.error:
            continue
    return tuple(found)
