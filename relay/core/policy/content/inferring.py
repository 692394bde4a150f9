"""Reads the texts of a message and infers its kind from them (R-POL-21)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from relay.core.model.kind import Evidence, Inference
from relay.core.model.reason import Span
from relay.core.policy import inference, subject_marks
from relay.core.policy.case import Case
from relay.core.policy.content import reading
from relay.core.policy.content.reading import SUBJECT, NewlyWritten, Text


def with_texts(case: Case) -> Case:
    """Returns the case with its texts, and with the kind that the newly written text shows.

    Attached files do not count, and neither does the subject of a reply, because the writer did not write it newly.
    """
    texts = tuple(reading.of(case))
    written = _written(case, texts)
    is_reply = subject_marks.is_reply(case.head.subject)
    kind, found = inference.infer(case.writer.role, _words(written), is_reply=is_reply)
    evidence = tuple(_evidence(one, written[one.text]) for one in found)
    return replace(case, texts=texts, inferred=Inference(kind=kind, evidence=evidence))


def places(case: Case) -> Iterator[Evidence]:
    """Yields every place of a phrase that speaks for the inferred kind; `Inference` has the first places only."""
    written = _written(case, reading.of(case))
    for one in inference.places(case.writer.role, case.inferred.kind, _words(written)):
        yield _evidence(one, written[one.text])


def _written(case: Case, texts: Sequence[Text]) -> list[NewlyWritten]:
    is_reply = subject_marks.is_reply(case.head.subject)
    return [text.newly_written() for text in texts if not text.is_attached and not (is_reply and text.part == SUBJECT)]


def _words(written: Sequence[NewlyWritten]) -> list[str]:
    return [each.words for each in written]


def _evidence(found: inference.Found, written: NewlyWritten) -> Evidence:
    start, end = written.span(found.start, found.end)
    span = Span(part=written.text.part, start=start, end=end)
    return Evidence(topic=found.topic, weight=found.weight, span=span)
