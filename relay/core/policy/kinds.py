"""Determines the kind of a message by the tag or the header field of the writer, else by the thread."""

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.policy.case import HeaderCase

_BY_NAME = {kind.value: kind for kind in Kind}


def said(case: HeaderCase) -> Kind | None:
    """Returns the kind that the writer names by `alias+KIND`, else by the field `X-Relay-Kind` (R-ADR-05).

    Returns None if neither names a kind. A tag that is the id of the message's order does not name a kind.
    """
    order, tag = case.facts.order, case.facts.tag
    is_order = order is not None and order.external_id.casefold() == tag.casefold()
    return (None if is_order else named(tag)) or named(case.head.kind_mark)


def kind_of(case: HeaderCase) -> Kind:
    return said(case) or (Kind.REPLY if answers(case) else Kind.OTHER)


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
