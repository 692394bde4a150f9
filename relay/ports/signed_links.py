"""The pages and actions of signed links, for the web edge (R-POL-02, R-SND-02, R-REW-09).

`relay.signed_links` implements them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from relay.core.model.kind import Kind
from relay.core.signed_link import Purpose


class LinkWords(NamedTuple):
    """The states and the choices of one purpose. Each has a text `page.PURPOSE.STATE` or `page.PURPOSE.CHOICE`."""

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
    Purpose.CONFIRM: LinkWords(("open", "also_held", "released", "refused", "over"), ("mine", "always", "not_mine")),
    Purpose.REOPEN: LinkWords(("closed", "open"), ("reopen",)),
    Purpose.PRODUCT_SUPPORT: LinkWords(("on", "off"), ("turn_on", "turn_off")),
}
ONE_CLICK: Final = "one_click"
"""The choice of one-click unsubscription, made by a mail program (RFC 8058): the buyer wants no more mail of this
seller."""
FACTS: Final = ("from", "order", "received", "subject", "sender", "signed_by", "waiting", "record")
"""The facts that a page may show about the subject of its link, each with a label `page.about.FACT`."""


class Choice(NamedTuple):
    """A button. `state` is the present state if each choice has its own, else ""."""

    value: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The page of a link.

    `about` has the facts that its reader may know: never a real address of the other side, and of messages only the
    subject of one that the reader is said to have written. `done` is whether the choice was just made.
    """

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
    """The reason why a link has no effect."""

    FORGED = "forged"
    EXPIRED = "expired"
    GONE = "gone"
    """The subject of the link, or the person whom it was for, no longer exists."""
    CHOICE = "choice"
    """The link has no such choice."""


class LinkError(Exception):
    """A link that has no effect.

    `locale` is the holder's and `help_url` their marketplace's; both are "" if the holder is unknown.
    """

    def __init__(self, why: LinkFault, *, locale: str = "", help_url: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.locale = locale
        self.help_url = help_url


class PolicyVersion(NamedTuple):
    """One version of a policy.

    `effective` is when it takes effect, in the readers' time; `summary` is the operator's text, "" for none; `changes`
    describes each setting that differs from the version before.
    """

    version: str
    effective: str
    in_force: bool
    summary: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changelog:
    """The versions of a policy, newest first. `locales` are the languages that the page exists in."""

    marketplace: str
    help_url: str
    locale: str
    locales: tuple[str, ...]
    versions: tuple[PolicyVersion, ...]


class SignedLinks(Protocol):
    """The token alone determines who acts, and on which subject; nothing else in a request can change that.

    `look` and `act` raise LinkError and UnavailableError.
    """

    async def look(self, token: str) -> Offer:
        """Returns the page of a link, and changes nothing."""
        ...

    async def act(self, token: str, choice: str, words: str = "") -> Offer:
        """Carries out a choice and returns the page.

        The same choice again returns the same page and changes nothing. `words` is the text that a reporter typed.
        """
        ...

    def changelog(self, marketplace_id: str, wanted: Sequence[str]) -> Changelog | None:
        """Returns the policy versions that were announced to sellers (R-POL-20).

        They are in the first of the `wanted` languages that the marketplace uses. Returns None if there is no such
        marketplace.
        """
        ...
