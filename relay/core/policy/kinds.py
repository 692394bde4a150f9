"""Tells the kind of a message: by the writer's tag or header, else by its thread."""

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.policy.case import HeaderCase

_BY_NAME = {kind.value: kind for kind in Kind}


def said(case: HeaderCase) -> Kind | None:
    """The kind named by `alias+KIND`, else by `X-Relay-Kind`; None if neither names a kind (R-ADR-05).

    A tag that names an order does not name a kind.
    """
    order, tag = case.facts.order, case.facts.tag
    is_order = order is not None and order.external_id.casefold() == tag.casefold()
    return (None if is_order else named(tag)) or named(case.head.kind_mark)


def kind_of(case: HeaderCase) -> Kind:
    return said(case) or (Kind.REPLY if answers(case) else Kind.OTHER)


def answers(case: HeaderCase) -> bool:
    """Tells whether the message answers one of the other side (R-POL-04).

    It does if In-Reply-To or References name a message of the other side in this pair, or if a question of the buyer is
    still open. `Facts.thread_refs` holds ids of this pair only, so a Message-ID from elsewhere answers nothing
    (R-POL-05). Automatic mail answers nothing (R-POL-14).
    """
    if case.is_automatic:
        return False
    other = case.writer.role.other
    return any(ref.author is other for ref in case.facts.thread_refs) or (
        case.facts.open_question and other is Role.BUYER
    )


def named(text: str) -> Kind | None:
    """Returns the kind that a tag or a header field names, in any case and with `-` or `_`."""
    return _BY_NAME.get(text.strip().lower().replace("-", "_"))
