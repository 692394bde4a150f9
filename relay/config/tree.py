"""Converts a parsed TOML file to a structure, and reports all errors of the file at once.

A structure is a dataclass of core or a `msgspec.Struct`. The types of its fields have the constraints of
`core.setting`. A leaf is a value that is not a table or a list. `msgspec.convert` stops at the first error, so it
converts only one leaf at a time. An invalid leaf is replaced by its default or by a stand-in value, so that the other
values can still be checked.
"""

import dataclasses
import difflib
import math
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import inspect, structs

from relay.config.problem import Problem
from relay.core.setting import Bounds, Format, OneOf, SettingFlag

BROKEN: Final = object()


class TableKey(NamedTuple):
    """A key of a table: its name, its type with the constraints, and whether the file must contain the key."""

    name: str
    annotation: Any
    required: bool


class _Leaf(NamedTuple):
    """The type of a leaf.

    `accepted` is the type of the value in the file, with constraints that msgspec checks. `format` is the format of the
    value, None if it has none. `target` is the type of the converted value.
    """

    accepted: Any
    format: Format | None
    target: Any


def keys_of(structure: Any) -> tuple[TableKey, ...]:
    """Returns the keys of a structure in the order of its fields; an empty tuple if the type is not a structure."""
    if not isinstance(structure, type):
        return ()
    if dataclasses.is_dataclass(structure):
        return tuple(
            TableKey(
                field.name,
                field.type,
                required=SettingFlag.REQUIRED in _constraints(field.type)
                or (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING),
            )
            for field in dataclasses.fields(structure)
        )
    if issubclass(structure, msgspec.Struct):
        return tuple(TableKey(field.name, field.type, field.required) for field in structs.fields(structure))
    return ()


def read(annotation: Any, value: object, key: str, problems: list[Problem]) -> Any:
    """Returns `value`, from the parsed file, converted to the type `annotation`.

    `key` is the path of the value in the file. Adds each error to `problems`. Returns BROKEN if the value is an invalid
    leaf; an invalid leaf within a table or a list is replaced or left out.
    """
    if keys_of(annotation):
        return _read_structure(annotation, value, key, problems)
    match inspect.type_info(annotation):
        case inspect.VarTupleType():
            return _read_list(get_args(annotation)[0], value, key, problems)
        case inspect.FrozenSetType():
            return frozenset(_read_list(get_args(annotation)[0], value, key, problems))
        case inspect.DictType():
            word, item = get_args(annotation)
            return _read_map(word, item, value, key, problems)
        case _:
            return _read_leaf(annotation, value, key, problems)


def _read_structure(structure: Any, value: object, key: str, problems: list[Problem]) -> Any:
    if not isinstance(value, dict):
        problems.append(Problem(key, f"expected a table, got {_toml_name(value)}", f"write [{key}] on its own line"))
        return _read_structure(structure, {}, key, [])
    keys = keys_of(structure)
    names = [one.name for one in keys]
    problems.extend(_unknown(name, names, _join(key, name)) for name in value if name not in names)
    given: dict[str, Any] = {}
    for name, annotation, required in keys:
        path = _join(key, name)
        found: Any = BROKEN
        if name in value:
            found = read(annotation, value[name], path, problems)
        elif required:
            problems.append(Problem(path, "is missing", f"add {name}, {_expected(_leaf(annotation))}"))
        if found is not BROKEN:
            given[name] = found
        elif required:
            given[name] = _stand_in(_leaf(annotation))
    return structure(**given)


def _read_list(item: Any, value: object, key: str, problems: list[Problem]) -> tuple[Any, ...]:
    if isinstance(value, list):
        items = (read(item, one, f"{key}[{index}]", problems) for index, one in enumerate(value))
        return tuple(one for one in items if one is not BROKEN)
    if keys_of(item):
        fix = f"write [[{key}]], with two brackets, before each one"
    else:
        fix = f"write a list in [ ], each {_expected(_leaf(item))}"
    problems.append(Problem(key, f"expected a list, got {_toml_name(value)}", fix))
    return ()


