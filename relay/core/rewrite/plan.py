"""What a rewrite is given and what it yields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.core.mail.edits import Edit
from relay.core.mail.mime import Part


class Cutout(NamedTuple):
    """What policy strips (`verdict.Strip`): a part's `path`, offsets in its decoded text (None: the whole part), and
    the `placeholder` that stands in its place, in the reader's language."""

    path: str
    start: int | None
    end: int | None
    placeholder: str


class FooterLine(NamedTuple):
    """One line below the mail; `url` "" for a line that is no link."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the passes need, resolved beforehand.

    `from_address`/`from_name`: the author's alias and its display name (already marketplace-approved). `disguise`
    maps each known real address of both parties, folded, to that party's alias. `message_id` is the outgoing id
    without brackets; `thread_ids` maps ids of In-Reply-To and References to those of the recipient's side; an id that
    is in neither map becomes `opaque_id(id)` under `thread_key` at `domain`, so siblings of an unknown parent still
    thread. `hidden_hosts`: HELO name and client address of this session, beside what the trace fields name.
    `disguise_domains` maps domains (A-labels) to the alias that stands for every address there. `hidden_names` maps
    real names of the author to what is shown instead: never beside addresses nor in names of files, and not in running
    text either with `hide_names_in_text`.

    `cutouts` are what policy strips. `footer` is put below the mail, in the reader's language (`language`), and
    `unsubscribe` into List-Unsubscribe (RFC 8058), "" for none. `link_prefix` is what every signed link of ours begins
    with: in what the author wrote or quoted, such a link was his own, and goes, with the footer around it (R-REW-09).

    `mobile`: the reader's mailbox is at a mobile carrier, whose profile shows text first (R-ADR-03).

    `strip_images`, `strip_documents`: what pictures and documents say of their maker goes; `strip_signatures`: keys and
    signatures go, a key with `signature_placeholder` in its place (R-REW-06).
    """

    domain: str
    from_address: str
    from_name: str
    disguise: Mapping[str, str]
    message_id: str
    thread_ids: Mapping[str, str]
    thread_key: bytes
    hidden_hosts: frozenset[str]
    disguise_domains: Mapping[str, str] = field(default_factory=dict)
    hidden_names: Mapping[str, str] = field(default_factory=dict)
    hide_names_in_text: bool = False
    cutouts: tuple[Cutout, ...] = ()
    footer: tuple[FooterLine, ...] = ()
    language: str = "en"
    unsubscribe: str = ""
    mobile: bool = False
    link_prefix: str = ""
    strip_images: bool = False
    strip_documents: bool = False
    strip_signatures: bool = False
    signature_placeholder: str = "[key or signature removed]"


class Change(NamedTuple):
    """For the record: what was changed, where (a header name or a part's path, byte range in the original), why."""

    what: str
    where: str
    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """`header` is the new header block of the whole message without its empty line and without Received,
    To and DKIM-Signature, which dispatch puts before it; `edits` apply to the body, sorted."""

    header: bytes
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]


class Draft(NamedTuple):
    """A rewrite under way: what a pass takes and gives. `fields` is the outgoing header so far: names as sent, raw
    values with leading space, folding and final CRLF; it starts empty. `changes` only ever grow; `edits` too, but for
    the last pass, which may put one edit in the place of those inside it."""

    content: bytes
    root: Part
    fields: tuple[tuple[str, bytes], ...] = ()
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()


Pass = Callable[[Draft, Plan], Draft]
