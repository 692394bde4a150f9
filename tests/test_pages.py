"""The documents are found from README, their links lead somewhere, and decisions have one shape."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\]\(([^)#\s]+)")


def test_readme_links_every_page() -> None:
    linked = set(_LINK.findall((ROOT / "README.md").read_text("utf-8")))
    pages = [path.relative_to(ROOT).as_posix() for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])]
    pages = [page for page in pages if page != "README.md"] + ["docs/decisions/"]
    missing = [page for page in pages if page not in linked]
    assert not missing, f"README.md must link these pages as [words](path): {missing}"


def test_every_link_of_a_page_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken, f"these links lead nowhere: {broken}"


def test_every_decision_has_a_number_a_status_and_a_date() -> None:
    shape = re.compile(
        r"# (\d{4}): \S.*\n\nStatus: (proposed|accepted|superseded by \d{4})\nDate: \d{4}-\d{2}-\d{2}\n\n"
    )
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    shapeless = [
        path.name
        for path in decisions
        if not (found := shape.match(path.read_text("utf-8"))) or found[1] != path.name[:4]
    ]
    assert shapeless == ["0000-template.md"], "begin a decision as docs/decisions/0000-template.md does"
