"""Every reason has a text in every type of notice in which it can come.

Whatever a rule gives, a notice is whole, leaks nothing, and sends nobody to a page to which it has no link.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.model.policy import Policy, Senders
from relay.core.model.reason import OWNER_DECIDES, Reason, ReasonCode, Span
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action, Strip
from relay.core.notice.compose import NoticeLink, NoticeRequest, NoticeType
from relay.core.notice.texts import LANGUAGES, NoticePart, key
from relay.core.policy.stages import RULES
from relay.core.signed_link import Purpose
from tests.core.test_notice import (
    ADDRESS,
    ALIAS,
    ANSWER,
    CATALOGUE,
    ORDER_ALIAS,
    REQUESTS,
    RETURNED,
    decoded,
    drawn,
    notice,
    read,
    text_of,
)
from tests.support import goldens
from tests.support.catalogues import entries, forms_of
from tests.support.mail_case import NOW, marketplace

ENTRIES = {language: entries(language) for language in LANGUAGES}
URL = "https://ichiba.example/l/" + "x" * 200
QUOTAS = {
    ReasonCode.QUOTA_SELLER,
    ReasonCode.QUOTA_PAIR,
    ReasonCode.QUOTA_BUYER,
    ReasonCode.QUOTA_RETURNED,
    ReasonCode.QUOTA_CHECKS,
}
ATTACHMENTS = {
    ReasonCode.ATTACHMENT_TYPE,
    ReasonCode.ATTACHMENT_DISGUISED,
    ReasonCode.ATTACHMENT_TOO_BIG,
    ReasonCode.ATTACHMENT_UNREADABLE,
}
CONTENT = {
    ReasonCode.EXTERNAL_LINK,
    ReasonCode.LINKED_LOGO,
    ReasonCode.TRACKING_PIXEL,
    ReasonCode.CONTACT_DATA,
    ReasonCode.CONTACT_DISGUISED,
    ReasonCode.PROMOTION,
    ReasonCode.ASKS_BUYER_TO_CANCEL,
    ReasonCode.STATUS_COPY,
}
SCANS = {ReasonCode.VIRUS_FOUND, ReasonCode.SPAM_FOUND, ReasonCode.SCANNER_AWAY}
LIFTING = {
    ReasonCode.ANSWER,
    ReasonCode.MARKED_IMPORTANT,
    ReasonCode.ADDITIONAL_INFORMATION,
    ReasonCode.CRITICAL_KIND,
}
OWN_FAULT = {ReasonCode.INTERNAL}
FROM_SERVER = {code for code in ReasonCode if code.rule in {"R-OUT-02", "R-OUT-05"}}
JUDGED = {code for rule in RULES.values() for code in rule.reasons} | {
    ReasonCode.MALFORMED,
    ReasonCode.HOLD_EXPIRED,
    ReasonCode.HOLD_REFUSED,
}
NEVER_TOLD = {ReasonCode.DUPLICATE}
BY_REWRITE = {ReasonCode.LINK_REMOVED}
"""Reasons that the rewrite finds, and that only warn."""
REFUSED = set(ReasonCode) - JUDGED - FROM_SERVER - OWN_FAULT - NEVER_TOLD - BY_REWRITE
DETOURS = {ReasonCode.QUIET_HOURS, ReasonCode.SERVICE_QUESTION}
REFUSED_AT_ONCE = {
    ReasonCode.ADDRESS_UNKNOWN,
    ReasonCode.SENDER_BLOCKED,
    ReasonCode.LOGIN_MISUSED,
    ReasonCode.TOO_MANY_PENDING,
    ReasonCode.OWN_ALIAS,
    ReasonCode.FROM_DEFECT,
    ReasonCode.NO_RELAYING,
    ReasonCode.DMARC_FAILED,
}
NOT_FROM_CONTENT = {
    ReasonCode.SENDER_SUSPENDED,
    ReasonCode.RECIPIENT_UNAVAILABLE,
    ReasonCode.OPTED_OUT,
    ReasonCode.AUTO_REPLY_REPEATED,
    ReasonCode.LOOP,
    ReasonCode.TOO_BIG,
    ReasonCode.MALFORMED,
    ReasonCode.THREAD_CLOSED,
    ReasonCode.CHANNEL_OFF,
    ReasonCode.BYPASS_QUOTA,
    ReasonCode.BYPASS_OFF,
    ReasonCode.BYPASS_MISUSED,
    ReasonCode.SIGNATURE_NAMES_OWNER,
}
ENDED_HOLDS = {ReasonCode.HOLD_EXPIRED, ReasonCode.HOLD_REFUSED}
FAILED_FOR_GOOD = {
    ReasonCode.MAILBOX_UNKNOWN,
    ReasonCode.MAILBOX_FULL,
    ReasonCode.FILTERED,
    ReasonCode.SPAM_REFUSED,
    ReasonCode.POLICY_REFUSED,
    ReasonCode.MESSAGE_TOO_BIG,
    ReasonCode.HOST_UNKNOWN,
    ReasonCode.TLS_REQUIRED,
    ReasonCode.SMTPUTF8_UNSUPPORTED,
    ReasonCode.EXPIRED,
    ReasonCode.REFUSED,
}
RETURNING = NOT_FROM_CONTENT | QUOTAS | ATTACHMENTS | CONTENT | SCANS
OCCURS = {
    NoticeType.RETURNED: REFUSED | JUDGED - LIFTING - DETOURS,
    NoticeType.HELD: OWNER_DECIDES | QUOTAS | ATTACHMENTS | CONTENT | SCANS | {ReasonCode.QUIET_HOURS},
    NoticeType.WARNED: CONTENT | ATTACHMENTS | DETOURS | BY_REWRITE | {ReasonCode.BYPASS_MISUSED},
    NoticeType.CHECKED: RETURNING | DETOURS | LIFTING | BY_REWRITE,
    NoticeType.DELAYED: {ReasonCode.DELAYED, ReasonCode.TEMPORARY},
    NoticeType.UNDELIVERABLE: FAILED_FOR_GOOD,
    NoticeType.REPORTED: {ReasonCode.REPORTED_UNDELIVERABLE},
}
VALUES = (
    ("name", "catalogue.xlsm"),
    ("domain", "shop.example"),
    ("contact", "phone"),
    ("kind", "promotion"),
    ("score", "4"),
    ("sender", "new@seller.example"),
)
LINKS = {
    ReasonCode.SENDER_PENDING: Purpose.SENDER,
    ReasonCode.SENDER_UNPROVEN: Purpose.CONFIRM,
    ReasonCode.THREAD_CLOSED: Purpose.REOPEN,
    ReasonCode.CHANNEL_OFF: Purpose.PRODUCT_SUPPORT,
}


def of(code: ReasonCode, kind: NoticeType) -> NoticeRequest:
    """A notice as the flow would ask for it."""
    checked: dict[str, Any] = {"reach": Standing.CRITICAL_ONLY, "action": Action.RETURN, "remaining": 3}
    by_itself = (kind is NoticeType.HELD and code in QUOTAS) or code is ReasonCode.QUIET_HOURS
    return replace(
        RETURNED,
        type=kind,
        reason=Reason(code=code, span=Span(part="1.1", start=5, end=10), values=VALUES),
        excerpt="call me at 03-0000-0000 or mail hanako@mail.example" if code in CONTENT else "",
        links=(NoticeLink(LINKS[code], URL),) if code in LINKS else (),
        not_before=NOW + timedelta(hours=5) if by_itself else None,
        **checked if kind is NoticeType.CHECKED else {},
    )


SHOWN = {
    NoticeType.RETURNED: {
        ReasonCode.CONTACT_DATA,
        ReasonCode.THREAD_CLOSED,
        ReasonCode.CHANNEL_OFF,
    },
    NoticeType.HELD: {
        ReasonCode.SENDER_UNPROVEN,
        ReasonCode.QUOTA_PAIR,
        ReasonCode.CONTACT_DISGUISED,
        ReasonCode.SCANNER_AWAY,
    },
    NoticeType.WARNED: {ReasonCode.EXTERNAL_LINK, ReasonCode.QUIET_HOURS, ReasonCode.BYPASS_MISUSED},
    NoticeType.CHECKED: {ReasonCode.OPTED_OUT, ReasonCode.QUIET_HOURS},
    NoticeType.DELAYED: {ReasonCode.TEMPORARY},
    NoticeType.UNDELIVERABLE: {ReasonCode.MAILBOX_FULL},
    NoticeType.REPORTED: {ReasonCode.REPORTED_UNDELIVERABLE},
}
"""Some of each type, for eyes: what is around a reason's own texts differs by type, not by reason."""


