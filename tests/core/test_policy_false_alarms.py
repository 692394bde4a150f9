"""The shipped policy stops no harmless text, and still stops texts that differ by little."""

import pytest

from relay.core.model.policy import ContentAction
from relay.core.model.verdict import Action
from tests.core.test_policy_content import look
from tests.support.harmless_text import harmless_texts
from tests.support.mail_case import MailCase
from tests.support.real_mail import pass_on, stored

TEXTS = tuple(harmless_texts())
_STOPS = {ContentAction.HOLD, ContentAction.RETURN}


def test_the_shipped_policy_stops_no_harmless_text() -> None:  # R-POL-08, R-POL-09
    assert len(set(TEXTS)) >= 400
    stopped = [text for text in TEXTS if any(finding.action in _STOPS for finding in look({"text": text}).findings)]
    assert stopped == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("追跡番号 03-1234-5678 までどうぞ", "03-1234-5678"),
        ("注文番号 0312345678 へお電話ください", "0312345678"),
        ("伝票番号 03-1234-5678 にご連絡を", "03-1234-5678"),
        ("DMください @pottery_taro", "DMください @pottery_taro"),
        ("@pottery_taro へDMをどうぞ", "@pottery_taro へDM"),
        ("line ID: lampya77", "line ID: lampya77"),
        ("taro77 @gmail.com", "taro77 @gmail.com"),
        ("lamp dot com", "lamp dot com"),
        ("At 13:06 call 03-1234-5678", "03-1234-5678"),
        ("https://books.example/ or 03-1234-5678", "03-1234-5678"),
    ],
)
def test_a_text_that_leads_off_the_marketplace_is_stopped(text: str, marked: str) -> None:  # R-POL-08, R-POL-09
    seen = look({"text": text})
    assert [seen.marked(finding) for finding in seen.findings if finding.action in _STOPS] == [marked]


@pytest.mark.parametrize("name", ["c15", "c17", "c18", "c19"])
def test_real_mail_that_harms_nobody_is_relayed(name: str) -> None:  # R-POL-08
    assert pass_on(stored(name)).verdict.action is Action.RELAY


@pytest.mark.parametrize(
    "subject", ["追加の情報が必要", "追加情報が必要", "Re: 追加情報が必要：ご注文の件", "追加の情報が必要です"]
)
def test_a_request_for_information_passes_an_opt_out_in_each_form(subject: str) -> None:  # R-POL-04
    assert MailCase(subject=subject, opt_outs=({},)).verdict().action is Action.RELAY
    assert MailCase(subject="ご案内", opt_outs=({},)).verdict().action is Action.RETURN
