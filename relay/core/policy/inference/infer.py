"""Adds up the weights of the topics in a text, and takes the kind with the highest sum.

A kind is taken only if its sum reaches its threshold, so a text that is not clear has the kind OTHER. Buyers and
sellers have different kinds: only buyers ask questions, and only sellers advertise. The result depends on the text
alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.policy.inference.topics import KINDS, Topic, in_text

_THRESHOLD: Final = 0.85
_THRESHOLDS: Final[Mapping[Kind, float]] = {
    Kind.SERVICE_QUESTION: 0.95,
    Kind.PRODUCT_QUESTION: 0.75,
    Kind.REVIEW_REQUEST: 0.75,
    Kind.PROMOTION: 0.75,
    Kind.THANKS: 0.95,
}
"""The least sum of weights for some kinds; for every other kind it is `_THRESHOLD`."""
_QUESTIONS: Final = (Kind.PRODUCT_QUESTION, Kind.SERVICE_QUESTION)
_MARGIN: Final = 0.25
"""The least difference between the two sorts of questions; below it the text is about both, and so is not clear."""
_SHORT: Final = {Kind.THANKS: 0.4}
_LONG: Final = {Kind.THANKS: -0.5}
_REPLY: Final = {Kind.STATUS_COPY: -0.5, Kind.PROMOTION: -0.3, Kind.THANKS: 0.15}
_SHORT_WIDTH: Final = 170
_LONG_WIDTH: Final = 290
_MOST_EVIDENCE: Final = 3
_ROUNDING: Final = 1e-9


class Found(NamedTuple):
    """A phrase that speaks for the inferred kind: its topic and weight, the number of its text, and its span there."""

    topic: str
    weight: float
    text: int
    start: int
    end: int


def infer(writer: Role, texts: Sequence[str], *, is_reply: bool) -> tuple[Kind, tuple[Found, ...]]:
    """Returns the kind of a message with its evidence, the heaviest first, or (OTHER, ()) if no kind is clear.

    `texts` are the newly written texts of the subject and the bodies, as a person reads them. `is_reply` says whether
    the subject is that of a reply, such as "Re: Order".
    """
    octets = [text.encode("utf-8", "replace") for text in texts]
    found = [in_text(writer, each) for each in octets]
    topics = list({topic.name: topic for each in found for topic in each}.values())
    kind = _heaviest(writer, topics, _form(texts, octets, is_reply=is_reply))
    if kind is Kind.OTHER:
        return kind, ()
    column = KINDS[writer].index(kind)
    heaviest = sorted(
        (topic for topic in topics if topic.weights[column] > 0), key=lambda topic: -topic.weights[column]
    )
    return kind, tuple(_first(topic, topic.weights[column], octets, found) for topic in heaviest[:_MOST_EVIDENCE])


def places(writer: Role, kind: Kind, texts: Sequence[str]) -> Iterator[Found]:
    """Yields every place in the texts of a phrase that speaks for the kind. Places may overlap."""
    column = KINDS[writer].index(kind)
    for number, text in enumerate(texts):
        octets = text.encode("utf-8", "replace")
        for topic in in_text(writer, octets):
            if topic.weights[column] > 0:
                for span in topic.places(octets):
                    yield _found(topic, topic.weights[column], number, octets, span)


def _form(texts: Sequence[str], octets: Sequence[bytes], *, is_reply: bool) -> Mapping[Kind, float]:
    """Returns the weights of the form of the message: the length of its longest text, and the subject of a reply.

    The length is a width: a Japanese character counts twice.
    """
    width = max(((len(text) + len(each)) // 2 for text, each in zip(texts, octets, strict=True)), default=0)
    length = _SHORT if width <= _SHORT_WIDTH else _LONG if width > _LONG_WIDTH else {}
    if not is_reply:
        return length
    return {kind: length.get(kind, 0.0) + weight for kind, weight in _REPLY.items()}


def _heaviest(writer: Role, topics: Sequence[Topic], form: Mapping[Kind, float]) -> Kind:
    kinds = KINDS[writer]
    if not topics:
        return Kind.OTHER
    columns = zip(*(topic.weights for topic in topics), strict=True)
    sums = {kind: math.fsum(column) for kind, column in zip(kinds, columns, strict=True)}
    for kind, weight in form.items():
        if kind in sums:
            sums[kind] += weight
    kind = max(kinds, key=lambda one: sums[one])
    if sums[kind] + _ROUNDING < _THRESHOLDS.get(kind, _THRESHOLD):
        return Kind.OTHER
    if kind in _QUESTIONS and abs(sums[_QUESTIONS[0]] - sums[_QUESTIONS[1]]) + _ROUNDING < _MARGIN:
        return Kind.OTHER
    return kind


def _first(topic: Topic, weight: float, octets: Sequence[bytes], found: Sequence[Sequence[Topic]]) -> Found:
    text = next(number for number, topics in enumerate(found) if topic in topics)
    return _found(topic, weight, text, octets[text], next(topic.places(octets[text])))


def _found(topic: Topic, weight: float, text: int, octets: bytes, span: tuple[int, int]) -> Found:
    start = len(octets[: span[0]].decode())
    return Found(topic.name, weight, text, start, start + len(octets[slice(*span)].decode()))