def test_golden_notices() -> None:  # R-POL-16 R-OUT-05 R-OUT-07
    """`RELAY_UPDATE=1 pytest` writes the file again; look at the difference before committing it.

    A new reason need not stand in it: `test_a_notice_is_made_of_its_reasons_texts` holds for every reason.
    """
    requests = REQUESTS | {f"{kind}-{code}": of(code, kind) for kind, codes in SHOWN.items() for code in sorted(codes)}
    shown = {
        f"{name} {language}": drawn(notice(request, language))
        for name, request in requests.items()
        for language in LANGUAGES
    }
    assert goldens.held("notices.txt", shown) == shown


def _pattern(name: str, language: str) -> str:
    """Any of the forms of a text, whatever values are in it."""
    forms = forms_of(ENTRIES[language][name])
    return "(?:" + "|".join(re.sub(r"\\{\w+\\}", r"[^\\n]+", re.escape(form)) for form in forms) + ")"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind in NoticeType for code in sorted(OCCURS[kind])])
def test_a_notice_is_made_of_its_reasons_texts(kind: NoticeType, code: ReasonCode, language: str) -> None:
    # R-POL-16: what happened, by which rule, what to change, how to send it again; the reason's word, not a number
    def part(*names: str) -> str:
        return "\n(?:[^\n]+\n)*?".join(_pattern(name, language) for name in names)

    by_owner = kind is NoticeType.HELD and code in OWNER_DECIDES
    is_next = kind is NoticeType.WARNED or (kind is NoticeType.HELD and not by_owner)
    takes_own = kind not in {NoticeType.HELD, NoticeType.WARNED, NoticeType.CHECKED} or by_owner
    again = f"{code}.again" if takes_own else f"again.{kind}"
    text = text_of(read(notice(of(code, kind), language)))
    for names in (
        ("heading.what", f"{code}.what"),
        ("heading.rule", f"{code}.rule", "rule.id"),
        ("heading.change_next" if is_next else "heading.change", f"{code}.change"),
        ("heading.again", again),
    ):
        assert re.search(part(*names), text), names
    assert f"{CATALOGUE(language).gettext('rule.id').format(rule=code)}\n" in text
    assert not re.search(r"\bR-[A-Z]+-\d", text)


