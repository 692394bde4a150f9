"""Makes and checks the text catalogues: `make catalogues` adds the keys that the code names, and lists what is missing.

The keys are found in the code: literals such as "heading.what" in the modules that show texts, and the families that
`families` lists. Nothing is translated here: a new key gets an empty text in each language, to be written by a person.
"""

import ast
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from relay import texts
from relay.core.model.kind import Kind
from relay.core.model.policy import ContentAction
from relay.core.model.reason import ReasonCode
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.notice.compose import NoticeType
from relay.core.notice.texts import CONTACTS, COUNTED, DEFAULTS, LANGUAGES, UNITS, NoticePart, key, settings
from relay.core.signed_link import Purpose
from relay.edge.web.signed_links.pages import KEYS as PAGES
from tests.support.narrowing import not_none

ROOT = Path(texts.__file__).parent
LOCALE = ROOT / "locale"
SHOWN_BY = (*sorted((ROOT / "core/notice").glob("*.py")), *sorted((ROOT / "steps").glob("*.py")))
"""The modules whose literals are keys."""
_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_TAKES_A_KEY = {"say": 0, "gettext": 0, "text": 1}


def path(language: str, locale: Path = LOCALE) -> Path:
    return locale / language / "LC_MESSAGES" / "relay.po"


def shown(language: str) -> str:
    return f"relay/locale/{language}/LC_MESSAGES/relay.po"


def catalog(language: str, locale: Path = LOCALE) -> Catalog:
    """As Babel reads it: a second reader beside `relay.texts`."""
    with path(language, locale).open("rb") as file:
        return read_po(file, locale=language)


def entries(language: str, locale: Path = LOCALE) -> dict[str, Message]:
    return {name_of(message): message for message in catalog(language, locale) if message.id}


def name_of(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def forms_of(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(not_none(message.string))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def families() -> Iterator[str]:
    """The keys that the code puts together."""
    yield from (key(code, part) for code in ReasonCode for part in NoticePart)
    yield from (f"{place}.{notice}" for notice in NoticeType for place in ("subject", "lead"))
    yield from (f"again.{kind}" for kind in (NoticeType.HELD, NoticeType.WARNED))
    yield from (f"reach.{standing}" for standing in Standing)
    yield from (f"verdict.{action}" for action in Action)
    yield from (f"link.{purpose.name.lower()}" for purpose in Purpose)
    yield from (f"default.{name}" for name in DEFAULTS)
    yield from (f"kind.{kind}" for kind in Kind)
    yield from (f"contact.{contact}" for contact in CONTACTS)
    yield from (f"report.{role}" for role in ("buyer", "seller"))
    yield from (f"value.{value}" for value in (*UNITS, *ContentAction))
    yield from (f"setting.{setting}" for setting in settings())
    yield from PAGES


def literals() -> Iterator[str]:
    """The keys that stand as such in the code."""
    for module in SHOWN_BY:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in docstrings and _is_key(node.value):
                yield str(node.value)
            elif isinstance(node, ast.Call):
                yield from _passed(node)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and bool(_KEY.fullmatch(value))


def _passed(call: ast.Call) -> Iterator[str]:
    """The literal that a call passes as a key, one without a dot too."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = _TAKES_A_KEY.get(name)
    if at is not None and len(call.args) > at and isinstance(given := call.args[at], ast.Constant):
        yield str(given.value)


def named_keys() -> list[str]:
    return list(dict.fromkeys((*families(), *literals())))


def problems(locale: Path = LOCALE) -> Iterator[str]:
    """What is to be written, each with its file."""
    wanted = named_keys()
    by_language = {language: entries(language, locale) for language in LANGUAGES}
    for language, found in by_language.items():
        for name in wanted:
            if name not in found:
                yield f"{shown(language)}: {name} is missing; run `make catalogues`, then write its text"
            elif not all(form.strip() for form in forms_of(found[name])):
                yield f"{shown(language)}: {name} has no text yet; write it"
        for name, message in found.items():
            if name not in wanted:
                yield f"{shown(language)}: nothing shows {name}; remove it"
            if message.fuzzy:
                yield f"{shown(language)}: {name} is marked fuzzy; check its text and remove the mark"
            if (name in COUNTED) != bool(message.pluralizable):
                yield f"{shown(language)}: {name} needs plural forms if and only if core/notice/texts.py COUNTED has it"
    english, *others = LANGUAGES
    for language in others:
        for name in by_language[english].keys() & by_language[language].keys():
            here, there = (
                set().union(*map(placeholders, forms_of(by_language[one][name]))) for one in (english, language)
            )
            if here != there and all(map(str.strip, forms_of(by_language[language][name]))):
                yield f"{shown(language)}: {name} names {sorted(there)}, in English {sorted(here)}; make them agree"


def add_missing(locale: Path = LOCALE) -> None:
    """An empty entry for every key that a catalogue lacks: below the last one of the same reason or family."""
    for language in LANGUAGES:
        file = path(language, locale)
        text, found = file.read_text(encoding="utf-8"), [*entries(language, locale)]
        for name in named_keys():
            if name not in found:
                text = _with_entry(text, name, found, catalog(language, locale).num_plurals)
                found.append(name)
        file.write_text(text, encoding="utf-8")


def _with_entry(text: str, name: str, found: list[str], plurals: int) -> str:
    forms = "".join(f'msgstr[{form}] ""\n' for form in range(plurals))
    plural = f'msgid_plural "{name}"\n{forms}' if name in COUNTED else 'msgstr ""\n'
    entry = f'msgid "{name}"\n{plural}'
    family = name.partition(".")[0]
    neighbour = next((one for one in reversed(found) if one.partition(".")[0] == family), None)
    if neighbour is None:
        return f"{text.rstrip()}\n\n{entry}"
    end = text.find("\n\n", text.index(f'msgid "{neighbour}"\n'))
    return f"{text.rstrip()}\n\n{entry}" if end < 0 else f"{text[:end]}\n\n{entry}{text[end + 1 :]}"


def main() -> None:
    add_missing()
    found = sorted(set(problems()))
    sys.stdout.writelines(f"{problem}\n" for problem in found)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
