"""The pass that hides addresses, names and machines.

It collects the hidden values of the message, then goes through the outgoing header and every part.
"""

from typing import Final

from relay.core.mail import readings
from relay.core.mail.edits import apply_edits
from relay.core.rewrite import signed
from relay.core.rewrite.plan import Draft, Plan
from relay.core.rewrite.scrub import search, structure, trace
from relay.core.rewrite.scrub.find import HiddenValues, addresses
from relay.core.rewrite.scrub.machines import Machines
from relay.core.rewrite.scrub.names import names
from relay.core.rewrite.scrub.public_services import is_public
from relay.core.rewrite.scrub.structure import Place
from relay.core.rewrite.scrub.tree import Tree

# These fields contain only ids of the relay and of the reader, so no host is hidden in them.
_THREAD: Final = frozenset({"message-id", "in-reply-to", "references"})


def apply(draft: Draft, plan: Plan) -> Draft:
    """Returns the draft with all hidden values replaced.

    Runs after the passes that make the outgoing header, and before the passes that only change its form.
    """
    root = draft.root
    tree = Tree(draft.content, _secrets(draft, plan))
    boundary = tree.boundary(Place(root, signed=False, is_message=False))
    outgoing = draft.fields
    quiet = tree.quiet([value for _, value in outgoing])
    if boundary or not all(quiet):
        outgoing = tuple(
            field if is_quiet and not boundary else (field[0], _outgoing(tree, draft, *field, boundary))
            for field, is_quiet in zip(outgoing, quiet, strict=True)
        )
    tree.walk(root, is_message=False)
    changes = (*draft.changes, *tree.changes, *signed.broken_by(root, tree.edits))
    return draft._replace(fields=outgoing, edits=(*draft.edits, *tree.edits), changes=changes)


def in_text(draft: Draft, plan: Plan, text: str) -> str:
    """Returns a text that another pass made from the message, with all hidden values replaced.

    Such a text may join pieces that are separate in the message, so it can contain hidden values that no single piece
    contains.
    """
    return apply_edits(text, search.occurrences(text, _secrets(draft, plan), readings.PLAIN))


def _secrets(draft: Draft, plan: Plan) -> HiddenValues:
    own = frozenset([plan.domain, *[alias.rpartition("@")[2] for alias in plan.disguise.values()]])
    content_ids = structure.renewed_content_ids(draft.content, draft.root, plan.domain, plan.thread_key)
    # A list entry for the domain of a public provider allows its users to write, but they are not one party.
    domains = frozenset([(d, alias) for d, alias in plan.disguise_domains.items() if d not in own and not is_public(d)])
    return HiddenValues(
        addresses=addresses(frozenset(plan.disguise.items()), domains),
        machines=Machines(
            *trace.names(draft.content, draft.root, plan.hidden_hosts, content_ids, own, plan.shown_domains)
        ),
        link_placeholder=plan.link_placeholder,
        content_ids=content_ids,
        names=names(frozenset(plan.hidden_names.items())),
        names_in_text=plan.hide_names_in_text,
        domain=plan.domain,
        key=plan.thread_key,
    )


def _outgoing(tree: Tree, draft: Draft, name: str, raw: bytes, boundary: str | None) -> bytes:
    """Returns the new value of a field of the outgoing header.

    `boundary` is the new boundary of the message, or None if the boundary stays. The changes are recorded with the
    range of the received field from which the outgoing field was made.
    """
    if name.lower() in _THREAD:
        return raw
    field = draft.root.first(name.lower())
    new, hits = tree.value(name.lower(), raw, draft.root, boundary)
    for hit in hits:
        tree.note(hit, name.lower(), field.start if field else 0, field.end if field else 0)
    return new
