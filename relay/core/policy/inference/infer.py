"""Adds up the weights of the topics in a text, and takes the kind with the highest sum.

A kind is taken only if its sum reaches its threshold, so a text that is not clear has the kind OTHER. Buyers and
sellers have different kinds: only buyers ask questions, and only sellers advertise. The result depends on the text
alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.policy.inference.topics import Topic, in_text

_THRESHOLDS: Final[Mapping[Role, Mapping[Kind, float]]] = {
    Role.BUYER: {
        Kind.RETURN_OR_REFUND: 0.85,
        Kind.SERVICE_QUESTION: 0.95,
        Kind.PRODUCT_QUESTION: 0.75,
        Kind.THANKS: 0.95,
    },
    Role.SELLER: {
        Kind.ASKS_BUYER_TO_CANCEL: 0.85,
        Kind.REVIEW_REQUEST: 0.75,
        Kind.RETURN_OR_REFUND: 0.85,
        Kind.DELAY_OR_UNAVAILABLE: 0.85,
        Kind.PROMOTION: 0.75,
        Kind.STATUS_COPY: 0.85,
        Kind.THANKS: 0.95,
    },
}
"""The least sum of weights for each kind that a writer's text may have. If two sums are equal, the first kind wins."""
_QUESTIONS: Final = (Kind.PRODUCT_QUESTION, Kind.SERVICE_QUESTION)
_MARGIN: Final = 0.25
"""The least difference between the two sorts of questions; below it the text is about both, and so is not clear."""
_SHORT: Final = ("short_text", {Kind.THANKS: 0.4})
_LONG: Final = ("long_text", {Kind.THANKS: -0.5})
_REPLY: Final = ("reply_subject", {Kind.STATUS_COPY: -0.5, Kind.PROMOTION: -0.3, Kind.THANKS: 0.15})
_SHORT_WIDTH: Final = 170
_LONG_WIDTH: Final = 290
_MOST_EVIDENCE: Final = 3
_ROUNDING: Final = 1e-9


class Excerpt(NamedTuple):
    """A text that the writer has newly written: the name of its part, and its words as a person reads them."""

    part: str
    words: str


class Found(NamedTuple):
    """A phrase that speaks for the inferred kind: its topic and weight, the number of its text, and its span there."""

    topic: str
    weight: float
    text: int
    start: int
    end: int


def infer(writer: Role, texts: Sequence[Excerpt], *, is_reply: bool) -> tuple[Kind, tuple[Found, ...]]:
    """Returns the kind of a message with its evidence, the heaviest first, or (OTHER, ()) if no kind is clear.

    `texts` are the subject and the bodies. `is_reply` says whether the subject is that of a reply, such as "Re: Order".
    """
    octets = [text.words.encode("utf-8", "replace") for text in texts]
    found = [in_text(writer, each) for each in octets]
    topics = {topic.name: topic for each in found for topic in each}
    kind = _heaviest(writer, [topic.weights for topic in topics.values()] + _form(texts, octets, is_reply=is_reply))
    if kind is Kind.OTHER:
        return kind, ()
    heaviest = sorted(
        (topic for topic in topics.values() if topic.weights.get(kind, 0) > 0), key=lambda topic: -topic.weights[kind]
    )
    return kind, tuple(_first(topic, kind, texts, found) for topic in heaviest[:_MOST_EVIDENCE])


def places(writer: Role, kind: Kind, texts: Sequence[Excerpt]) -> Iterator[Found]:
    """Yields every place in the texts of a phrase that speaks for the kind. Places may overlap."""
    for number, text in enumerate(texts):
        for topic in in_text(writer, text.words.encode("utf-8", "replace")):
            if (weight := topic.weights.get(kind, 0.0)) > 0:
                for match in topic.compiled.finditer(text.words):
                    yield Found(topic.name, weight, number, match.start(), match.end())


def _form(texts: Sequence[Excerpt], octets: Sequence[bytes], *, is_reply: bool) -> list[Mapping[Kind, float]]:
    """Returns the weights of the form of the message: the length of its longest text, and the subject of a reply.

    The length is a width: a Japanese character counts twice.
    """
    width = max(((len(text.words) + len(each)) // 2 for text, each in zip(texts, octets, strict=True)), default=0)
    length = _SHORT[1] if width <= _SHORT_WIDTH else _LONG[1] if width > _LONG_WIDTH else {}
    return [length, _REPLY[1] if is_reply else {}]


def _heaviest(writer: Role, weights: Sequence[Mapping[Kind, float]]) -> Kind:
    sums = {kind: sum(each.get(kind, 0.0) for each in weights) for kind in _THRESHOLDS[writer]}
    kind = max(sums, key=lambda one: sums[one])
    if sums[kind] + _ROUNDING < _THRESHOLDS[writer][kind]:
        return Kind.OTHER
    if kind in _QUESTIONS and abs(sums[_QUESTIONS[0]] - sums[_QUESTIONS[1]]) + _ROUNDING < _MARGIN:
        return Kind.OTHER
    return kind


def _first(topic: Topic, kind: Kind, texts: Sequence[Excerpt], found: Sequence[Sequence[Topic]]) -> Found:
    number = next(number for number, topics in enumerate(found) if topic in topics)
    match = topic.compiled.search(texts[number].words)
    return Found(topic.name, topic.weights[kind], number, match.start(), match.end())
