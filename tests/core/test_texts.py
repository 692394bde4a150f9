"""The catalogues: whole, agreeing, compiled; nobody is told something in one language only."""

import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from relay import texts
from relay.core.model.reason import ReasonCode
from relay.core.notice import smtp_text
from relay.core.notice.compose import NoticeType
from relay.core.notice.texts import COUNTED, KEYS, LANGUAGES, NOTICES, REASON_VALUES, RELAYED, NoticePart, key, text
from tests.support.narrowing import not_none

LOCALE = Path(texts.__file__).parent / "locale"
CATALOGUE = texts.load()
ENGLISH, JAPANESE = CATALOGUE("en"), CATALOGUE("ja")


def po(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "relay.po").open("rb") as file:
        return read_po(file, locale=language)


def _name(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(not_none(message.string))


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_source(language: str) -> None:
    """`pybabel compile -D relay -d relay/locale` after every change of a `.po`."""
    with (LOCALE / language / "LC_MESSAGES" / "relay.mo").open("rb") as file:
        compiled = {_name(message): _forms(message) for message in read_mo(file) if message.id}
    assert compiled == {_name(message): _forms(message) for message in po(language) if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_has_a_text_and_no_text_lacks_a_key(language: str) -> None:  # R-POL-16
    messages = {_name(message): _forms(message) for message in po(language) if message.id}
    assert {name for name in messages if not name.startswith("page.")} == set(KEYS)
    assert all(text.strip() for forms in messages.values() for text in forms)
    assert not any(message.fuzzy for message in po(language) if message.id)


@pytest.mark.parametrize("name", KEYS)
def test_both_languages_name_the_same_values(name: str) -> None:
    assert placeholders(ENGLISH.gettext(name)) == placeholders(JAPANESE.gettext(name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_of_things_has_all_forms_of_its_language(language: str) -> None:  # R-UI-09
    catalog = po(language)
    counted = {_name(message): message for message in catalog if message.pluralizable}
    assert set(counted) == set(COUNTED)
    for name, message in counted.items():
        assert tuple(message.id) == (name, name)
        assert len(_forms(message)) == catalog.num_plurals
        assert all(COUNTED[name] in placeholders(form) for form in _forms(message))


@pytest.mark.parametrize(
    ("name", "values", "one", "two"),
    [
        ("quota_pair.rule", "limit", "1 message a day may", "2 messages a day may"),
        ("quota_seller.rule", "limit", "1 message a day may", "2 messages a day may"),
        ("bypass_quota.rule", "limit", "1 message a day may", "2 messages a day may"),
        ("thread_closed.what", "days", "for 1 day.", "for 2 days."),
        ("value.hours", "number", "1 hour", "2 hours"),
    ],
)
def test_one_is_told_from_many(name: str, values: str, one: str, two: str) -> None:
    assert one in text(ENGLISH, name, {values: "1"})
    assert two in text(ENGLISH, name, {values: "2"})
    assert "2" in text(JAPANESE, name, {values: "2"})


@pytest.mark.parametrize("code", ReasonCode)
def test_a_reason_names_only_values_that_every_notice_has(code: ReasonCode) -> None:
    for part in NoticePart:
        assert placeholders(ENGLISH.gettext(key(code, part))) <= REASON_VALUES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ReasonCode)
def test_a_title_stands_for_itself(code: ReasonCode, language: str) -> None:
    """In subjects, lists and placeholders, whatever the reason's values."""
    title = CATALOGUE(language).gettext(key(code, NoticePart.TITLE))
    assert not placeholders(title)
    assert "\n" not in title
    assert len(title) <= 60


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", RELAYED)
def test_what_is_added_to_mail_is_one_short_line(name: str, language: str) -> None:  # R-REW-08 R-REW-09
    line = CATALOGUE(language).gettext(name)
    assert "\n" not in line
    assert len(line) <= 80
    assert placeholders(line) <= (
        {"name", "title", "marketplace"} if "placeholder" in name else {"marketplace", "order"}
    )


def test_every_type_of_notice_has_its_texts() -> None:
    assert set(NOTICES) == set(NoticeType)


@pytest.mark.parametrize("code", ReasonCode)
def test_the_languages_are_what_they_say(code: ReasonCode) -> None:
    for part in NoticePart:
        assert ENGLISH.gettext(key(code, part)).isascii()
        assert not JAPANESE.gettext(key(code, part)).isascii()


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_a_line_for_the_dialogue(code: ReasonCode) -> None:  # R-POL-16
    line = smtp_text.SUMMARY[code]
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 80


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja", "ja"), ("ja-JP", "ja"), ("ja_JP.UTF-8", "ja"), ("JA", "ja"), ("en-GB", "en"), ("fr", "en"), ("", "en")],
)
def test_a_locale_without_texts_gets_english(locale: str, language: str) -> None:
    assert CATALOGUE(locale).gettext("language") == language
