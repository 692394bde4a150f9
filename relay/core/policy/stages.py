"""The table of all rules: every module of `relay.core.policy.rules`, by stage and rank.

A new rule is a new file there with a `RULE`; no list elsewhere names it. `docs/policy.md` shows the table to people.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from relay.core.policy import rules
from relay.core.policy.rule import HeaderRule, MessageRule, Rule, Stage


def _found() -> Iterator[tuple[str, Rule]]:
    """Every rule with the name of its module. Raises TypeError for a module without a RULE."""
    for module in pkgutil.iter_modules(rules.__path__):
        rule = getattr(import_module(f"{rules.__name__}.{module.name}"), "RULE", None)
        if not isinstance(rule, HeaderRule | MessageRule):
            raise TypeError(f"relay/core/policy/rules/{module.name}.py needs a RULE, a HeaderRule or a MessageRule")
        yield module.name, rule


RULES: Final[Mapping[str, Rule]] = dict(sorted(_found(), key=lambda found: (found[1].stage.value, found[1].rank)))
"""By the name of the file, in the order in which a decision asks them."""

STAGES: Final[Mapping[Stage, tuple[Rule, ...]]] = {
    stage: tuple(rule for rule in RULES.values() if rule.stage is stage) for stage in Stage
}
HEADER_RULES: Final = tuple(rule for rule in RULES.values() if isinstance(rule, HeaderRule))
"""All rules that can be asked before a message is written."""
