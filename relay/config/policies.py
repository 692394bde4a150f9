"""Reads the policy files of a marketplace (R-POL-15): a directory of `*.toml`, one version per file.

Each version is in force from its `effective_at` until the `effective_at` of the next version. Before the first version
takes effect, the built-in policy is in force. All problems of all files are reported at once.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

from relay.config.file import read_text
from relay.config.problem import ConfigError, Problem
from relay.config.tree import read
from relay.core.mail.address import fold_domain
from relay.core.model.policy import Policy
from relay.core.wall_clock import zone


def default_text() -> str:
    """Returns the text of a policy file, with comments, that is equal to the built-in policy."""
    return (files("relay.config") / "default_policy.toml").read_text(encoding="utf-8")


def policy(text: str, *, source: str) -> Policy:
    """Returns the policy in the text of a policy file. Raises ConfigError with all problems of the text.

    `source` is the name of the file, for the error.
    """
    problems: list[Problem] = []
    found = _parsed(text, problems)
    if found is None:
        raise ConfigError(source, problems)
    return found


def policies(path: Path) -> tuple[Policy, ...]:
    """Returns the versions of the policy in a directory of policy files, sorted by `effective_at`.

    If `path` is a single file, returns only the version in this file. The built-in policy is the first of the result
    if no version in the directory takes effect before it. Raises ConfigError with all problems of all files.
    """
    if not path.is_dir():
        return (policy(read_text(path, if_missing="see `relay policy default`"), source=str(path)),)
    found: dict[str, Policy] = {}
    problems: list[Problem] = []
    for one in sorted(path.glob("*.toml")):
        try:
            found[one.name] = policy(read_text(one, if_missing="see `relay policy default`"), source=one.name)
        except ConfigError as error:
            problems += (Problem(f"{one.name}: {p.key}", p.what, p.fix) for p in error.problems)
    if not found and not problems:
        problems.append(Problem("*.toml", "there is none", "begin with `relay policy default > FILE`"))
    problems += _clashes(found)
    if problems:
        raise ConfigError(str(path), problems)
    return with_builtin(found.values())


def with_builtin(found: Iterable[Policy]) -> tuple[Policy, ...]:
    """Returns the versions sorted by `effective_at`; at least one must be given.

    The built-in policy is added as the first one, unless a version takes effect at the same time or earlier.
    """
    ordered = sorted(found, key=lambda one: one.effective_at)
    builtin = Policy()
    return tuple(ordered) if ordered[0].effective_at <= builtin.effective_at else (builtin, *ordered)


def _parsed(text: str, problems: list[Problem]) -> Policy | None:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem("TOML", str(error), "correct the syntax there first"))
        return None
    found: Policy = read(Policy, tree, "", problems)
    broken = {problem.key.partition(".")[0] for problem in problems}
    problems += (problem for problem in _across(found, tree) if problem.key.partition(".")[0] not in broken)
    if problems:
        return None
    at = found.effective_at
    return found if at.tzinfo else replace(found, effective_at=at.replace(tzinfo=zone(found.hours.time_zone)))


def _across(policy: Policy, tree: dict[str, Any]) -> Iterator[Problem]:
    """Yields the problems that concern several keys of a policy, such as limits that contradict each other.

    `tree` is the parsed file.
    """
    bypass = policy.bypass
    if not bypass.warn_at <= bypass.smaller_at <= bypass.off_at:
        yield Problem("bypass.warn_at", "is above smaller_at or off_at", "write warn_at <= smaller_at <= off_at")
    if bypass.per_day and bypass.smaller_per_day > bypass.per_day:
        yield Problem("bypass.smaller_per_day", "is more than per_day", f"write at most {bypass.per_day}")
    domains = [str(name) for name in tree.get("content", {}).get("allowed_domains", ())]
    for index, name in enumerate(domains):
        if fold_domain(name) in map(fold_domain, domains[:index]):
            yield Problem(f"content.allowed_domains[{index}]", "is listed already", "remove it")
    if policy.response.business_days and not policy.response.work_days:
        yield Problem("response.work_days", "is empty", "name the working days, or write business_days = false")


def _clashes(found: dict[str, Policy]) -> Iterator[Problem]:
    """Yields the problems between the versions of a directory; `found` has the policies by file name.

    Two versions may not have the same name, because each record names its version. Two versions may not take effect at
    the same time, because it would not be clear which of them is in force.
    """
    builtin = Policy()
    for name, one in found.items():
        if one.version == builtin.version and one != builtin:
            yield Problem(f"{name}: version", f'"{one.version}" is the built-in policy\'s', "give yours another name")
    for (first, one), (name, two) in combinations(found.items(), 2):
        if one.version == two.version:
            yield Problem(f"{name}: version", f'"{two.version}" is {first} already', "each version needs its own name")
        if one.effective_at == two.effective_at:
            yield Problem(f"{name}: effective_at", f"is the same as in {first}", "choose another time")
