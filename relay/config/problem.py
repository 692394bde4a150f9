"""The problems of a configuration, in words that let its owner correct all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration.

    `key` is the path in the file ("listener[0].port"), `what` is wrong there, `fix` is the correction.
    """

    key: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}; {self.fix}"


class ConfigError(Exception):
    """All problems of one configuration. Its text is one line per problem, under a line that names the source."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))
