"""How a rule of the policy presents itself: its stage, its reason codes, its settings and its function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from relay.core.model.reason import ReasonCode
from relay.core.policy.case import Case, Finding, HeaderCase


class Stage(Enum):
    """The stages of a decision, in the order in which `decide` runs them."""

    TRANSPORT = auto()
    """Loops and size."""
    AUTHOR = auto()
    """The writer and the writer's account. Says nothing about the recipient."""
    FORM = auto()
    """The form of the mail: automatic replies, signatures."""
    PARTIES = auto()
    """The recipient, the order, the thread and the opt-out. For registered writers only."""
    CONTENT = auto()
    """The text, the attachments and the results of the scanners."""
    QUOTA = auto()
    """Counts of messages per day. A message is counted at arrival, for the day on which it leaves."""
    TIME = auto()
    """Quiet hours and delay, for mail that is relayed."""
    PROBING = auto()
    """How many verdicts the writer has had today. Above the limit the verdict is kept back."""


HeaderStage = Literal[Stage.AUTHOR, Stage.PARTIES]
MessageStage = Literal[Stage.TRANSPORT, Stage.FORM, Stage.CONTENT, Stage.QUOTA, Stage.TIME, Stage.PROBING]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """A rule that needs no message, only its parties and its header: it is asked before a message is written too.

    `rank` orders the rules of a stage, and with them the reasons of a verdict. `reasons` are the codes that the rule
    may give; `settings` are the key paths of the policy that it reads ("threads.close_s", or "quotas" for a section).
    """

    stage: HeaderStage
    rank: int
    reasons: tuple[ReasonCode, ...]
    settings: tuple[str, ...] = ()
    judge: Callable[[HeaderCase], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    """A rule about a whole message. The fields are those of `HeaderRule`."""

    stage: MessageStage
    rank: int
    reasons: tuple[ReasonCode, ...]
    settings: tuple[str, ...] = ()
    judge: Callable[[Case], Iterator[Finding]]


Rule = HeaderRule | MessageRule
