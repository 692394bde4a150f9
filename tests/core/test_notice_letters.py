"""The relay's own letters about no single message: waiting senders, new rules, a report to the operator."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.model.kind import Kind
from relay.core.model.party import Role
from relay.core.model.policy import ContentAction, Policy
from relay.core.model.setting_change import SettingChange
from relay.core.notice.letters import (
    Letterhead,
    WaitingSender,
    announcement,
    pending_digest,
    report_to_operator,
)
from relay.core.notice.texts import LANGUAGES, Translations, settings
from tests.core.test_notice import ADDRESS, CATALOGUE, RECORD, decoded, drawn, read, text_of
from tests.support import goldens
from tests.support.mail_case import NOW, marketplace

HEAD = Letterhead(marketplace=marketplace(), letter_id="letter-1@ichiba.example", at=NOW)
URL = "https://ichiba.example/l/" + "x" * 200
WAITING = (
    WaitingSender("new@seller.example", 3, NOW - timedelta(days=2), URL + "1"),
    WaitingSender("店@例え.example", 1, NOW - timedelta(hours=1), URL + "2"),
)
NEXT = replace(Policy(), version="2026-09", effective_at=datetime(2026, 8, 31, 15, tzinfo=UTC))
CHANGES = (
    SettingChange("content.links.action", ContentAction.WARN, ContentAction.RETURN),
    SettingChange("content.links.kinds.promotion", ContentAction.WARN, ContentAction.STRIP),
    SettingChange("attachments.extensions", frozenset({"txt", "bmp"}), frozenset({"txt", "heic"})),
    SettingChange("attachments.total_bytes", 10_000_000, 20_000_000),
    SettingChange("attachments.archives", True, False),
    SettingChange("bypass.critical_kinds", frozenset({Kind.LEGAL}), frozenset({Kind.LEGAL, Kind.REPLY})),
    SettingChange("threads.close_s", 15_552_000, 86_400),
    SettingChange("hours.quiet", "", "22:00-07:00"),
    SettingChange("fulfilment.operator", "ops@operator.example", "help@operator.example"),
    SettingChange("future.setting", None, ("a", "b")),
)

LETTERS: dict[str, Callable[[Translations], bytes]] = {
    "letter-pending": lambda say: pending_digest(HEAD, WAITING, say),
    "letter-announcement": lambda say: announcement(
        HEAD, NEXT, "Links to other shops come back.\nタグも使えます。", CHANGES, "https://ichiba.example/rules", say
    ),
    "letter-report": lambda say: report_to_operator(HEAD, RECORD, "pair-1", "250-1", Role.BUYER, say),
}


def test_golden_letters() -> None:  # R-SND-02 R-POL-20
    """`RELAY_UPDATE=1 pytest` writes the file again; look at the difference before committing it."""
    shown = {
        f"{name} {language}": drawn(LETTERS[name](CATALOGUE(language))) for name in LETTERS for language in LANGUAGES
    }
    assert goldens.held("letters.txt", shown) == shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_a_machines_and_answers_nothing(name: str, language: str) -> None:  # R-OUT-07, RFC 3834 §5
    content = LETTERS[name](CATALOGUE(language))
    message = read(content)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert (message["To"], message["In-Reply-To"], message["References"]) == (None, None, None)
    assert message["From"].addresses[0].addr_spec == "mailer-daemon@ichiba.example"
    assert message["Content-Language"] == language
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_no_address_but_those_that_the_owner_is_asked_about(name: str, language: str) -> None:  # R-OUT-05 R-SND-02
    found = set(ADDRESS.findall(decoded(LETTERS[name](CATALOGUE(language)))))
    asked = {sender.address for sender in WAITING} if name == "letter-pending" else set()
    assert found == {"mailer-daemon@ichiba.example", "letter-1@ichiba.example", *asked}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_waiting_sender_has_its_own_link_whole_on_a_line(language: str) -> None:  # R-SND-02
    lines = text_of(read(LETTERS["letter-pending"](CATALOGUE(language)))).split("\n")
    for sender in WAITING:
        assert lines.index(sender.url) == lines.index(sender.address) + 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", [*settings()])
def test_every_setting_is_announced_in_words(path: str, language: str) -> None:  # R-POL-20
    text = text_of(read(announcement(HEAD, NEXT, "", [SettingChange(path, 1, 2)], "", CATALOGUE(language))))
    assert path not in text
    assert CATALOGUE(language).gettext(f"setting.{path}") in text


def test_a_policy_without_changes_or_words_is_still_announced() -> None:  # R-POL-20
    text = text_of(read(announcement(HEAD, NEXT, " \n", (), "", CATALOGUE("en"))))
    assert "version 2026-09" in text
    assert "2026-09-01 00:00 JST" in text
    assert "change:" not in text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from([*Kind, *ContentAction]),
    lambda inner: st.tuples(inner, inner) | st.lists(inner, max_size=3),
) | st.frozensets(st.text(max_size=10) | st.integers())


@given(
    changes=st.lists(st.builds(SettingChange, path=st.sampled_from([*settings()]) | st.text(), old=VALUES, new=VALUES)),
    summary=st.text(),
)
def test_whatever_changes_an_announcement_is_whole(changes: list[SettingChange], summary: str) -> None:  # R-POL-20
    content = announcement(HEAD, NEXT, summary, changes, URL, CATALOGUE("ja"))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert re.search(rb"[^\r]\n|\r[^\n]|\r\Z", content) is None
    assert URL in text_of(read(content))
