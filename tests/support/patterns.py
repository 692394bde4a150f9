"""All regular expressions of the package, and the texts that make each of them as slow as it can get."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr, Final, NamedTuple
from unittest.mock import patch

import relay

# Python's own parser of patterns, and its table of what a parsed pattern is made of; type checkers know neither.
parser: Final = importlib.import_module("re._parser")
sre: Final = importlib.import_module("re._constants")
_UNBOUNDED: Final = 64
"""A repetition of so many times counts as one without a limit."""
_MOST_ALTERNATIVES: Final = 4
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


class Named(NamedTuple):
    """A pattern with the module and the name where it stands."""

    place: str
    pattern: re.Pattern[Any]


# ---------------------------------------------------------------- where they stand


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(relay.__path__, "relay."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def compiled() -> list[Named]:
    """Returns each pattern that a module or a class of the package holds, also within tables and objects."""
    found: dict[int, Named] = {}
    for module in modules():
        for name, value in vars(module).items():
            if getattr(value, "__module__", module.__name__) == module.__name__ or not inspect.isclass(value):
                _collect(f"{module.__name__}.{name}", value, found, depth=0)
    return list(found.values())


def _collect(place: str, value: Any, found: dict[int, Named], depth: int) -> None:
    if isinstance(value, re.Pattern):
        found.setdefault(id(value), Named(place, value))
    elif depth > 4 or isinstance(value, str | bytes | int | float):
        return
    elif isinstance(value, functools.partial):
        _collect(place, (value.func, value.args), found, depth + 1)
    elif inspect.isfunction(value):
        cells = (cell.cell_contents for cell in value.__closure__ or ())
        _collect(place, [one for one in cells if not inspect.ismodule(one)], found, depth + 1)
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        _collect(place, value.__self__, found, depth + 1)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            _collect(f"{place}[{key!r}]", one, found, depth + 1)
            _collect(f"{place}[{key!r}]", key, found, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for number, one in enumerate(value):
            _collect(f"{place}[{number}]", one, found, depth + 1)
    elif type(value).__module__.startswith("relay.") and not inspect.ismodule(value):
        for name in (*getattr(type(value), "__slots__", ()), *getattr(value, "__dict__", {})):
            _collect(f"{place}.{name}", getattr(value, name, None), found, depth + 1)
    elif inspect.isclass(value) and value.__module__.startswith("relay."):
        for name, one in vars(value).items():
            _collect(f"{place}.{name}", one, found, depth + 1)


def made_in_functions() -> set[str]:
    """Returns the functions that make a pattern, or use one by its text, when they are called."""
    found = set()
    for path in Path(relay.__path__[0]).rglob("*.py"):
        module = ".".join(path.relative_to(Path(relay.__path__[0]).parent).with_suffix("").parts)
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_makes, ast.walk(function))):
                found.add(f"{module.removesuffix('.__init__')}.{function.name}")
    return found


def _makes(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr != "escape"
    )


# ---------------------------------------------------------------- hostile texts


def pumped(pattern: re.Pattern[Any], length: int) -> Iterator[Any]:
    """Yields texts of about this length: each repetition of the pattern pumped, behind what may precede it.

    After the pumped part follows a sign at which the pattern fails, so that it tries all that it can.
    """
    tree = parser.parse(pattern.pattern, pattern.flags)
    for before, bodies in _repetitions(tree, [""]):
        for prefix in before[:_MOST_ALTERNATIVES]:
            for body in bodies:
                for tail in ("\0", "\n", "", "!"):
                    yield _of(pattern, prefix + body * (length // len(body)) + tail)
                whole = prefix + body * 3
                yield _of(pattern, whole * (length // len(whole)) + "\0")
            if len(bodies) > 1:
                mixed = "".join(bodies)
                yield _of(pattern, prefix + mixed * (length // len(mixed)) + "\0")


def _of(pattern: re.Pattern[AnyStr], text: str) -> AnyStr:
    if isinstance(pattern.pattern, bytes):
        return text.encode("latin-1", "replace")
    return text


def _repetitions(tree: Iterable[Any], before: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yields what may stand before each repetition without a limit, and samples of what it repeats."""
    for op, value in tree:
        inner = _inside(op, value)
        if op in _REPEATS and value[1] >= _UNBOUNDED:
            bodies = [body for body in _samples(value[2]) if body]
            if bodies:
                yield before, bodies[:_MOST_ALTERNATIVES]
        for one in inner:
            yield from _repetitions(one, before)
        samples = _samples([(op, value)]) or [""]
        before = [head + sample for head in before[:2] for sample in samples[:_MOST_ALTERNATIVES]]