def test_every_reason_occurs_in_some_notice() -> None:  # R-POL-16
    assert set().union(*OCCURS.values()) | OWN_FAULT | NEVER_TOLD == set(ReasonCode)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [NoticeType.HELD, NoticeType.WARNED, NoticeType.CHECKED])
def test_what_has_not_failed_is_told_by_text_alone(kind: NoticeType, language: str) -> None:  # RFC 3464 §2.3.3
    message = read(notice(of(ReasonCode.EXTERNAL_LINK, kind), language))
    assert message.get_content_type() == "text/plain"
    assert (message["Auto-Submitted"], message["In-Reply-To"]) == ("auto-replied", "<m1@client.invalid>")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", NoticeType)
@pytest.mark.parametrize("code", ReasonCode)
def test_no_address_but_aliases_from_what_a_rule_gives(code: ReasonCode, kind: NoticeType, language: str) -> None:
    # R-OUT-05
    hostile = tuple((name, "hanako@mail.example") for name, _ in (*VALUES, ("limit", ""), ("reset", ""), ("days", "")))
    request = replace(
        of(code, kind),
        reason=Reason(code=code, values=hostile),
        others=tuple(Reason(code=other, values=hostile) for other in CONTENT | ATTACHMENTS),
        strips=(Strip(part="2", code=ReasonCode.ATTACHMENT_TYPE, name="ＨＡＮＡＫＯ＠mail.example.png"),),
        excerpt="write to hanako@mail.example, please",
        subject="hanako@mail.example",
        remote=ANSWER,
    )
    seen = decoded(notice(request, language))
    assert set(ADDRESS.findall(seen)) <= {
        "mailer-daemon@ichiba.example",
        ALIAS,
        ORDER_ALIAS,
        "notice-1@ichiba.example",
        "m1@client.invalid",
    }
    assert "hanako" not in seen.lower()
    assert "ＨＡＮＡＫＯ" not in seen


