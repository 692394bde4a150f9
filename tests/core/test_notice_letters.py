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
from relay.core.model.reason import ReasonCode
from relay.core.model.setting_change import SettingChange
from relay.core.notice.letters import (
    HeldLine,
    Letterhead,
    OwnerQuestion,
    announcement,
    held_for_staff,
    owner_request,
    report_to_operator,
)
from relay.core.notice.texts import LANGUAGES, Translations, settings
from relay.core.notice.values import unlinked
from relay.core.signed_link import Purpose
from tests.core.test_notice import ADDRESS, CATALOGUE, RECORD, decoded, drawn, read, text_of
from tests.support import goldens
from tests.support.mail_case import NOW, marketplace

WEEKS = timedelta(days=14)
HEAD = Letterhead(marketplace=marketplace(), letter_id="letter-1@ichiba.example", at=NOW)
URL = "https://ichiba.example/l/" + "x" * 200
WAITING = (
    OwnerQuestion(Purpose.SENDER, "new@seller.example", 3, NOW - timedelta(days=2), URL + "1"),
    OwnerQuestion(Purpose.SENDER, "店@xn--r8jz45g.example", 1, NOW - timedelta(hours=1), URL + "2"),
    OwnerQuestion(Purpose.CONFIRM, "shop@seller.example", 1, NOW - timedelta(hours=1), URL + "3"),
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

HELD = (
    HeldLine(RECORD, Role.SELLER, "250-1", (ReasonCode.CONTACT_DISGUISED,), NOW - timedelta(days=1), NOW + WEEKS),
    HeldLine("06h2fj82s4bf058is5gt4nsgso", None, "", (ReasonCode.VIRUS_FOUND, ReasonCode.SPAM_FOUND), NOW, NOW + WEEKS),
)

LETTERS: dict[str, Callable[[Translations], bytes]] = {
    "letter-pending": lambda say: owner_request(HEAD, WAITING, say),
    "letter-announcement": lambda say: announcement(
        HEAD, NEXT, "Links to other shops come back.\nタグも使えます。", CHANGES, "https://ichiba.example/rules", say
    ),
    "letter-waiting": lambda say: held_for_staff(HEAD, HELD, 2, say),
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
def test_no_address_in_a_form_that_can_be_used(name: str, language: str) -> None:  # R-OUT-05 R-SND-02
    found = set(ADDRESS.findall(decoded(LETTERS[name](CATALOGUE(language)))))
    assert found == {"mailer-daemon@ichiba.example", "letter-1@ichiba.example"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_question_has_its_own_link_whole_on_a_line(language: str) -> None:  # R-SND-02 R-IN-09
    say = CATALOGUE(language).gettext
    lines = text_of(read(LETTERS["letter-pending"](CATALOGUE(language)))).split("\n")
    for question in WAITING:
        at = lines.index(question.url)
        assert lines[at - 1] == say(f"link.{question.purpose.name.lower()}")
        assert lines[at - 3] == unlinked(question.address)


LINKED = re.compile(
    r"""[^\s@]+@[^\s@]+                 # an address
    | \w+://                            # a URL
    | \bwww\.                           # what mail programs take for one
    | \w[\w-]*(\.[\w-]+)+               # a host name, as "evil.com/verify"
    | (\+?\d[\s().-]*){7,}              # a telephone number
    """,
    re.VERBOSE,
)
"""Everything that a mail program makes a link of."""
TRICKS = (
    "www.phish.example/verify@evil.example",
    '"http://phish.example/login?a=b"@evil.example',
    "call+81-90-1234-5678@evil.example",
    "0561(82)0000@evil.co.jp",
    "tel:0312345678@1234567.example",
    "a．b。c｡d＠e@evil.example",
    "x\u202ey\u200bz\u00a0w@evil.example",
    "\u0661\u0662\u0663\u0664\u0665\u0666\u0667@evil.example",
    "mailto:a@xn--r8jz45g.example",
    "first.last@a-domain-with-a-name.example",
)


@pytest.mark.parametrize("address", TRICKS)
def test_an_address_that_waits_is_no_link(address: str) -> None:  # R-SND-02
    shown = unlinked(address)
    assert LINKED.search(shown) is None
    assert shown.isprintable()
    domain = address.rpartition("@")[2]
    assert shown.endswith(unlinked(domain)), "the domain stands whole at the end"


@given(local=st.text(max_size=80), domain=st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,12}){1,6}", fullmatch=True))
def test_no_address_at_all_is_a_link(local: str, domain: str) -> None:  # R-SND-02
    shown = unlinked(f"{local}@{domain}")
    assert LINKED.search(shown) is None
    assert shown.isprintable()
    assert len(shown) <= 64 * 18


def test_of_a_long_address_the_end_is_shown() -> None:  # R-SND-02
    shown = unlinked("x" * 100 + "y" * 51 + "@evil.example")
    assert shown == "[...] " + "y" * 51 + " [at] evil[dot]example"


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
