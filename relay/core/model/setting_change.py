"""A setting that differs between two versions of a policy (R-POL-15, R-POL-20)."""

from typing import NamedTuple


class SettingChange(NamedTuple):
    """A setting with different values in two versions of a policy.

    `path` is the setting's key path in the policy file ("quotas.pair_per_day"). `old` and `new` are its values, None
    where a version does not have it. A set may be given as a set.
    """

    path: str
    old: object
    new: object