@pytest.mark.parametrize("kind", NoticeType)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subject_that_must_not_be_shown_is_in_no_part(kind: NoticeType, language: str) -> None:  # R-SND-02
    request = replace(of(ReasonCode.HOLD_EXPIRED, kind), subject=None, original_message_id="")
    seen = decoded(notice(request, language))
    assert CATALOGUE(language).gettext("message.not_shown") in seen
    assert CATALOGUE(language).gettext("message.no_subject") not in seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_owner_is_told_how_long_a_new_sender_waits(language: str) -> None:  # R-SND-02
    text = text_of(read(notice(of(ReasonCode.SENDER_PENDING, NoticeType.HELD), language)))
    assert "14" in text
    assert "2026-07-15 18:29 JST" in text
    brief = marketplace(policies=(Policy(senders=Senders(pending_s=90)),))
    request = replace(of(ReasonCode.SENDER_PENDING, NoticeType.HELD), marketplace=brief)
    assert "2026-07-01 18:31 JST" in text_of(read(notice(request, language)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_stands_whole_on_a_line_of_its_own_below_what_it_does(purpose: Purpose, language: str) -> None:
    # R-SND-02 R-POL-13 R-POL-18
    request = replace(RETURNED, links=(NoticeLink(purpose, URL),))
    lines = text_of(read(notice(request, language))).split("\n")
    at = lines.index(URL)
    assert lines[at - 1] == CATALOGUE(language).gettext(f"link.{purpose.name.lower()}")


@pytest.mark.parametrize("code", ReasonCode)
def test_no_text_asks_for_a_page_that_a_mail_does_not_link_to(code: ReasonCode) -> None:  # R-POL-16
    """Texts are for every channel; what can be done by a link is said beside the link."""
    for part in NoticePart:
        english, japanese = (CATALOGUE(language).gettext(key(code, part)) for language in LANGUAGES)
        assert not re.search(r"\b(page|website|button|console|screen|below)\b|\bclick\b", english)
        assert not re.search("画面|ページ|ボタン|コンソール|下の|下記", japanese)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_lists_further_reasons_and_what_was_taken_out(language: str) -> None:  # R-POL-08 R-REW-08
    request = replace(
        of(ReasonCode.EXTERNAL_LINK, NoticeType.WARNED),
        others=(Reason(code=ReasonCode.PROMOTION),),
        strips=(Strip(part="1.2", code=ReasonCode.LINKED_LOGO, name="logo.png"),),
    )
    say = CATALOGUE(language).gettext
    lines = text_of(read(notice(request, language))).split("\n")
    further = lines[lines.index(say("heading.others")) + 1]
    assert say("promotion.title") in further
    assert say("promotion.change") in further
    taken = lines[lines.index(say("heading.stripped")) + 1]
    assert "logo.png" in taken
    assert say("linked_logo.title") in taken
    assert say("again.stripped") in lines


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        (NoticeType.WARNED, "heading.stripped"),
        (NoticeType.HELD, "heading.strips"),
        (NoticeType.CHECKED, "heading.strips"),
        (NoticeType.RETURNED, None),
    ],
)
def test_only_of_what_went_on_its_way_something_was_taken_out(kind: NoticeType, heading: str | None) -> None:
    # R-REW-08
    strips = (Strip(part="1.2", code=ReasonCode.LINKED_LOGO, name="logo.png"),)
    lines = text_of(read(notice(replace(of(ReasonCode.EXTERNAL_LINK, kind), strips=strips)))).split("\n")
    said = {name for name in ("heading.stripped", "heading.strips") if CATALOGUE("en").gettext(name) in lines}
    assert said == ({heading} if heading else set())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_check_says_that_the_message_would_wait(language: str) -> None:  # R-POL-12 R-POL-19
    request = replace(
        RETURNED,
        type=NoticeType.CHECKED,
        reason=None,
        reach=Standing.OPEN,
        action=Action.RELAY,
        not_before=NOW + timedelta(hours=5),
    )
    say = CATALOGUE(language).gettext("checked.at").format(until="2026-07-01 23:30 JST")
    assert say in text_of(read(notice(request, language))).split("\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reason_is_quoted_in_its_place(language: str) -> None:  # R-POL-16
    in_body = text_of(read(notice(of(ReasonCode.CONTACT_DATA, NoticeType.RETURNED), language)))
    assert "call me at 03-0000-0000 or mail ***" in in_body
    assert "1.1" not in in_body
    assert "Subject" in text_of(read(notice(RETURNED, language)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("standing", Standing)
def test_a_check_of_a_faultless_message_says_how_the_buyer_may_be_written_to(standing: Standing, language: str) -> None:
    # R-POL-19
    request = replace(RETURNED, type=NoticeType.CHECKED, reason=None, reach=standing, action=Action.RELAY, remaining=12)
    say, text = CATALOGUE(language).gettext, text_of(read(notice(request, language)))
    for word in (say(f"reach.{standing}"), say("verdict.relay"), "12", ALIAS):
        assert word in text
    assert say("heading.rule") not in text


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        (ReasonCode.QUOTA_SELLER, "500 "),
        (ReasonCode.QUOTA_PAIR, "20 "),
        (ReasonCode.QUOTA_RETURNED, "60 "),
        (ReasonCode.QUOTA_CHECKS, "20 "),
        (ReasonCode.BYPASS_QUOTA, "20 "),
        (ReasonCode.ATTACHMENT_TYPE, "10 MB"),
        (ReasonCode.ATTACHMENT_TOO_BIG, "10 MB"),
        (ReasonCode.TOO_BIG, "26.2 MB"),
    ],
)
def test_a_limit_that_the_rule_does_not_give_is_the_policys(code: ReasonCode, limit: str) -> None:  # R-POL-07 R-POL-11
    bare = replace(RETURNED, reason=Reason(code=code))
    assert re.search(rf"\b{limit}", text_of(read(notice(bare))))
    given = replace(RETURNED, reason=Reason(code=code, values=(("limit", "7"),)))
    assert re.search(r"\b7\b", text_of(read(notice(given))))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [kind for kind in NoticeType if ReasonCode.QUOTA_BUYER in OCCURS[kind]])
