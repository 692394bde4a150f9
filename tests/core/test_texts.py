"""The catalogues: whole, agreeing, and read by the relay as gettext's own programs read them."""

import re
import shutil
from pathlib import Path

import pytest

from relay import texts
from relay.core.model.reason import ReasonCode
from relay.core.notice.texts import COUNTED, LANGUAGES, REASON_VALUES, NoticePart, key, text
from tests.support import catalogues
from tests.support.catalogues import catalog, forms_of, name_of, placeholders

CATALOGUE = texts.load()
ENGLISH, JAPANESE = CATALOGUE("en"), CATALOGUE("ja")
ADDED = ("placeholder.part", "placeholder.text", *(key for key in catalogues.named_keys() if key.startswith("footer.")))
"""The texts that the relay adds to mail that it passes on."""


def test_every_key_of_the_code_has_its_text_in_every_language() -> None:  # R-POL-16
    assert not list(catalogues.problems())


@pytest.mark.parametrize(
    "name", ["opted_out.what", "heading.what", "remaining", "footer.order", "setting.quotas.pair_per_day", "page.done"]
)
def test_keys_are_found_in_the_code(name: str) -> None:
    assert name in catalogues.named_keys()


def test_a_forgotten_text_is_named_with_its_file(tmp_path: Path) -> None:
    shutil.copytree(catalogues.LOCALE, tmp_path, dirs_exist_ok=True)
    changed = catalogues.path("ja", tmp_path)
    source = re.sub(r'(msgid "loop.what"\nmsgstr )"[^"]+"', r'\1""', changed.read_text(encoding="utf-8"))
    source = source.replace('msgid "loop.title"', 'msgid "loops.title"').replace("{domain}", "{domian}", 1)
    changed.write_text(source, encoding="utf-8")
    told = sorted({*catalogues.problems(tmp_path)} - {*catalogues.problems()})
    assert [line.partition(": ")[2] for line in told if "names" not in line] == [
        "loop.title is missing; run `make catalogues`, then write its text",
        "loop.what has no text yet; write it",
        "nothing shows loops.title; remove it",
    ]
    assert [line for line in told if "'domian'" in line]
    assert {line.partition(":")[0] for line in told} == {"relay/locale/ja/LC_MESSAGES/relay.po"}
    catalogues.add_missing(tmp_path)
    assert 'msgid "loop.title"\nmsgstr ""\n' in changed.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_relay_reads_a_catalogue_as_gettext_does(language: str) -> None:
    whole = {"\0".join([m.id] if isinstance(m.id, str) else m.id): forms_of(m) for m in catalog(language) if m.id}
    read = texts.messages(catalogues.path(language).read_text(encoding="utf-8"))
    assert {key: forms for key, forms in read.items() if key} == whole


@pytest.mark.parametrize(
    ("po", "found"),
    [
        ('msgid "a"\nmsgstr "b"', {"a": ("b",)}),
        ('# x\n\nmsgid "a"\nmsgstr ""\n"b\\n"\n"\\"c\\\\"', {"a": ('b\n"c\\',)}),
        ('msgid "a"\nmsgid_plural "as"\nmsgstr[0] "b"\nmsgstr[1] "c"', {"a\0as": ("b", "c")}),
        ('msgid "a"\nmsgstr ""\nmsgid "b"\nmsgstr "c"', {"b": ("c",)}),
    ],
)
def test_messages_of_a_catalogue(po: str, found: dict[str, tuple[str, ...]]) -> None:
    assert texts.messages(po) == found


@pytest.mark.parametrize(
    "po",
    ['msgid "a"', 'msgstr "a"', '"a"', 'msgid "a"\nmsgstr "b', 'msgid "a"\nmsgstr "b"\nmsgid "a"\nmsgstr "c"', "a = b"],
)
def test_a_broken_catalogue_is_not_taken(po: str) -> None:
    with pytest.raises(ValueError):
        texts.messages(po)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_of_things_has_all_forms_of_its_language(language: str) -> None:  # R-UI-09
    found = catalog(language)
    counted = {name_of(message): message for message in found if message.pluralizable}
    assert set(counted) == set(COUNTED)
    for name, message in counted.items():
        assert tuple(message.id) == (name, name)
        assert len(forms_of(message)) == found.num_plurals
        assert all(COUNTED[name] in placeholders(form) for form in forms_of(message))


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
@pytest.mark.parametrize("name", ADDED)
def test_what_is_added_to_mail_is_one_short_line(name: str, language: str) -> None:  # R-REW-08 R-REW-09
    line = CATALOGUE(language).gettext(name)
    assert "\n" not in line
    assert len(line) <= 80
    allowed = {"name", "title", "marketplace"} if "placeholder" in name else {"marketplace", "order"}
    own = {"footer.also": {"names"}, "footer.write_to_order": {"address"}}
    assert placeholders(line) <= allowed | own.get(name, set())


@pytest.mark.parametrize("code", ReasonCode)
def test_the_languages_are_what_they_say(code: ReasonCode) -> None:
    for part in NoticePart:
        assert ENGLISH.gettext(key(code, part)).isascii()
        assert not JAPANESE.gettext(key(code, part)).isascii()


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_a_line_for_the_dialogue(code: ReasonCode) -> None:  # R-POL-16
    line = code.summary
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 80


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja", "ja"), ("ja-JP", "ja"), ("ja_JP.UTF-8", "ja"), ("JA", "ja"), ("en-GB", "en"), ("fr", "en"), ("", "en")],
)
def test_a_locale_without_texts_gets_english(locale: str, language: str) -> None:
    assert CATALOGUE(locale).gettext("language") == language