def _inside(op: Any, value: Any) -> list[Any]:
    if op in _REPEATS:
        return [value[2]]
    if op is sre.SUBPATTERN:
        return [value[3]]
    if op is sre.ATOMIC_GROUP:
        return [value]
    if op is sre.BRANCH:
        return list(value[1])
    if op in {sre.ASSERT, sre.ASSERT_NOT}:
        return [value[1]]
    return []


def _samples(tree: Iterable[Any]) -> list[str]:
    """Returns texts that a part of a pattern matches, one for each of its first alternatives."""
    texts = [""]
    for op, value in tree:
        if op in _REPEATS:
            of_one = [one * max(1, value[0]) for one in _samples(value[2])]
        elif op is sre.BRANCH:
            of_one = [text for branch in value[1] for text in _samples(branch)[:2]]
        elif op in {sre.SUBPATTERN, sre.ATOMIC_GROUP}:
            of_one = _samples(_inside(op, value)[0])
        else:
            of_one = _signs(op, value)
        texts = [head + tail for head in texts for tail in of_one or [""]][: _MOST_ALTERNATIVES * 2]
    return texts


def _signs(op: Any, value: Any) -> list[str]:
    if op is sre.LITERAL:
        return [chr(value)]
    if op is sre.NOT_LITERAL:
        return ["a" if value != ord("a") else "b"]
    if op is sre.ANY:
        return ["a", " "]
    if op is sre.IN:
        return _of_class(value)
    return [""]


@functools.cache
def _signs_of_texts() -> list[str]:
    return [chr(number) for number in (*range(32, 127), 9, 10, 13, 0, 0xE9, 0x200B, 0x3042, 0x30A2, 0xFF10)]


def _of_class(items: list[Any]) -> list[str]:
    negated = items[0][0] is sre.NEGATE
    if negated:
        return [sign for sign in _signs_of_texts() if not any(_is_in(sign, item) for item in items[1:])][:2]
    found: list[str] = []
    for op, value in items:
        if op is sre.LITERAL:
            found.append(chr(value))
        elif op is sre.RANGE:
            found.append(chr(value[0]))
        elif op is sre.CATEGORY:
            found += [sign for sign in _signs_of_texts() if _is_in(sign, (op, value))][:2]
    return found[:_MOST_ALTERNATIVES]


def _is_in(sign: str, item: tuple[Any, Any]) -> bool:
    op, value = item
    if op is sre.LITERAL:
        return ord(sign) == int(value)
    if op is sre.RANGE:
        return bool(value[0] <= ord(sign) <= value[1])
    categories = {
        sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_NOT_SPACE: r"\S", sre.CATEGORY_DIGIT: r"\d",
        sre.CATEGORY_NOT_DIGIT: r"\D", sre.CATEGORY_WORD: r"\w", sre.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    return re.match(categories[value], sign) is not None


# ---------------------------------------------------------------- patterns of the run time


@contextmanager
def recorded(found: dict[str, list[re.Pattern[Any]]]) -> Iterator[None]:
    """Adds the patterns that functions of the package make within the context, by the function."""
    original = re._compile  # type: ignore[attr-defined]

    def recording(pattern: Any, flags: Any) -> re.Pattern[Any]:
        made: re.Pattern[Any] = original(pattern, flags)
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals.get("__name__") == "re":
            frame = frame.f_back
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("relay."):
            function = frame.f_code.co_qualname.partition(".<locals>")[0].rpartition(".")[2]
            found.setdefault(f"{module}.{function}", []).append(made)
        return made

    with patch.object(re, "_compile", recording):
        yield


# ---------------------------------------------------------------- cost


def is_anchored(place: str) -> bool:
    """Whether its module uses the pattern of this place only at given positions of a text, by `match`."""
    module, _, name = place.partition("[")[0].rpartition(".")
    source = getattr(sys.modules.get(module), "__file__", None)
    methods = set(re.findall(rf"\b{name}\.(\w+)", Path(source).read_text("utf-8"))) if source else set()
    return bool(methods) and methods <= {"match", "fullmatch", "pattern"}


def cost_s(pattern: re.Pattern[Any], text: Any, *, anchored: bool) -> float:
    """Returns the CPU time of finding all matches in a text, or of one match at its beginning."""
    started = time.process_time()
    if anchored:
        pattern.match(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.process_time() - started


def is_steep(pattern: re.Pattern[Any], text: Any, *, anchored: bool) -> bool:
    """Whether the text costs far more than four times a text of a quarter of its length, which quadratic search does."""
    if cost_s(pattern, text, anchored=anchored) < 0.003:
        return False
    whole = min(cost_s(pattern, text, anchored=anchored) for _ in range(3))
    quarter = text[: len(text) // 4] + text[-1:]
    part = min(cost_s(pattern, quarter, anchored=anchored) for _ in range(3))
    return whole > 9 * part
