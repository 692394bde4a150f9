"""The input and the output of a rewrite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.core.mail.edits import Edit
from relay.core.mail.mime import Part


class Cutout(NamedTuple):
    """A range that policy removes (`verdict.Strip`).

    `path` is the path of a part; `start` and `end` are offsets in its decoded text, None for the whole part.
    `placeholder` is the text in its place, in the reader's language.
    """

    path: str
    start: int | None
    end: int | None
    placeholder: str


class FooterLine(NamedTuple):
    """One line below the mail. `url` is "" for a line without a link."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All values that the passes need, resolved beforehand.

    `from_address` and `from_name` are the author's alias and its display name (approved by the marketplace).
    `disguise` maps each known real address of both parties, folded, to the alias of that party. `message_id` is the
    outgoing id without brackets; `thread_ids` maps ids of In-Reply-To and References to those of the recipient's
    side; an unknown id becomes `opaque_id(id)` under `thread_key` at `domain`, so that replies to one unknown
    message stay in one thread.

    `hidden_hosts` are HELO name and client address of this session, in addition to the hosts that the trace fields
    name. `disguise_domains` maps domains (A-labels) to the alias that stands for every address there. `hidden_names`
    maps real names of the author to the text that is shown instead: always beside addresses and in file names, in
    running text only with `hide_names_in_text`.

    `cutouts` are the ranges that policy strips. `footer` is put below the mail, in the reader's language
    (`language`), and `unsubscribe` into List-Unsubscribe (RFC 8058), "" for none. `link_prefix` is the beginning of
    every signed link of ours: a link in what the author wrote or quoted belongs to the author, and is removed with
    the footer around it (R-REW-09).

    `mobile`: the reader's mailbox is at a mobile carrier, whose profile shows text first (R-ADR-03).

    `strip_images`, `strip_documents`: data about the maker is removed from pictures and documents.
    `strip_signatures`: keys and signatures are removed, a key with `signature_placeholder` in its place (R-REW-06).
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
    """One entry for the record: the change, its place and its reason.

    The place is the name of a header field or the path of a part, and the byte range in the original.
    """

    what: str
    where: str
    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The result.

    `header` is the new header block of the whole message, without its empty line and without Received, To and
    DKIM-Signature, which dispatch puts before it. `edits` apply to the body and are sorted.
    """

    header: bytes
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]


class Draft(NamedTuple):
    """A rewrite in progress, which each pass takes and returns.

    `fields` is the outgoing header so far, empty at the start: names as sent, raw values with leading space, folding
    and final CRLF. `changes` only grow; so do `edits`, except that the last passes may put one edit in place of
    those inside it.
    """

    content: bytes
    root: Part
    fields: tuple[tuple[str, bytes], ...] = ()
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()


Pass = Callable[[Draft, Plan], Draft]
