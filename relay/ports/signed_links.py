"""The port of signed links for the web edge: the pages behind the links, and their actions.

`relay.signed_links` implements it (R-POL-02, R-SND-02, R-REW-09).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from relay.core.model.kind import Kind
from relay.core.signed_link import Purpose


class LinkWords(NamedTuple):
    """The names of the states and choices of one purpose of a link.

    Each state has a text `page.PURPOSE.STATE` in the catalogue, and each choice a text `page.PURPOSE.CHOICE`.
    """

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
"""The choice that a mail program sends for one-click unsubscription (RFC 8058): no more mail of this seller."""
FACTS: Final = ("from", "order", "received", "subject", "sender", "signed_by", "waiting", "record")
"""The names of the facts that a page may show about the subject of its link. Each has a label `page.about.FACT`."""


class Choice(NamedTuple):
    """A button on a page.

    `state` is the present state of the button's setting, or "" if all buttons of the page share one state.
    """

    value: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The content of the page behind a link.

    `about` has the facts that the reader may see. It never has a real address of the other side, and it has the subject
    line of a message only if the message is said to be the reader's own. `done` is True if the choice was made by this
    request.
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
    """The subject of the link, or the party that the link was made for, no longer exists."""
    CHOICE = "choice"
    """The link does not offer the requested choice."""


class LinkError(Exception):
    """Raised for a link that has no effect.

    `locale` is the language of the link's holder, and `help_url` the URL of the holder's marketplace. Both are "" if
    the holder is unknown.
    """

    def __init__(self, why: LinkFault, *, locale: str = "", help_url: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.locale = locale
        self.help_url = help_url


class PolicyVersion(NamedTuple):
    """One version of a policy.

    `effective` is the time from which the version applies, in the reader's time zone. `summary` is the operator's text,
    or "". `changes` describes each setting that differs from the previous version.
    """

    version: str
    effective: str
    in_force: bool
    summary: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changelog:
    """The versions of a policy, the newest first. `locales` are the languages in which the page can be shown."""

    marketplace: str
    help_url: str
    locale: str
    locales: tuple[str, ...]
    versions: tuple[PolicyVersion, ...]


class SignedLinks(Protocol):
    """Shows the pages of signed links, and carries out the choices of their readers.

    The token alone determines the acting party and the subject. No other part of a request can change them. `look` and
    `act` raise LinkError and UnavailableError.
    """

    async def look(self, token: str) -> Offer:
        """Returns the content of the page behind a link, and changes nothing. Raises LinkError and UnavailableError."""
        ...

    async def act(self, token: str, choice: str, words: str = "") -> Offer:
        """Carries out a choice, commits its effect, and returns the content of the page after it.

        A choice that was already made returns the same page and changes nothing. `words` is the text that a reporter
        has typed. Raises LinkError and UnavailableError.
        """
        ...

    def changelog(self, marketplace_id: str, wanted: Sequence[str]) -> Changelog | None:
        """Returns the policy versions that were announced to sellers (R-POL-20); None for an unknown marketplace.

        The texts are in the first of the `wanted` languages that the marketplace uses. Raises nothing.
        """
        ...