def _read_map(word: Any, item: Any, value: object, key: str, problems: list[Problem]) -> dict[Any, Any]:
    """Returns a table of any size as a dictionary; `word` is the type of its keys and `item` the type of its values.

    Invalid entries are left out, and their errors are added to `problems`.
    """
    if not isinstance(value, dict):
        problems.append(Problem(key, f"expected a table, got {_toml_name(value)}", f"write {key} = {{ name = value }}"))
        return {}
    found = {}
    for name, one in value.items():
        path = _join(key, name)
        known = _read_leaf(word, name, path, problems)
        read_value = read(item, one, path, problems)
        if known is not BROKEN and read_value is not BROKEN:
            found[known] = read_value
    return found


def _read_leaf(annotation: Any, value: object, key: str, problems: list[Problem]) -> Any:
    leaf = _leaf(annotation)
    try:
        found = msgspec.convert(value, leaf.accepted)
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError("no finite number")  # noqa: TRY301 - it is reported in the same way as any wrong number
        if leaf.format and found:
            found = leaf.format.read(found)
    except ValueError:
        problems.append(_wrong(leaf, value, key))
        return BROKEN
    return leaf.target(found) if isinstance(leaf.target, type) and issubclass(leaf.target, Enum) else found


def _wrong(leaf: _Leaf, value: object, key: str) -> Problem:
    if leaf.format and isinstance(value, str) and value:
        return Problem(key, f"is not {leaf.format.name}", f"write for example {_example(leaf, leaf.format)}")
    expected = f"expected {_expected(leaf)}" + (f", such as {_example(leaf, leaf.format)}" if leaf.format else "")
    guess = _did_you_mean(value, _words(leaf))
    return Problem(key, f"got {_shown(leaf, value)}", f"{expected}; {guess}" if guess else expected)


def _example(leaf: _Leaf, form: Format) -> str:
    return f'"{form.example}"' if leaf.target is str else form.example


def _constraints(annotation: Any) -> Sequence[object]:
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def _leaf(annotation: Any) -> _Leaf:
    """Returns the type of a leaf, with the constraints of `core.setting` converted to constraints of msgspec."""
    target = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    accepted: Any = target
    form: Format | None = None
    for constraint in _constraints(annotation):
        match constraint:
            case Bounds(ge, gt, le):
                bounds: dict[str, Any] = {"ge": ge, "gt": gt, "le": le}
                given = {name: bound for name, bound in bounds.items() if bound is not None}
                accepted = Annotated[accepted, msgspec.Meta(**given)]
            case OneOf(words):
                accepted = Literal[words]
            case Format():
                form = constraint
                accepted = accepted if target is str else Any
            case SettingFlag.NOT_EMPTY:
                accepted = Annotated[accepted, msgspec.Meta(min_length=1)]
    return _Leaf(accepted, form, target)


def _unknown(name: str, names: Iterable[str], path: str) -> Problem:
    return Problem(path, "no such key", _did_you_mean(name, names) or "remove it, or see the example")


def _did_you_mean(given: object, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(given).lower(), list(words), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _kind(leaf: _Leaf) -> inspect.Type:
    kind = inspect.type_info(leaf.accepted)
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _words(leaf: _Leaf) -> tuple[str, ...]:
    match _kind(leaf):
        case inspect.LiteralType(values=values):
            return tuple(map(str, values))
        case inspect.EnumType(cls=enum):
            return tuple(str(member.value) for member in enum)
        case _:
            return ()


def _expected(leaf: _Leaf) -> str:
    if leaf.format:
        return leaf.format.name
    match _kind(leaf):
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() as kind:
            return "a whole number" + _range(kind)
        case inspect.FloatType() as kind:
            return "a number" + _range(kind)
        case inspect.StrType() as kind:
            return "a text that is not empty" if kind.min_length else "a text"
        case _:
            return "one of " + ", ".join(f'"{word}"' for word in _words(leaf))


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.ge is not None:
        return f" of {kind.ge} or more"
    return "" if kind.gt is None else f" above {kind.gt}"


def _shown(leaf: _Leaf, value: object) -> str:
    """Returns a description of an invalid value for an error.

    A number, and a text where one of several words is expected, is repeated. Any other value is described by its type,
    because it may contain an address or a secret.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and not isinstance(_kind(leaf), inspect.StrType):
        return str(value)
    if isinstance(value, str) and _words(leaf):
        return f'"{value}"'
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


def _stand_in(leaf: _Leaf) -> Any:
    """Returns a value of the leaf's type, which replaces the value of a required key that is invalid or missing."""
    match _kind(leaf):
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
