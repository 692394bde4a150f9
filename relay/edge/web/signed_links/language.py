"""The choice of a language for a reader who is not known yet (RFC 9110 §12.5.4)."""

from collections.abc import Iterator, Sequence

from relay.core.notice.texts import LANGUAGES


def wanted(asked: str, accept_language: str) -> Sequence[str]:
    """Returns the wanted languages, the best first: `asked`, then the languages of the browser's header by weight."""
    weighed = sorted(_weighed(accept_language), reverse=True)
    return [language for language in (asked, *(language for _, _, language in weighed)) if language in LANGUAGES]


def _weighed(accept_language: str) -> Iterator[tuple[float, int, str]]:
    for place, part in enumerate(accept_language[:1_000].split(",")):
        tag, _, quality = part.partition(";")
        name, _, value = quality.partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if 0 < weight <= 1:
            yield weight, -place, tag.strip().partition("-")[0].lower()
