"""Determines the kind of a message: by the tag or the header field of the writer, else by its text and its thread."""

from relay.core.model.kind import Evidence, Kind
from relay.core.model.party import Role
from relay.core.policy.case import HeaderCase

_BY_NAME = {kind.value: kind for kind in Kind}
_SAYING_NOTHING = (None, Kind.OTHER, Kind.REPLY)


def said(case: HeaderCase) -> Kind | None:
    """Returns the kind that the writer names by `alias+KIND`, else by the field `X-Relay-Kind` (R-ADR-05).

    Returns None if neither names a kind. A tag that is the id of the message's order does not name a kind.
    """
    order, tag = case.facts.order, case.facts.tag
    is_order = order is not None and order.external_id.casefold() == tag.casefold()
    return (None if is_order else named(tag)) or named(case.head.kind_mark)


def kind_of(case: HeaderCase) -> Kind:
    """Returns the kind that the writer names, else the kind that the text and the thread show (R-POL-21).

    The names `other` and `reply` say nothing of the purpose, so the text counts if the writer names these. An answer of
    a seller is a REPLY whatever its text says. In an answer of a buyer the text counts first, because it may be a
    question that another person has to answer.
    """
    declared, inferred = said(case), case.inferred.kind
    if declared not in _SAYING_NOTHING:
        return declared
    if answers(case) and (case.by_seller or inferred in {Kind.OTHER, Kind.THANKS}):
        return Kind.REPLY
    return declared or Kind.OTHER if inferred is Kind.OTHER else inferred


def evidence_of(case: HeaderCase) -> tuple[Evidence, ...]:
    """Returns the phrases from which the kind was inferred; there are none if the writer or the thread gives it."""
    return case.inferred.evidence if kind_of(case) is case.inferred.kind and not _declares(case) else ()


def _declares(case: HeaderCase) -> bool:
    return said(case) not in _SAYING_NOTHING


def answers(case: HeaderCase) -> bool:
    """Returns whether the message answers a message of the other side (R-POL-04).

    It is an answer if In-Reply-To or References names a message of the other side in this pair, or if a seller writes
    while a question of the buyer is open. `Facts.thread_refs` holds messages of this pair only, so a Message-ID from
    elsewhere does not make an answer (R-POL-05). Automatic mail is never an answer (R-POL-14).
    """
    if case.is_automatic:
        return False
    other = case.writer.role.other
    return any(ref.author is other for ref in case.facts.thread_refs) or (
        case.facts.open_question and other is Role.BUYER
    )


def named(text: str) -> Kind | None:
    """Returns the kind that a tag or a header field names, or None. Case is ignored, and `-` equals `_`."""
    return _BY_NAME.get(text.strip().lower().replace("-", "_"))
