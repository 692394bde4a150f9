"""What passes in a header, and what never does."""

from email import message_from_bytes
from email.headerregistry import Address
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.rewrite import headers
from relay.core.rewrite.plan import Draft, Plan


def plan(name: str = "Alice") -> Plan:
    return Plan(
        domain="market.example",
        from_address="alias@market.example",
        from_name=name,
        disguise={},
        message_id="new@market.example",
        thread_ids={},
        thread_key=b"k" * 32,
        hidden_hosts=frozenset(),
    )


def apply(header: str | bytes, name: str = "Alice") -> Draft:
    content = (header if isinstance(header, bytes) else header.replace("\n", "\r\n").encode()) + b"\r\nbody"
    draft = Draft(content=content, root=mime.split(content, mime.MimeLimits()))
    return headers.apply(draft, plan(name))


def passed(header: str | bytes, name: str) -> list[bytes]:
    return [value for key, value in apply(header).fields if key == name]


def test_only_listed_fields_pass_and_every_other_is_a_change() -> None:  # R-REW-02 R-REW-07
    hidden = """\
Received: from client.private.example ([192.0.2.77]) by mx
Return-Path: <alice@private.example>
Reply-To: alice@private.example
Sender: alice@private.example
Cc: alice@private.example
Bcc: alice@private.example
Resent-From: alice@private.example
X-Originating-IP: [192.0.2.77]
X-Mailer: private.example
User-Agent: private.example
Organization: private.example
DKIM-Signature: d=private.example
Authentication-Results: private.example; spf=pass
ARC-Seal: d=private.example
Thread-Index: AdXprivate
Thread-Topic: private
List-Unsubscribe: <mailto:alice@private.example>
Disposition-Notification-To: alice@private.example
Return-Receipt-To: alice@private.example
X-Confirm-Reading-To: alice@private.example
Autocrypt: addr=alice@private.example
Face: private
no field at all private.example
"""
    draft = apply(hidden + "From: a@private.example\nTo: alias@market.example\nSubject: s\n")
    sent = b"".join(name.encode() + value for name, value in draft.fields)
    assert b"rivate" not in sent
    assert b"192.0.2.77" not in sent
    dropped = [change.where for change in draft.changes]
    assert len(dropped) == hidden.count("\n") + 2
    assert all(change.what == "header dropped" and change.why for change in draft.changes)
    receipts = [c.where for c in draft.changes if "receipt" in c.why]
    assert receipts == ["disposition-notification-to", "return-receipt-to", "x-confirm-reading-to"]


def test_a_field_that_is_said_anew_is_a_change_and_one_that_stays_is_none() -> None:  # R-REW-08
    draft = apply(
        "Date: Mon, 23 Nov 2026 10:00:00 +0900 (JST)\nSubject: Grüße\nContent-Type: text/plain\n"
        "Content-Transfer-Encoding: 8bit (really)\nImportance:high\n"
    )
    assert [(change.what, change.where) for change in draft.changes] == [
        ("header rewritten", "date"),
        ("header rewritten", "subject"),
        ("header rewritten", "content-transfer-encoding"),
    ]


def test_there_is_one_of_each() -> None:  # R-REW-10
    draft = apply("MIME-Version: 1.0\nMIME-Version: 1.0\nSubject: a\nSubject: b\nDate: 1 Jan 2026 00:00 GMT\nDate: x\n")
    names = [name for name, _ in draft.fields]
    assert sorted(names) == ["Date", "From", "MIME-Version", "Subject", "X-Relay-Loop"]
    assert dict(draft.fields)["Subject"] == b" a\r\n"


@pytest.mark.parametrize(
    "value",
    [
        b" plain\r\n",
        b" Re: [Item] =?utf-8?q?caf=C3=A9?=\r\n\tfolded\r\n",
        b" =?ISO-2022-JP?B?GyRCPUVNVxsoQg==?=\r\n",
        b"no space in front  and two within\r\n",
    ],
)
def test_a_clean_subject_passes_byte_for_byte(value: bytes) -> None:  # R-REW-04
    (sent,) = passed(b"Subject:" + value, "Subject")
    assert sent.removeprefix(b" ") == value.removeprefix(b" ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("重要".encode(), "重要"),
        (b"\x1b$B=EMW\x1b(B", "重要"),
        (b"a\x00b\x07c", "a b c"),
        (b"a\r\n \r\n b", "a b"),
        (b"x" * 2_000, "x" * 2_000),
    ],
)
def test_a_subject_that_is_not_clean_is_encoded_anew(value: bytes, text: str) -> None:
    (sent,) = passed(b"Subject: " + value + b"\r\n", "Subject")
    assert sent.isascii()
    assert max(map(len, sent.split(b"\r\n"))) <= 78
    assert message_from_bytes(b"Subject:" + sent, policy=SMTP)["Subject"] == text


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Sun, 22 Nov 2026 17:00:00 -0800 (PST)", b" Mon, 23 Nov 2026 01:00:00 +0000\r\n"),
        ("Sun, 22 Nov 2026 17:00 -0800 (Tokyo Standard Time)", b" Mon, 23 Nov 2026 01:00:00 +0000\r\n"),
        ("22 Nov 26 17:00:60 EST", b" Sun, 22 Nov 2026 22:00:59 +0000\r\n"),
        ("1 Jan 1999 00:00:00 GMT", b" Fri, 01 Jan 1999 00:00:00 +0000\r\n"),
    ],
)
def test_a_date_keeps_its_instant_and_loses_its_zone(value: str, sent: bytes) -> None:  # R-REW-01
    assert passed(f"Date: {value}\n", "Date") == [sent]


