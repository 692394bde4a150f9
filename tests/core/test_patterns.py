"""The regular expressions in the source, read as text."""

import re
from pathlib import Path

import relay

POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{\{?\d*,?\d*\}\}?)\+")


def test_no_group_is_possessive() -> None:
    """CPython before 3.11.5 reports text that such a group has tried in vain as found (gh-106052).

    With Debian 12's own Python no header was read. An atomic group around it means the same and is right in all
    versions.
    """
    found = {
        f"{path.name}:{number}"
        for path in Path(relay.__file__).parent.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    }
    assert found == set()
