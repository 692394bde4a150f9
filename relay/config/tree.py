"""A TOML tree against a structure's types, leaf by leaf, so that one reading finds every error.

`msgspec.convert` stops at the first error; here it is asked about one leaf at a time, and a wrong leaf is told in
the words of its expected type. A wrong one is left at its default or stood in for, so that the rest can still be
checked across.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect, structs

from relay.config.formats import Format
from relay.config.problem import Problem

BROKEN: Final = object()


def read(annotation: Any, value: object, key: str, problems: list[Problem]) -> Any:
    """`value` as `annotation`, with what is wrong in it added to `problems`; BROKEN for a leaf that is wrong."""
    kind = inspect.type_info(annotation)
    match kind:
        case inspect.StructType(cls=cls):
            return _read_struct(cls, value, key, problems)
        case inspect.VarTupleType():
            return _read_list(get_args(annotation)[0], value, key, problems)
        case inspect.DictType():
            word, item = get_args(annotation)
            return _read_map(word, item, value, key, problems)
        case _:
            return _read_leaf(annotation, value, key, problems)


def _read_struct(cls: type[Any], value: object, key: str, problems: list[Problem]) -> Any:
    if not isinstance(value, dict):
        problems.append(Problem(key, f"expected a table, got {_toml_name(value)}", f"write [{key}] on its own line"))
        return _read_struct(cls, {}, key, [])
    fields = structs.fields(cls)
    names = [field.encode_name for field in fields]
    problems.extend(_unknown(name, names, _join(key, name)) for name in value if name not in names)
    given: dict[str, Any] = {}
    for field in fields:
        path = _join(key, field.encode_name)
        found: Any = BROKEN
        if field.encode_name in value:
            found = read(field.type, value[field.encode_name], path, problems)
        elif field.required:
            expected = _expected(inspect.type_info(field.type))
            problems.append(Problem(path, "is missing", f"add {field.encode_name}, {expected}"))
        if found is not BROKEN:
            given[field.name] = found
        elif field.required:
            given[field.name] = _stand_in(inspect.type_info(field.type))
    return cls(**given)


def _read_list(item: Any, value: object, key: str, problems: list[Problem]) -> tuple[Any, ...]:
    if isinstance(value, list):
        items = (read(item, one, f"{key}[{index}]", problems) for index, one in enumerate(value))
        return tuple(one for one in items if one is not BROKEN)
    kind = inspect.type_info(item)
    if isinstance(kind, inspect.StructType):
        fix = f"write [[{key}]], with two brackets, before each one"
    else:
        fix = f"write a list in [ ], each {_expected(kind)}"
    problems.append(Problem(key, f"expected a list, got {_toml_name(value)}", fix))
    return ()


def _read_map(word: Any, item: Any, value: object, key: str, problems: list[Problem]) -> dict[Any, Any]:
    """A table whose keys are words of a kind too."""
    if not isinstance(value, dict):
        problems.append(Problem(key, f"expected a table, got {_toml_name(value)}", f"write {key} = {{ name = value }}"))
        return {}
    found = {}
    for name, one in value.items():
        path = _join(key, name)
        known = _read_leaf(word, name, path, problems)
        told = read(item, one, path, problems)
        if known is not BROKEN and told is not BROKEN:
            found[known] = told
    return found


def _read_leaf(annotation: Any, value: object, key: str, problems: list[Problem]) -> Any:
    kind = inspect.type_info(annotation)
    form = _format(kind)
    try:
        found = msgspec.convert(value, annotation)
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError("no finite number")  # noqa: TRY301 - the same answer as for any wrong number
        if form and found:
            form.accepts(found)
    except ValueError:
        expected = f"expected {_expected(kind)}" + (f', such as "{form.example}"' if form else "")
        guess = _did_you_mean(value, _words(kind))
        problems.append(Problem(key, f"got {_shown(kind, value)}", f"{expected}; {guess}" if guess else expected))
        return BROKEN
    return found


def _format(kind: inspect.Type) -> Format | None:
    return (kind.extra or {}).get("format") if isinstance(kind, inspect.Metadata) else None


def _unknown(name: str, names: Iterable[str], path: str) -> Problem:
    return Problem(path, "no such key", _did_you_mean(name, names) or "remove it, or see the example")


def _did_you_mean(given: object, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(given).lower(), list(words), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _words(kind: inspect.Type) -> tuple[str, ...]:
    match kind:
        case inspect.LiteralType(values=values):
            return tuple(map(str, values))
        case inspect.EnumType(cls=enum):
            return tuple(str(member.value) for member in enum)
        case _:
            return ()


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(type=inner):
            form = _format(kind)
            return form.name if form else _expected(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.StrType():
            return "a text that is not empty" if kind.min_length else "a text"
        case _:
            return "one of " + ", ".join(f'"{word}"' for word in _words(kind))


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.ge is not None:
        return f" of {kind.ge} or more"
    return "" if kind.gt is None else f" above {kind.gt}"


def _shown(kind: inspect.Type, value: object) -> str:
    """A wrong number or word is repeated; other texts may hold an address or a secret and are not."""
    if isinstance(value, int | float) and not isinstance(value, bool) and not isinstance(kind, inspect.StrType):
        return str(value)
    if isinstance(value, str) and _words(kind):
        return f'"{value}"'
    if isinstance(value, str) and value and _format(kind):
        return "another text"
    return _toml_name(value)


def _toml_name(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return "a text" if value else "an empty text"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _stand_in(kind: inspect.Type) -> Any:
    """Something of the right type, where a required leaf is wrong or missing."""
    match kind:
        case inspect.Metadata(type=inner):
            return _stand_in(inner)
        case inspect.IntType():
            return 0
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=enum):
            return next(iter(enum))
        case _:
            return ""


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