def test_a_buyers_quota_tells_a_seller_nothing_of_what_others_write(kind: NoticeType, language: str) -> None:
    # R-POL-11: neither how many are passed on nor that there are others
    given = Reason(code=ReasonCode.QUOTA_BUYER, values=(("limit", "61"),))
    told = text_of(read(notice(replace(of(ReasonCode.QUOTA_BUYER, kind), reason=given), language)))
    assert not re.search(r"\b61\b|together|all senders|すべての送信者|合計", told)


@pytest.mark.parametrize("code", sorted(QUOTAS | {ReasonCode.BYPASS_QUOTA}))
@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((), "2026-07-02 00:00 JST"),
        ((("reset", "2026-07-03T00:00:00+09:00"),), "2026-07-03 00:00 JST"),
        ((("reset", "2026-07-02T15:00:00"),), "2026-07-03 00:00 JST"),
        ((("reset", "tomorrow"),), "tomorrow"),
    ],
)
def test_when_a_quota_starts_anew_is_said(code: ReasonCode, values: tuple[tuple[str, str], ...], shown: str) -> None:
    # R-POL-11
    request = replace(RETURNED, reason=Reason(code=code, values=values))
    assert f"after {shown}" in text_of(read(notice(request)))


WORDS = st.text(max_size=60) | st.sampled_from(["", "9999-12-31T23:59:59+00:00", "0001-01-01", "{marketplace}", "%s"])
REASONS = st.builds(
    Reason,
    code=st.sampled_from(ReasonCode),
    span=st.none() | st.builds(Span, part=st.sampled_from(["", "1", "1.2", "subject", "from"]), start=st.just(0), end=st.just(1)),
    values=st.lists(st.tuples(st.sampled_from([*(name for name, _ in VALUES), "limit", "reset", "days", "allowed", "detail"]), WORDS)).map(tuple),
)  # fmt: skip
TIMES = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
    lambda at: at.replace(tzinfo=NOW.tzinfo)
)


@settings(deadline=None)
@given(
    kind=st.sampled_from(NoticeType),
    reason=REASONS,
    others=st.lists(REASONS, max_size=30).map(tuple),
    strips=st.lists(st.builds(Strip, part=st.just("1"), code=st.sampled_from(ReasonCode), name=WORDS)).map(tuple),
    excerpt=st.text(max_size=1000),
    not_before=TIMES,
    remaining=st.none() | st.integers(0, 10**6),
    language=st.sampled_from(LANGUAGES),
)
def test_whatever_a_rule_gives_a_notice_is_whole(language: str, kind: NoticeType, **fields: Any) -> None:
    # R-POL-16 R-REW-10
    content = notice(replace(RETURNED, type=kind, **fields), language)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert re.search(rb"[^\r]\n|\r[^\n]|\r\Z", content) is None
    assert CATALOGUE(language).gettext("heading.message") in text_of(read(content))