@pytest.mark.parametrize(
    "value", ["", "yesterday", "32 Jan 2026 00:00:00 +0000", "1 Foo 2026 00:00 +0000", "1 Jan 0001 00:00:00 +2300"]
)
def test_a_date_that_names_no_instant_is_dropped(value: str) -> None:
    assert passed(f"Date: {value}\n", "Date") == []


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("Content-Type: text/plain;\n charset=utf-8", b" text/plain;\r\n charset=utf-8\r\n"),
        ("Content-Type: text/plain (host.example); charset=utf-8", b" text/plain;\r\n charset=utf-8\r\n"),
        (
            'Content-Type: application/pdf; name="漢.pdf"',
            b" application/pdf;\r\n name*=utf-8''%E6%BC%A2.pdf\r\n",
        ),
        ("Content-Transfer-Encoding: 8bit (host.example)", b" 8bit\r\n"),
        ("Content-Disposition: inline", b" inline\r\n"),
        ("Content-Language: ja, en-GB", b" ja, en-GB\r\n"),
        ("X-Priority: 1 (Highest)", b" 1\r\n"),
        ("Importance: High", b" High\r\n"),
        ("X-Relay-Loop: other.example", b" other.example\r\n"),
    ],
)
def test_fields_pass_in_their_plainest_form(field: str, sent: bytes) -> None:
    assert passed(field + "\n", field.partition(":")[0])[0] == sent


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: nonsense",
        "Content-Type: (only a comment)",
        "Content-Transfer-Encoding: a@private.example",
        "Content-Language: a@private.example",
        "Importance: because a@private.example said so",
        "X-Priority: 12345",
    ],
)
def test_fields_with_free_text_do_not_pass(field: str) -> None:
    assert passed(field + "\n", field.partition(":")[0]) == []


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("", []),
        ("Auto-Submitted: auto-replied; owner-email=a@private.example\n", [b" auto-replied\r\n"]),
        ("Precedence: bulk\n", [b" auto-generated\r\n"]),
    ],
)
def test_mail_of_programs_stays_marked(header: str, sent: list[bytes]) -> None:  # R-OUT-08 R-POL-14
    assert passed(header, "Auto-Submitted") == sent


def test_loop_marks_add_up() -> None:  # R-OUT-08
    assert passed("X-Relay-Loop: one.example\nX-Relay-Loop: a b\nX-Relay-Loop: two.example\n", "X-Relay-Loop") == [
        b" one.example\r\n",
        b" two.example\r\n",
        b" market.example\r\n",
    ]


@given(st.text(max_size=200))
@pytest.mark.parametrize(
    "wild", ["", 'a"b\\c', "Bob\r\nBcc: x@y.example\r\n\r\n", "=?utf-8?q?x?=", "a, b <c@d.example>"]
)
def test_any_display_name_gives_one_mailbox(wild: str, name: str) -> None:  # R-REW-02
    (value,) = [value for key, value in apply("", wild + name).fields if key == "From"]
    assert value.isascii()
    assert all(line[:1] == b" " and len(line) <= 300 for line in value.removesuffix(b"\r\n").split(b"\r\n"))
    parsed = message_from_bytes(b"From:" + value + b"\r\n", policy=SMTP)["From"].addresses
    assert [address.addr_spec for address in parsed] == ["alias@market.example"]
    assert isinstance(parsed[0], Address)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("", b" alias@market.example\r\n"),
        ("Alice Buyer", b" Alice Buyer <alias@market.example>\r\n"),
        ("Alice B.", b' "Alice B." <alias@market.example>\r\n'),
        ("田中", b" =?utf-8?b?55Sw5Lit?=\r\n <alias@market.example>\r\n"),
    ],
)
def test_display_names(name: str, sent: bytes) -> None:
    assert dict(apply("", name).fields)["From"] == sent


@given(st.binary(max_size=300))
def test_any_header_gives_lines_that_any_server_takes(octets: bytes) -> None:  # R-REW-10
    draft = apply(octets.replace(b"\r\n\r\n", b"") + b"\r\n")
    for _, value in draft.fields:
        assert value.isascii()
        assert value.endswith(b"\r\n")
        assert all(line[:1] in b" \t" and line.strip() for line in value[:-2].split(b"\r\n"))
