"""Golden files that hold several named texts."""

import os
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "golden"
_MARK = "======== "


def held(name: str, shown: Mapping[str, str]) -> dict[str, str]:
    """The texts in a golden file by their names. With RELAY_UPDATE in the environment `shown` is written to it first."""
    path = _FOLDER / name
    if os.environ.get("RELAY_UPDATE"):
        path.write_text("".join(f"{_MARK}{title}\n{text}" for title, text in shown.items()), encoding="utf-8")
    sections = path.read_text(encoding="utf-8").split(_MARK)[1:]
    return {title: text for title, _, text in (section.partition("\n") for section in sections)}
