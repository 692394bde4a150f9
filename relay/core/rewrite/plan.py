"""Defines the input and the output of a rewrite: the plan, the draft, and the rewritten message."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from relay.core.mail.edits import Edit
from relay.core.mail.mime import Part

LINK_REPLACED: Final = "link replaced"
"""The name of the change that removes a link to a hidden host."""
NOT_LISTED: Final = "not on the list of fields that may pass"
"""The reason for which a header field is left out (R-REW-02)."""


class Cutout(NamedTuple):
    """A range that policy removes, made from a `verdict.Strip`.

    `path` is the path of a part. `start` and `end` are offsets in the decoded text of the part, or None for the whole
    part. `placeholder` is the text to put in its place, in the reader's language.
    """

    path: str
    start: int | None
    end: int | None
    placeholder: str


class FooterLine(NamedTuple):
    """One line of the footer. `url` is the URL to which the line links, or "" for a line without a link."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All values that the passes need; the caller looks them up before the rewrite.

    `from_address` and `from_name` are the author's alias and its display name, which the marketplace approved.
    `disguise` maps each known real address of both parties, case-folded, to the alias of that party. `message_id` is
    the outgoing id without brackets. `thread_ids` maps ids in In-Reply-To and References to the ids that the recipient
    knows. An unknown id becomes `opaque_id(id)` under `thread_key` at `domain`, so that replies to one unknown message
    stay in one thread.

    `hidden_hosts` are the HELO name and the client address of this session; hosts that the trace fields name are hidden
    too, except the `shown_domains`. A link to a hidden host is removed, and `link_placeholder` is put in its place.
    `disguise_domains` maps domains (A-labels) to the alias that replaces every address at that domain.
    `hidden_names` maps real names of the author to the text that is shown instead. These names are always hidden beside
    addresses and in file names, and in running text only if `hide_names_in_text` is true.

    `cutouts` are the ranges that policy removes. `footer` is put below the mail, in the reader's language (`language`).
    `unsubscribe` is the URL for List-Unsubscribe (RFC 8058), or "" for no such field. `link_prefix` is the beginning of
    every signed link of the relay. Such a link in the author's text or in a quote was made for the author, so it is
    removed together with the footer around it (R-REW-09).

    `mobile`: the reader's mailbox is at a mobile carrier whose phones show text first (R-ADR-03).

    `strip_images`, `strip_documents`: whether data about the maker is removed from pictures and documents.

    `strip_signatures`: whether keys and signatures are removed; a key is replaced by `signature_placeholder`
    (R-REW-06).
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
    shown_domains: frozenset[str] = frozenset()
    link_placeholder: str = "[link removed]"
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
    """One entry for the record: `what` names the change, `why` gives its reason.

    `where` is the name of a header field or the path of a part; `start` and `end` are the byte range in the original.
    """

    what: str
    where: str
    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The result of a rewrite.

    `header` is the new header block of the whole message, without its empty line and without Received, To and
    DKIM-Signature, which dispatch puts before it. `edits` apply to the body and are sorted.
    """

    header: bytes
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]

    @property
    def has_removed_link(self) -> bool:
        """Whether a link was removed because its host must be hidden."""
        return any(change.what == LINK_REPLACED for change in self.changes)


class Draft(NamedTuple):
    """A rewrite in progress; each pass takes a draft and returns a new one.

    `fields` is the outgoing header so far, empty at the start: the field names, and raw values with leading space,
    folding and final CRLF. Passes only add `changes`. They only add `edits` too, but the last passes may replace
    several edits by one edit of the whole range.
    """

    content: bytes
    root: Part
    fields: tuple[tuple[str, bytes], ...] = ()
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()


Pass = Callable[[Draft, Plan], Draft]
