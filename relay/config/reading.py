"""Reads the configuration file, and makes `Marketplace` objects from its sections."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path

from msgspec import structs

from relay.config.checks import across
from relay.config.file import read_text
from relay.config.policies import policies
from relay.config.problem import ConfigError, Problem
from relay.config.sections import Config, MarketplaceSection
from relay.config.tree import read
from relay.core.mail import address
from relay.core.model.marketplace import Marketplace, MarketplaceSettings
from relay.core.model.policy import Policy


def parse(text: str, *, source: str = "config") -> Config:
    """Returns the configuration in a TOML text. Raises ConfigError with all problems of the text.

    `source` is the name of the file, for the error.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, [Problem("TOML", str(error), "correct the syntax there first")]) from None
    problems: list[Problem] = []
    config: Config = read(Config, tree, "", problems)
    broken = {_section(problem.key) for problem in problems}
    # An invalid value was replaced by a stand-in, which must not cause errors about other keys of the same table.
    problems += [problem for problem in across(config) if _section(problem.key) not in broken]
    if problems:
        raise ConfigError(source, problems)
    return config


def load(path: Path) -> Config:
    """Returns the configuration in a file.

    Raises ConfigError with all problems of the file, or if the file cannot be read.
    """
    fix = "make one with `relay init`, or name yours with --config or RELAY_CONFIG"
    text = read_text(path, if_missing=fix)
    config = parse(text, source=str(path))
    return structs.replace(config, marketplace=tuple(_found_from(path, section) for section in config.marketplace))


def marketplaces(config: Config) -> tuple[Marketplace, ...]:
    """Returns the configured marketplaces with their policies. Raises ConfigError if a policy file has problems."""
    return tuple(_marketplace(section, config.limits.message_bytes) for section in config.marketplace)


def _found_from(path: Path, section: MarketplaceSection) -> MarketplaceSection:
    """Returns the section with an absolute path of its policies.

    `path` is the configuration file; a relative path of the policies starts from its directory.
    """
    if not section.policies:
        return section
    return replace(section, policies=str(path.resolve().parent / section.policies))


def _marketplace(section: MarketplaceSection, message_bytes: int) -> Marketplace:
    settings = {field.name: getattr(section, field.name) for field in fields(MarketplaceSettings)}
    return Marketplace(**settings, policies=tuple(_limited(one, message_bytes) for one in _policies(section)))


def _policies(section: MarketplaceSection) -> tuple[Policy, ...]:
    found = policies(Path(section.policies)) if section.policies else (Policy(),)
    ours = {section.domain, section.mobile_domain} - {""}
    looping = [one for one in found if address.fold_domain(one.fulfilment.operator.rpartition("@")[2]) in ours]
    if looping:
        what = "is at an alias domain, so mail would loop"
        problems = [Problem(f"{one.version}: fulfilment.operator", what, "name a mailbox elsewhere") for one in looping]
        raise ConfigError(section.policies, problems)
    return found


def _limited(policy: Policy, message_bytes: int) -> Policy:
    """Returns the policy with its limit of the message size reduced to the SMTP server's limit, if it was higher."""
    allowed = min(policy.limits.message_bytes, message_bytes)
    return replace(policy, limits=replace(policy.limits, message_bytes=allowed))


def _section(key: str) -> str:
    """Returns the path of the table that contains a key: "listener[0]" for "listener[0].port".

    For a key at the top level, returns the key itself.
    """
    return key.rpartition(".")[0] or key
