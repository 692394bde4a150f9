"""Builds the table of all policy rules from the modules of `relay.core.policy.rules`, ordered by stage and rank.

To add a rule, add a module with a `RULE` to that package; no other list has to name the rule. `docs/policy.md` shows
the table to its readers.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from relay.core.policy import rules
from relay.core.policy.rule import HeaderRule, MessageRule, Rule, Stage


def _found() -> Iterator[tuple[str, Rule]]:
    """Yields the name and the rule of each module in `rules`. Raises TypeError for a module without a `RULE`."""
    for module in pkgutil.iter_modules(rules.__path__):
        rule = getattr(import_module(f"{rules.__name__}.{module.name}"), "RULE", None)
        if not isinstance(rule, HeaderRule | MessageRule):
            raise TypeError(f"relay/core/policy/rules/{module.name}.py needs a RULE, a HeaderRule or a MessageRule")
        yield module.name, rule


RULES: Final[Mapping[str, Rule]] = dict(sorted(_found(), key=lambda found: (found[1].stage.value, found[1].rank)))
"""All rules by the names of their modules, in the order of stage and rank, in which a decision runs them."""

STAGES: Final[Mapping[Stage, tuple[Rule, ...]]] = {
    stage: tuple(rule for rule in RULES.values() if rule.stage is stage) for stage in Stage
}
HEADER_RULES: Final = tuple(rule for rule in RULES.values() if isinstance(rule, HeaderRule))
"""All rules that need no message, so that they can also run before a message is written."""
