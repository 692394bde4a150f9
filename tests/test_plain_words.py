"""Docstrings, comments and the CLI's texts of `relay/` are plain English: full sentences, and the field's own words.

A reader whose first language is not English must understand each sentence at first reading. Ruff checks the form (D205,
D400, D415: a one-line summary that ends with a full stop, then a blank line); the stop list here checks the words.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[1]

NOT_REWRITTEN: Final[tuple[str, ...]] = ()
"""The rooms whose prose is not plain yet. Rewrite one, and delete its line; add no line."""

_SENTENCE: Final = r"(?:\A|(?<=[.;:] )|(?<=\n\n))"

WORDS: Final[tuple[tuple[str, str], ...]] = (
    (
        _SENTENCE + r"(?:What|Who|Whom|Whose)\b",
        "name the thing or the person: 'The fields that ...', 'The party that ...'",
    ),
    (r"(?i:\bwhoever\b)", "name the person: 'a reader who', 'the party that'"),
    (_SENTENCE + r"One (?:that|who|whose|which|of)\b", "repeat the noun: 'A message that ...'"),
    (r"(?i:\bthe like\b|\bof (?:its|their) like\b)", "list the things, or name their kind: 'similar notices'"),
    (r"(?<!there )\bis none\b", "write the negation: 'is not a domain', 'does not exist'"),
    (r"(?i:\banew\b)", "write 'again' or 'new'"),
    (
        r"(?i:\b(?:goes|go|went|gone|comes|came) back to (?:its|the|their) (?:writer|sender|author)\b)",
        "write 'is returned'",
    ),
    (r"(?i:\b(?:goes|go) back(?! to\b))", "write 'is returned', or what happens"),
    (r"(?i:\b(?:is|are|was|were|be) away\b)", "write 'is unavailable'"),
    (r"(?i:\btold\b)", "write 'gets a notice', 'is shown', 'is reported', or 'learns'"),
    (
        r"(?i:\b(?:somebody|someone|owner)'s word\b|\ba word about\b|\bfor (?:a|its|the) word\b)",
        "write 'decision'",
    ),
    (r"(?i:\bdoors?\b)", "write 'listener' or 'port'"),
    (r"(?i:\bdesk\b)", "name the class or its role"),
    (r"(?i:\bthe house\b)", "write 'the relay' or 'the services'"),
    (r"\b(?:[Hh]e|[Hh]im|[Hh]is|[Hh]imself)\b", "write 'the writer', 'the seller', 'the party', or 'they'"),
)
"""Patterns that no sentence may contain, each with the advice for its author."""

FIRST_WORDS: Final = frozenset(
    {"What", "Who", "Whom", "Whose", "Whoever", "One", "Of", "That", "Those", "How", "When", "Where"}
)
"""Words with which no function's docstring may begin: 'Returns', 'Raises', 'Whether' or a noun says more."""


class Prose(NamedTuple):
    """A docstring, comment or text; `is_function` for the docstring of a function."""

    line: int
    text: str
    is_function: bool = False


def docstrings(tree: ast.AST) -> Iterator[Prose]:
    """Yields the docstrings of modules, classes, functions and assigned names."""
    functions = {
        id(node.body[0]) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Prose(node.lineno, _unwrapped(node.value.value), id(node) in functions)


def _unwrapped(text: str) -> str:
    """Joins the lines of each paragraph, so that a phrase is found across line ends."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def comments(source: str) -> Iterator[Prose]:
    """Yields the comments; consecutive lines make one."""
    start, last, lines = 0, -1, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and lines:
            yield Prose(start, " ".join(lines))
            lines = []
        start = start if lines else token.start[0]
        last = token.start[0]
        lines.append(token.string.lstrip("# "))
    if lines:
        yield Prose(start, " ".join(lines))


def texts(tree: ast.AST) -> Iterator[Prose]:
    """Yields the string literals with a space, which people may read; docstrings are left out."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            text = " ".join(node.value.split())
            if " " in text:
                yield Prose(node.lineno, text)


def faults_of(prose: Prose) -> Iterator[str]:
    """Yields the faults of one text, each with its advice."""
    first = prose.text.partition(" ")[0].rstrip(".,:;")
    if prose.is_function and first in FIRST_WORDS:
        yield f"it begins with {first!r}: begin with a verb ('Returns ...') or the noun that is returned"
    for pattern, advice in WORDS:
        if found := re.search(pattern, prose.text):
            yield f"{found[0]!r}: {advice}"


def faults(path: Path) -> list[str]:
    """Returns the faults of a file as lines for the reader of a failure."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    shown = path.relative_to(ROOT)
    prose = [*docstrings(tree), *comments(source)]
    if shown.parts[:2] == ("relay", "cli"):
        prose += texts(tree)
    return [f"{shown}:{one.line}: {fault}\n    {one.text[:160]}" for one in prose for fault in faults_of(one)]


def _room(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return next((room for room in NOT_REWRITTEN if name == room or (room[-1] == "/" and name.startswith(room))), "")


FILES: Final = sorted((ROOT / "relay").rglob("*.py"))


def test_the_prose_is_plain() -> None:
    found = [line for path in FILES if not _room(path) for line in faults(path)]
    assert not found, "rewrite these sentences (the rules stand in tests/test_plain_words.py):\n" + "\n".join(found)


@pytest.mark.parametrize("room", NOT_REWRITTEN)
def test_a_room_with_plain_prose_leaves_the_list(room: str) -> None:
    files = [path for path in FILES if _room(path) == room]
    assert any(faults(path) for path in files), f"delete {room!r} from NOT_REWRITTEN: nothing in it needs the exception"


@pytest.mark.parametrize(
    "text",
    [
        "What is left to ask.",
        "The route. What is left goes on.",
        "The reply of whoever asked.",
        "Ends here. One that is older wins.",
        "A name that is none is ignored.",
        "Written anew at each start.",
        "At its due time it goes back.",
        "The store is away for now.",
        "The writer is told.",
        "It waits for a word.",
        "The door by which it came.",
        "The seller and his mailbox.",
    ],
)
def test_a_sentence_on_the_list_is_found(text: str) -> None:
    assert list(faults_of(Prose(1, text)))


@pytest.mark.parametrize(
    "text",
    [
        "Returns the entry, None when there is none.",
        "Whether the writer is registered.",
        "The addresses that the party had, with their states.",
        "The message is returned to its writer.",
        "A host that is unavailable.",
    ],
)
def test_a_plain_sentence_is_not(text: str) -> None:
    assert not list(faults_of(Prose(1, text, is_function=True)))


def test_every_kind_of_prose_is_read() -> None:
    source = '"""A module."""\nX = 1\n"""A value."""\n\n\n# A comment\n# of two lines\ndef f() -> str:\n    """One."""\n    return "a text"\n'
    tree = ast.parse(source)
    assert sorted(docstrings(tree)) == [(1, "A module.", False), (3, "A value.", False), (9, "One.", True)]
    assert list(comments(source)) == [(6, "A comment of two lines", False)]
    assert list(texts(tree)) == [(10, "a text", False)]
    assert list(faults_of(Prose(9, "One.", is_function=True)))
