"""Runs the detectors on one message, and gives each finding its configured action (R-POL-07..10)."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from relay.core.mail.edits import merge_ranges
from relay.core.model.kind import Kind
from relay.core.model.policy import ActionByKind, Content, ContentAction
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Strip
from relay.core.own_links import own_links
from relay.core.policy import kinds, subject_marks
from relay.core.policy.case import Case, Finding, acting
from relay.core.policy.content import (
    attachments,
    clues,
    contacts,
    external_links,
    hosts,
    inferring,
    markup,
    phones,
    reading,
    wording,
)
from relay.core.policy.content.clues import Clue
from relay.core.policy.content.finding import ContentFinding, Hit
from relay.core.policy.content.markup import PairDomains
from relay.core.policy.content.phrases import Phrase
from relay.core.policy.content.reading import SUBJECT, Text

_Seen = AbstractSet[Clue | Phrase]

_VALUE_NAMES: Final = {
    ReasonCode.CONTACT_DISGUISED: "contact",
    ReasonCode.CONTACT_DATA: "contact",
    ReasonCode.LINKED_LOGO: "domain",
    ReasonCode.TRACKING_PIXEL: "domain",
    ReasonCode.EXTERNAL_LINK: "domain",
    ReasonCode.PROMOTION: "",
    ReasonCode.ASKS_BUYER_TO_CANCEL: "",
    ReasonCode.STATUS_COPY: "",
}
"""The name of the value that a notice may show for each code, or "" for no value.

