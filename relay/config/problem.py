"""The problems of a configuration file, with texts that say how to correct them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration file.

    `key` is the path of the key in the file, such as "listener[0].port". `what` describes the problem, and `fix` says
    how to correct it.
    """

    key: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}; {self.fix}"


class ConfigError(Exception):
    """A configuration file has problems.

    The text of the error is a line that names the source, then one line per problem.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))
