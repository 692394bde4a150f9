"""Prints data: a table or a list of values for people, or JSON for programs."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

import click
import msgspec

Row = Mapping[str, object]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def rows(found: Sequence[Row], *, as_json: bool, empty: str = "nothing found") -> None:
    """Prints a table of the rows, or with `as_json` a JSON array.

    If there are no rows, prints `empty` to standard error instead of a table.
    """
    if as_json:
        _json(found)
    elif found:
        _table(found)
    else:
        click.echo(empty, err=True)


def one(found: Row, *, as_json: bool) -> None:
    """Prints a line `name: value` for each value, or with `as_json` a JSON object."""
    if as_json:
        _json(found)
        return
    width = max(map(len, found))
    for name, value in found.items():
        click.echo(f"{name + ':':<{width + 1}}  {_text(value)}".rstrip())


def _json(found: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    # JSON need not escape the control characters above U+007F, and some terminals obey them.
    click.echo("".join(char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text))


def _table(found: Sequence[Row]) -> None:
    names = list(found[0])
    lines = [names, *([_text(row[name]) for name in names] for row in found)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _text(value: object) -> str:
    match value:
        case None | "" | ():
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case list() | tuple() | set() | frozenset():
            return ", ".join(sorted(map(str, value)) if isinstance(value, set | frozenset) else map(str, value))
        case Mapping():
            return "  ".join(f"{name}={_text(one)}" for name, one in value.items()) or "-"
        case _:
            return printable(str(value))


def lines(text: str) -> None:
    """Prints a text of several lines without characters that could control the terminal."""
    click.echo("\n".join(printable(line.expandtabs()) for line in text.splitlines()))


def printable(text: str) -> str:
    """Returns the text with a replacement mark for each character that could control the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _width(text: str) -> int:
    """Returns the number of columns on a terminal; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
