"""The order that a mail names: cases as people write them, in every form in which the text may come (R-ADR-05)."""

import tomllib
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from relay.core import alias
from relay.core.mail.mime import MimeLimits, split
from relay.core.mail.quotes import WrittenTexts
from relay.core.model.order import Order
from relay.core.order_ids import OrderIds

CASES: list[dict[str, Any]] = tomllib.loads(Path("tests/golden/orders/named.toml").read_text(encoding="utf-8"))["case"]
PAIR = ("250-1001", "250-1002")


def ids_of(*external_ids: str) -> OrderIds:
    return OrderIds(Order(id=one, marketplace_id="m", pair_id="p", external_id=one) for one in external_ids)


def mail(case: dict[str, Any], charset: str = "utf-8", cte: str | None = None) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "shop@pottery.example"
    message["Subject"] = case.get("subject", "")
    message.set_content(case.get("html", case.get("text", "")), "html" if "html" in case else "plain", charset, cte)
    return bytes(message)


def named(case: dict[str, Any], content: bytes) -> tuple[str | None, str | None]:
    """Returns the order that the mail names and the place, both as the case has them."""
    ids = ids_of(*case.get("ids", PAIR))
    subject, texts = case.get("subject", ""), WrittenTexts(content, split(content, MimeLimits())).texts
    written = [("subject", subject, subject), *(("text", text.source, text.newly_written) for text in texts)]
    for where, source, read in written:
        if ids.may_be_in(source) and (order := ids.first_in(read)):
            return order.external_id, where
    return None, None


def title(case: dict[str, Any]) -> str:
    return " ".join(str(case.get(key, "")) for key in ("subject", "text", "html")).strip()[:50]


@pytest.mark.parametrize("case", CASES, ids=title)
def test_a_mail_names_the_order_that_people_read_in_it(case: dict[str, Any]) -> None:
    assert named(case, mail(case)) == (case.get("order"), case.get("in"))


@pytest.mark.parametrize(
    ("charset", "cte"), [("iso-2022-jp", "7bit"), ("cp932", "base64"), ("utf-8", "quoted-printable")]
)
def test_the_form_of_the_text_makes_no_difference(charset: str, cte: str) -> None:
    for case in CASES:
        try:
            content = mail(case, charset, cte)
        except UnicodeEncodeError:
            continue
        assert named(case, content) == (case.get("order"), case.get("in")), title(case)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 80
    assert sum("order" not in case for case in CASES) >= 25


def test_a_long_id_list_is_read_like_a_short_one() -> None:
    many = ids_of(*(f"{number}-{number}" for number in range(1000, 1200)))
    assert not many.may_be_in("nothing here 99")
    assert many.may_be_in("see 1100-1100")
    found = many.first_in("see 1100-1100 and 1101-1101")
    assert found is not None
    assert found.external_id == "1100-1100"


@pytest.mark.parametrize("source", ["２５０－１００１", "Ｎｏ．２５０-1001"])
def test_the_quick_test_finds_full_width_ids(source: str) -> None:
    assert ids_of(*PAIR).may_be_in(source)


@pytest.mark.parametrize(("tag", "order"), [("250-1001", "250-1001"), ("250-1003", None), ("", None), ("1001", None)])
def test_a_tag_names_an_order(tag: str, order: str | None) -> None:
    found = ids_of(*PAIR).tagged(tag)
    assert (found.external_id if found else None) == order


@pytest.mark.parametrize(
    ("external_ids", "tag", "order"),
    [
        (("#1042",), "1042", "#1042"),
        (("#1042",), "#1042", "#1042"),
        (("AB-12",), "ab-12", "AB-12"),
        (("AB-12", "ab-12"), "ab-12", "ab-12"),
        (("AB-12", "ab-12"), "Ab-12", None),
        (("15",), "15", "15"),
    ],
)
def test_a_tag_needs_no_word_for_order(external_ids: tuple[str, ...], tag: str, order: str | None) -> None:
    found = ids_of(*external_ids).tagged(tag)
    assert (found.external_id if found else None) == order


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        ("250-1001", "a" * 16 + "+250-1001@m.example"),
        ("#1042", "a" * 16 + "+1042@m.example"),
        ("R.77_2", "a" * 16 + "+R.77_2@m.example"),
        ("", None),
        ("#", None),
        ("1..2", None),
        ("R/77", None),
        ("ORD 1", None),
        ("注文1", None),
        ("1" * 48, None),
    ],
)
def test_an_address_with_an_order_is_one_that_all_mail_programs_can_write(tag: str, address: str | None) -> None:
    assert alias.tagged("a" * 16 + "@m.example", tag) == address


def test_attachments_and_forwarded_mails_name_no_order() -> None:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "shop@pottery.example"
    message.set_content("See below.")
    message.add_attachment("Order 250-1001", filename="list.txt")
    forwarded = EmailMessage(policy=policy.SMTP)
    forwarded["Subject"] = "250-1001"
    forwarded.set_content("Order 250-1001")
    message.add_attachment(forwarded)
    content = bytes(message)
    assert [text.source.strip() for text in WrittenTexts(content, split(content, MimeLimits())).texts] == ["See below."]


def test_html_is_read_only_without_plain_text() -> None:
    for plain, expected in (("See 250-1001", ["See 250-1001"]), ("", ["", "<p>250-1002</p>"])):
        message = EmailMessage(policy=policy.SMTP)
        message.set_content(plain)
        message.add_alternative("<p>250-1002</p>", subtype="html")
        content = bytes(message)
        texts = WrittenTexts(content, split(content, MimeLimits())).texts
        assert [text.source.strip() for text in texts] == expected
