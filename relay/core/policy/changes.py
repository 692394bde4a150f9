"""Lists the settings of a policy, and the changes between two versions (R-POL-15, R-POL-20)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from relay.core.model.policy import Policy
from relay.core.model.setting_change import SettingChange

_ABOUT: Final = frozenset({"version", "effective_at", "summary"})
"""The keys that identify a version of the policy; they are not settings."""


class PolicyHistoryEntry(NamedTuple):
    """One version of a policy and its changes since the version before it; the first version has no changes."""

    policy: Policy
    changes: tuple[SettingChange, ...]


def settings(policy: Policy) -> dict[str, object]:
    """Returns the value of each setting by its key path, in the order of the policy file."""
    return {path: value for path, value in _settings("", policy) if path.partition(".")[0] not in _ABOUT}


def changes(old: Policy, new: Policy) -> Sequence[SettingChange]:
    """Returns the settings that differ between two versions, in the order of the policy file.

    The old or the new value is None if that version has no action for the kind that the setting names.
    """
    before, after = settings(old), settings(new)
    return [
        SettingChange(path, before.get(path), after.get(path))
        for path in dict.fromkeys((*after, *before))
        if before.get(path) != after.get(path)
    ]


def changelog(policies: Sequence[Policy]) -> Sequence[PolicyHistoryEntry]:
    """Returns all versions, the newest first; `policies` are in the order of `Marketplace.policies`."""
    later = [PolicyHistoryEntry(new, tuple(changes(old, new))) for old, new in pairwise(policies)]
    return [*reversed(later), PolicyHistoryEntry(policies[0], ())]


def _settings(path: str, value: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _settings(f"{path}.{field.name}" if path else field.name, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield f"{path}.{key}", value[key]
    else:
        yield path, value