The order ranks the codes: if hits overlap, the code that is listed first is kept.
"""
TEXT_CODES: Final = tuple(_VALUE_NAMES)
_RANK: Final = {code: rank for rank, code in enumerate(TEXT_CODES)}
_OF_KINDS: Final = {
    Kind.ASKS_BUYER_TO_CANCEL: ReasonCode.ASKS_BUYER_TO_CANCEL,
    Kind.STATUS_COPY: ReasonCode.STATUS_COPY,
}
"""The code for each inferred kind that is a finding by itself."""
_WHOLE_LINES: Final = frozenset({ReasonCode.PROMOTION, *_OF_KINDS.values()})
_OF_LINKS: Final = frozenset({ReasonCode.EXTERNAL_LINK, ReasonCode.LINKED_LOGO})
_LINE_END: Final = re.compile(r"\r?\n")
_MOST_CUTS: Final = 50
"""The maximum number of places to cut out of one text; a text with more such places is removed whole."""


def of_attachments(case: Case) -> Iterator[ContentFinding]:
    """Yields the findings about the attachments of a message from either side."""
    policy = case.policy.attachments
    if policy.action is ContentAction.ALLOW:
        return
    strips = policy.action is ContentAction.STRIP
    for code, path, name, start, end in attachments.faults(case.incoming.content, case.root, policy, may_strip=strips):
        reason = Reason(code=code, span=Span(part=path, start=start or 0, end=end or 0), values=(("name", name),))
        strip = Strip(part=path, code=code, name=name, start=start, end=end) if strips else None
        yield ContentFinding(policy.action, reason, strip)


def of_text(case: Case) -> Iterator[ContentFinding]:
    """Returns the findings about a seller's text. The kind that the text shows must be in the case (`with_texts`).

    For the action STRIP there is one finding for each place to cut out. For every other action there is one finding for
    each pair of code and value, with the first place.
    """
    return _TextJudge(case).findings()


def of_pixels(case: Case) -> Iterator[ContentFinding]:
    """Yields the tracking pixels in a buyer's mail, to be cut out (R-REW-07).

    The buyer's mail program may have added the pixel, so the policy's action for sellers does not apply. Only HTML with
    a picture is parsed.
    """
    owner = PairDomains(contacts.own_addresses(case), hosts.allowed(case))
    for part, source in reading.html_sources(case):
        if clues.first((r"<img\b",), source):
            pixels = [hit for hit in markup.found(source, owner) if hit.code is ReasonCode.TRACKING_PIXEL]
            for number, hit in enumerate(sorted(pixels, key=lambda hit: hit.start)):
                whole = not hit.end or number >= _MOST_CUTS
                yield ContentFinding(ContentAction.STRIP, _reason(part, hit), _strip(part, hit, whole=whole))


def weighed(findings: Iterable[ContentFinding]) -> Iterator[Finding]:
    """Yields the findings in the form that `decide` weighs.

    A tracking pixel that is cut out is also a reason of the verdict, so that the event of the message names it
    (R-REW-07).
    """
    for one in findings:
        if found := acting(one.action, one.reason, one.strip):
            is_cut_pixel = one.action is ContentAction.STRIP and one.reason.code is ReasonCode.TRACKING_PIXEL
            yield replace(found, reasons=(Reason(code=one.reason.code),)) if is_cut_pixel else found


def contradicts(case: Case, found: AbstractSet[ReasonCode]) -> bool:
    """Returns whether a message that is marked as important or critical advertises or asks for a review (R-POL-06).

    `found` are the codes of the findings about the message.
    """
    bypass = case.policy.bypass
    subject = case.head.subject
    if not (
        kinds.said(case) in bypass.critical_kinds
        or subject_marks.important(subject, bypass.brackets, bypass.important_words)
        or subject_marks.additional_information(subject, bypass.additional_information)
    ):
        return False
    return ReasonCode.PROMOTION in found or (
        case.by_seller and wording.asks_for_review(clues.seen(text.view) for text in reading.of(case))
    )


class _TextJudge:
    """Judges the texts of one message that a seller wrote."""

    def __init__(self, case: Case) -> None:
        self._content = case.policy.content
        self._kind = kinds.kind_of(case)
        self._case = case
        self._owner = PairDomains(contacts.own_addresses(case), hosts.allowed(case))
        self._known = tuple(
            text for order in case.facts.orders for text in (order.external_id, *order.items, *order.known) if text
        )
        self._link_prefix = case.facts.link_prefix
        self._texts = reading.of(case)
        self._seen = [clues.seen(text.view) for text in self._texts]
        self._reported: set[tuple[ReasonCode, str]] = set()

    def findings(self) -> Iterator[ContentFinding]:
        hits: dict[str, list[Hit]] = {text.part: [] for text in self._texts}
        for text, seen in zip(self._texts, self._seen, strict=True):
            hits[text.part] += self._in_source(text, _apart(_in_text(text, seen, self._owner, self._known)))
            if text.is_html:
                hits[text.part] += _of_markup(text, self._owner)
        for text, hit in self._of_message():
            hits[text.part] += self._in_source(text, [hit])
        for text, hit in self._of_kind():
            hits[text.part].append(hit)
        for text in self._texts:
            ordered = sorted(hits[text.part], key=lambda hit: (hit.start, -hit.end))
            yield from self._as_findings(text, list(self._but_ours(text, ordered)))

    def _of_message(self) -> Iterator[tuple[Text, Hit]]:
        found = wording.promotion(self._texts, self._seen)
        strips = self._action(ReasonCode.PROMOTION) is ContentAction.STRIP
        yield from found if strips else itertools.islice(found, 1)
        if self._content.promotion_words:
            yield from wording.operators_words(self._texts, self._content.promotion_words)

    def _of_kind(self) -> Iterator[tuple[Text, Hit]]:
        """Yields a hit at the phrase that shows the kind of the message, if the kind is a finding by itself.

        For the action STRIP there is a hit at the lines of each such phrase. Hits are at characters of the source. An
        answer to the buyer is no copy of a status mail (R-POL-10).
        """
        inferred = self._case.inferred
        code = _OF_KINDS.get(inferred.kind)
        if code is None or (code is ReasonCode.STATUS_COPY and kinds.answers(self._case)):
            return
        strips = self._action(code) is ContentAction.STRIP
        found = inferring.places(self._case) if strips else inferred.evidence[:1]
        spans = [one.span for one in found]
        for text in self._texts:
            places = [(span.start, span.end) for span in spans if span.part == text.part]
            if strips:
                places = [_line(text.source, *place) for place in places]
            yield from ((text, hit) for hit in _apart(Hit(code, *place) for place in places))

    def _in_source(self, text: Text, hits: Iterable[Hit]) -> Iterator[Hit]:
        for hit in hits:
            start, end = hit.start, hit.end
            if hit.code in _WHOLE_LINES and self._action(hit.code) is ContentAction.STRIP:
                start, end = _line(text.view, start, end)
            start, end = text.span(start, end)
            yield hit._replace(start=start, end=end)

    def _but_ours(self, text: Text, hits: Sequence[Hit]) -> Iterator[Hit]:
        """Yields the hits, but leaves out links to the relay itself, even if a scanner has wrapped such a link.

        The rewrite removes the relay's own links from quoted text (R-REW-09), so these links need no finding.
        """
        ours = (
            own_links(self._link_prefix).find(text.source, is_html=text.is_html) if hits and self._link_prefix else ()
        )
        for hit in hits:
            if hit.code not in _OF_LINKS or not any(link.start < hit.end and hit.start < link.end for link in ours):
                yield hit

    def _as_findings(self, text: Text, hits: Sequence[Hit]) -> Iterator[ContentFinding]:
        cut_to = -1
        cuts = 0
        for hit in hits:
            action = self._action(hit.code)
            strip = None
            if action is ContentAction.STRIP and text.part == SUBJECT:
                action = ContentAction.HOLD  # nothing can be cut out of a subject
            if action is ContentAction.STRIP:
                if hit.end <= cut_to:
                    continue  # an earlier cut removes this place too
                cuts += 1
                strip, cut_to = _strip(text.part, hit, whole=not hit.end or cuts > _MOST_CUTS), hit.end
                if strip.end is None:
                    cut_to = len(text.source)
            elif action is ContentAction.ALLOW or (hit.code, hit.value) in self._reported:
                continue
            self._reported.add((hit.code, hit.value))
            yield ContentFinding(action, _reason(text.part, hit), strip)

    def _action(self, code: ReasonCode) -> ContentAction:
        return _setting(self._content, code).action_for(self._kind)


def _line(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the span of the whole lines around a span, without the last line end."""
    found = _LINE_END.search(text, end)
    return text.rfind("\n", 0, start) + 1, found.start() if found else len(text)


