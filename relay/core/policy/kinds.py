"""What a message is for: as the writer says by tag or header, else as its thread shows."""

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.policy.case import Case

_BY_NAME = {kind.value: kind for kind in Kind}


def said(case: Case) -> Kind | None:
    """The kind named by `alias+KIND`, else by `X-Relay-Kind`. What names no kind is ignored (R-ADR-05); a tag that
    names an order says nothing of the kind."""
    order, tag = case.facts.order, case.facts.tag
    is_order = order is not None and order.external_id.casefold() == tag.casefold()
    return (None if is_order else named(tag)) or named(case.head.kind_mark)


def kind_of(case: Case) -> Kind:
    return said(case) or (Kind.REPLY if answers(case) else Kind.OTHER)


def answers(case: Case) -> bool:
    """Whether the other side's own message is answered: by In-Reply-To or References to an id of this pair that the
    other side wrote, or because the buyer's question is still open (R-POL-04).

    `Facts.thread_refs` holds ids of this pair only, so somebody else's Message-ID answers nothing (R-POL-05); a
    machine answers nothing either (R-POL-14).
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
