"""SQL texts: the named queries of `sql/`, the versions of the schema, and statements with a variable number of values.

The shared queries use only SQL that both SQLite 3.35 and PostgreSQL understand. A query that must differ is in the
directory of each engine under the same name.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

from relay.ports import StoreError
from relay.store.engine import Row, Statement, Work

_SQL: Final = resources.files("relay.store") / "sql"
_NAMED: Final = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)
_MOST_PARAMS: Final = 30_000
"""The largest number of parameters in a statement. Both engines allow about 32,766."""


@lru_cache
def queries(dialect: str) -> Mapping[str, str]:
    """Returns the text of each named query for one engine, by name."""
    found: dict[str, str] = {}
    for directory in (_SQL, _SQL / dialect):
        for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql") and not file.name[0].isdigit():
                found.update((name, text.strip()) for name, text in _NAMED.findall(file.read_text("utf-8")))
    return found


@lru_cache
def migrations(dialect: str) -> Sequence[str]:
    """Returns the scripts of the schema's versions in order. Each script makes one version from the version before."""
    scripts = []
    for file in sorted((_SQL / "schema").iterdir(), key=lambda entry: entry.name):
        own = _SQL / dialect / file.name
        scripts.append(file.read_text("utf-8") + (own.read_text("utf-8") if own.is_file() else ""))
    return scripts


def check_version(where: str, found: int, known: int) -> None:
    """Raises StoreError if a newer version of the relay has migrated the database."""
    if found > known:
        raise StoreError(
            f"{where}: schema version {found} is from a newer relay, this one knows up to {known}; "
            "install the newer relay or restore a backup from before the upgrade"
        )


class Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    on_conflict: str = ""


def insert(table: Table, rows: Sequence[Sequence[object]]) -> Work[Sequence[Row]]:
    """Inserts the rows in as few statements as the engines allow. Returns the rows that `table.on_conflict` returns."""
    returned: list[Row] = []
    most = _MOST_PARAMS // len(table.columns)
    for start in range(0, len(rows), most):
        chunk = rows[start : start + most]
        returned += yield _insert(table, len(chunk)), [value for row in chunk for value in row]
    return returned


def spread(sql: str, fixed: Sequence[object], values: Sequence[object]) -> Statement:
    """Returns the statement with one placeholder for each of `values` in place of `$n...`.

    `fixed` are the parameters before them.
    """
    return _spread(sql, len(fixed), len(values)), [*fixed, *values]


def values(sql: str, types: tuple[str, ...], rows: Sequence[Sequence[object]]) -> Statement:
    """Returns the statement with the rows in place of `$rows`. `types` are SQL types, which PostgreSQL needs."""
    return _values(sql, types, len(rows)), [value for row in rows for value in row]


@lru_cache(1_024)
def _insert(table: Table, rows: int) -> str:
    width = len(table.columns)
    marks = (", ".join(f"${row * width + column}" for column in range(1, width + 1)) for row in range(rows))
    sql = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({'), ('.join(marks)})"  # noqa: S608 - only names and numbers from this module
    return f"{sql} ON CONFLICT {table.on_conflict}" if table.on_conflict else sql


@lru_cache(1_024)
def _spread(sql: str, fixed: int, count: int) -> str:
    return sql.replace(f"${fixed + 1}...", ", ".join(f"${fixed + 1 + n}" for n in range(count)))


@lru_cache(1_024)
def _values(sql: str, types: tuple[str, ...], rows: int) -> str:
    casts = (
        ", ".join(f"CAST(${row * len(types) + n} AS {name})" for n, name in enumerate(types, 1)) for row in range(rows)
    )
    return sql.replace("$rows", "(" + "), (".join(casts) + ")")