def _setting(content: Content, code: ReasonCode) -> ActionByKind:
    return {
        ReasonCode.EXTERNAL_LINK: content.links,
        ReasonCode.LINKED_LOGO: content.logos,
        ReasonCode.TRACKING_PIXEL: content.pixels,
        ReasonCode.CONTACT_DATA: content.contact,
        ReasonCode.CONTACT_DISGUISED: content.disguised_contact,
        ReasonCode.PROMOTION: content.promotion,
        ReasonCode.ASKS_BUYER_TO_CANCEL: content.asks_buyer_to_cancel,
        ReasonCode.STATUS_COPY: content.status_copy,
    }[code]


def _reason(part: str, hit: Hit) -> Reason:
    name = _VALUE_NAMES[hit.code]
    return Reason(
        code=hit.code,
        span=Span(part=part, start=hit.start, end=hit.end),
        values=((name, hit.value),) if name and hit.value else (),
    )


def _strip(part: str, hit: Hit, *, whole: bool) -> Strip:
    """Returns the place to cut out for a hit.

    With `whole` it is the whole part, because the place of the hit is not known or there are too many places.
    """
    if whole:
        return Strip(part=part, code=hit.code, name=hit.value)
    return Strip(part=part, code=hit.code, name=hit.value, start=hit.start, end=hit.end)


def _in_text(text: Text, seen: _Seen, owner: PairDomains, known: tuple[str, ...]) -> Iterator[Hit]:
    """Runs the detectors whose clues occur in the view of the text, and yields their hits."""
    view = text.view
    if Clue.LINK in seen:
        yield from (_in_disguise(text, hit) for hit in external_links.found(view, owner.domains))
    if Clue.AT in seen:
        yield from (_in_disguise(text, hit) for hit in contacts.addresses(view, owner.addresses, owner.domains))
    if Clue.DIGITS in seen:
        yield from (_in_disguise(text, hit) for hit in phones.found(view, known))
    if Clue.ACCOUNT in seen:
        yield from contacts.accounts(view)
    if Clue.SPELT in seen or Clue.AT in seen:
        yield from contacts.spelt_addresses(view)
    if Clue.SPELT in seen:
        yield from phones.spelt(view)
    if Clue.LOOK_ALIKE in seen:
        yield from _look_alikes(text)


def _in_disguise(text: Text, hit: Hit) -> Hit:
    """Returns the hit, changed into disguised contact data if its text has full-width or invisible characters.

    In a link only invisible characters count.
    """
    odd = text.odd(hit.start, hit.end)
    if hit.code is ReasonCode.EXTERNAL_LINK:
        is_hidden = any(not char.isalnum() and char != "＠" for char in odd)
        return hit._replace(code=ReasonCode.CONTACT_DISGUISED, value="other") if is_hidden else hit
    return hit._replace(code=ReasonCode.CONTACT_DISGUISED) if odd else hit


def _look_alikes(text: Text) -> Iterator[Hit]:
    """Yields hits for links and addresses that exist only if look-alike letters are read as Latin letters."""
    latin = text.look_alikes_as_latin()
    for hit in (*external_links.found(latin, frozenset()), *contacts.addresses(latin, frozenset(), frozenset())):
        if latin[hit.start : hit.end] != text.view[hit.start : hit.end]:
            value = "email" if hit.value == "email" else "other"
            yield Hit(ReasonCode.CONTACT_DISGUISED, hit.start, hit.end, value)


def _of_markup(text: Text, owner: PairDomains) -> Iterator[Hit]:
    """Yields the hits in HTML markup; in quoted text only tracking pixels, because they work in a quote too."""
    for hit in markup.found(text.source, owner):
        is_quoted = any(quote.start <= hit.start < quote.end for quote in text.quoted)
        if not is_quoted or hit.code is ReasonCode.TRACKING_PIXEL:
            yield hit


def _apart(hits: Iterable[Hit]) -> list[Hit]:
    """Returns the hits merged, so that none overlap.

    Hits that overlap become one hit with the whole range. It has the code that comes first in `TEXT_CODES`, and the
    value of the longest hit with this code.
    """
    return merge_ranges(hits, best=lambda hit: (_RANK[hit.code], hit.start - hit.end))
