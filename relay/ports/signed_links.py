"""What signed links show and do, as the web edge asks for it; `relay.signed_links` answers (R-POL-02, R-SND-02,
R-REW-09)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from relay.core.model.kind import Kind
from relay.core.signed_link import Purpose


class LinkWords(NamedTuple):
    """What can be so, and what can be chosen, of one purpose. Each has a text `page.PURPOSE.DECISION`."""

    states: tuple[str, ...]
    choices: tuple[str, ...]


_SCOPES: Final = ("seller", "all", "kind")
LINK_WORDS: Final[Mapping[Purpose, LinkWords]] = {
    Purpose.OPT_OUT: LinkWords(
        tuple(f"{scope}_{state}" for scope in _SCOPES for state in ("on", "off")),
        tuple(f"{scope}{undo}" for scope in _SCOPES for undo in ("", "_undo")),
    ),
    Purpose.NOT_IMPORTANT: LinkWords(("open", "told"), ("tell",)),
    Purpose.NO_REPLY: LinkWords(("open", "left_out"), ("leave_out", "undo")),
    Purpose.REPORT: LinkWords(("open", "received"), ("report",)),
    Purpose.SENDER: LinkWords(("unknown", "approved", "blocked", "retired"), ("approve", "block")),
    Purpose.CONFIRM: LinkWords(("open", "also_held", "released", "refused", "over"), ("mine", "not_mine")),
    Purpose.REOPEN: LinkWords(("closed", "open"), ("reopen",)),
    Purpose.PRODUCT_SUPPORT: LinkWords(("on", "off"), ("turn_on", "turn_off")),
}
ONE_CLICK: Final = "one_click"
"""The choice that a mail program makes by itself (RFC 8058): a buyer wants no more mail of this seller's."""
FACTS: Final = ("from", "order", "received", "subject", "sender", "waiting", "record")
"""What a page may say of what its link is about, each with a label `page.about.FACT`."""


class Choice(NamedTuple):
    """A button. `state` says what is so now where each choice has a state of its own, else ""."""

    value: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A link's page. `about` holds what its reader may know of the thing: never a real address of the other side, no
    text of a message but the subject of one that the reader is said to have written. `done`: just now."""

    purpose: Purpose
    marketplace: str
    help_url: str
    locale: str
    about: tuple[tuple[str, str], ...]
    choices: tuple[Choice, ...]
    state: str = ""
    kind: Kind = Kind.OTHER
    done: bool = False


class LinkFault(StrEnum):
    """Why a link does nothing."""

    FORGED = "forged"
    EXPIRED = "expired"
    GONE = "gone"
    """What it was about, or who it was for, is no longer there."""
    CHOICE = "choice"
    """It has no such choice."""


class LinkError(Exception):
    """`locale` and `help_url` are the holder's and his marketplace's, "" where nobody is known."""

    def __init__(self, why: LinkFault, *, locale: str = "", help_url: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.locale = locale
        self.help_url = help_url


class PolicyVersion(NamedTuple):
    """`effective`: when it took or takes effect, as its readers count. `summary`: the operator's words, "" for none;
    `changes`: each setting that differs from the version before, in words."""

    version: str
    effective: str
    in_force: bool
    summary: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changelog:
    """Newest first; `locales` are those that it can be had in."""

    marketplace: str
    help_url: str
    locale: str
    locales: tuple[str, ...]
    versions: tuple[PolicyVersion, ...]


class SignedLinks(Protocol):
    """A token alone says who acts and about what; nothing else in a request can change that. Both verbs raise LinkError
    and UnavailableError. `act` is idempotent: the same choice again shows the same page and changes nothing."""

    async def look(self, token: str) -> Offer:
        """Changes nothing."""
        ...

    async def act(self, token: str, choice: str, words: str = "") -> Offer:
        """`words` are what a reporter typed."""
        ...

    def changelog(self, marketplace_id: str, wanted: Sequence[str]) -> Changelog | None:
        """The policy versions that sellers were told of (R-POL-20), in the first of the `wanted` languages that the
        marketplace speaks; None without such a marketplace."""
        ...
