"""Defines the description of a policy rule: its stage, rank, reason codes, settings and function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Literal

from relay.core.model.reason import ReasonCode
from relay.core.policy.case import Case, Finding, HeaderCase


class Stage(IntEnum):
    """The stages of a decision, in the order in which `decide` runs them."""

    TRANSPORT = auto()
    """Rules about mail loops and the size of the message."""
    AUTHOR = auto()
    """Rules about the writer and the writer's account. Their findings reveal nothing about the recipient."""
    FORM = auto()
    """Rules about the form of the mail: automatic replies and signatures."""
    PARTIES = auto()
    """Rules about the recipient, the order, the thread and the opt-out. They run for registered writers only."""
    CONTENT = auto()
    """Rules about the text, the attachments and the results of the scanners."""
    QUOTA = auto()
    """Rules about the number of messages per day. A message is counted at arrival, for the day on which it is sent."""
    TIME = auto()
    """Rules about quiet hours and the configured delay. They run only for mail that is relayed."""
    PROBING = auto()
    """Rules about the number of verdicts that the writer has learned. Above the limit a hold replaces the verdict."""


HeaderStage = Literal[Stage.AUTHOR, Stage.PARTIES]
MessageStage = Literal[Stage.TRANSPORT, Stage.FORM, Stage.CONTENT, Stage.QUOTA, Stage.TIME, Stage.PROBING]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """A rule that needs only the parties and the header of a message, so it can also run before a message is written.

    `rank` orders the rules of one stage, and so also the reasons of a verdict. `reasons` are the codes that the rule
    may give. `settings` are the key paths of the policy settings that the rule reads: "threads.close_s" names one
    setting, "quotas" a whole section. `judge` returns the findings of the rule about one case.
    """

    stage: HeaderStage
    rank: int
    reasons: tuple[ReasonCode, ...]
    settings: tuple[str, ...] = ()
    judge: Callable[[HeaderCase], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    """A rule that needs the whole message. Its fields have the same meanings as those of `HeaderRule`."""

    stage: MessageStage
    rank: int
    reasons: tuple[ReasonCode, ...]
    settings: tuple[str, ...] = ()
    judge: Callable[[Case], Iterator[Finding]]


Rule = HeaderRule | MessageRule
