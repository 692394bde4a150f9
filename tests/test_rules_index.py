"""docs/rules.md has one line for each requirement that the repository names, and for no other."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "rules.md"
_FOLDERS = ("relay", "tests", "docs", "bench", "deploy")
_FILES = ("README.md", "CHANGELOG.md", "SECURITY.md", "config.example.toml", "pyproject.toml", "Makefile")
_ID = re.compile(rb"\bR-[A-Z]{2,3}-\d{2}\b")


def _sources() -> Iterator[Path]:
    """The files of the repository that may name a requirement, all but docs/rules.md."""
    for path in [*(path for folder in _FOLDERS for path in (ROOT / folder).rglob("*")), *map(ROOT.joinpath, _FILES)]:
        if path.is_file() and "__pycache__" not in path.parts and path != RULES:
            yield path


def _named() -> dict[str, str]:
    """Returns a file that names it for each requirement."""
    return {
        found.decode(): str(path.relative_to(ROOT)) for path in _sources() for found in _ID.findall(path.read_bytes())
    }


def _listed() -> list[str]:
    return re.findall(r"^\| (R-[A-Z]{2,3}-\d{2}) \| \S", RULES.read_text("utf-8"), re.MULTILINE)


def test_every_requirement_that_is_named_stands_in_the_rules() -> None:
    listed = set(_listed())
    missing = [f"{name} (named in {path})" for name, path in sorted(_named().items()) if name not in listed]
    assert not missing, f"add one line to docs/rules.md for each of: {', '.join(missing)}"


def test_every_rule_is_named_somewhere() -> None:
    idle = sorted(set(_listed()) - _named().keys())
    assert not idle, (
        f"nothing names these rules of docs/rules.md: name them at their code and tests, or remove them: {idle}"
    )


def test_each_rule_has_one_line_and_families_are_in_order() -> None:
    listed = _listed()
    assert len(set(listed)) == len(listed), "docs/rules.md lists a rule twice"
    for family in dict.fromkeys(one[:-3] for one in listed):
        rules = [one for one in listed if one.startswith(family)]
        assert rules == sorted(rules), f"the rules of {family} are not in order in docs/rules.md"


def test_the_rules_name_every_file_that_has_longer_tests() -> None:
    long_forms = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and "pytest.mark.more" in path.read_text("utf-8")
    }
    table = RULES.read_text("utf-8").partition("## Proven by `make test-more` alone")[2]
    assert set(re.findall(r"^\| `(tests/\S+)` \|", table, re.MULTILINE)) == long_forms, (
        "the last table of docs/rules.md must name the files with tests that only `make test-more` runs, and no others"
    )
