"""A setting that differs between two versions of a policy (R-POL-15, R-POL-20)."""

from typing import NamedTuple


class SettingChange(NamedTuple):
    """A setting with different values in two versions of a policy.

    `path` is the setting's key path in the policy file, such as "quotas.pair_per_day". `old` and `new` are its values
    in the earlier and the later version, None if the version does not have the setting.
    """

    path: str
    old: object
    new: object
