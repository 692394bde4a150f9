"""What is read from a header before anything is decided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.mail.head import Automatic, Head, HeadError, read_head
from tests.support.real_mail import BUYER, pass_on, stored

FROM = "From: Alice <a@x.example>\n"


def head(text: str | bytes) -> Head:
    content = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
    return read_head(content, mime.split(content, mime.MimeLimits()))


def test_a_whole_header() -> None:
    found = head("""\
Received: from a by b
Received: from c by d
From: =?utf-8?q?Alice_B=C3=BCyer?=
 <Alice@X.example>
Subject: Re: =?ISO-2022-JP?B?GyRCPUVNVxsoQg==?=
 table
Message-ID: <new@x.example>
References: <1@m.example>
 <2@m.example> <1@m.example>
In-Reply-To: Your mail <3@m.example> of <2@m.example>
X-Relay-Kind: Return_Or_Refund
X-Relay-Loop: other.example

body
""")
    assert found == Head(
        from_address="alice@x.example",
        from_name="Alice Büyer",
        subject="Re: 重要 table",
        message_id="new@x.example",
        references=("1@m.example", "2@m.example", "3@m.example"),
        automatic=Automatic.NO,
        kind_mark="return_or_refund",
        own_marks=("other.example",),
        hops=2,
    )


def test_what_is_absent_is_empty() -> None:
    found = head(FROM + "\n")
    assert (found.subject, found.message_id, found.references, found.kind_mark, found.own_marks, found.hops) == (
        "",
        "",
        (),
        "",
        (),
        0,
    )


@pytest.mark.parametrize(
    "fields", ["", FROM + FROM, FROM + "From : b@y.example\n", "From: a@x.example <b@y.example>\n"]
)
def test_a_from_in_doubt_is_refused(fields: str) -> None:
    with pytest.raises(HeadError, match="From") as caught:
        head(fields + "Subject: x\n\n")
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "automatic"),
    [
        ("", Automatic.NO),
        ("Auto-Submitted: no", Automatic.NO),
        ("Auto-Submitted: NO (really)", Automatic.NO),
        ("Auto-Submitted: auto-replied; owner-email=x", Automatic.REPLY),
        ("Auto-Submitted: auto-generated", Automatic.BULK),
        ("Auto-Submitted : Auto-Replied(vacation)", Automatic.REPLY),
        ("X-Auto-Response-Suppress: All", Automatic.NO),
        ("Precedence: auto_reply", Automatic.REPLY),
        ("Precedence: bulk", Automatic.BULK),
        ("precedence: JUNK", Automatic.BULK),
        ("Precedence: list", Automatic.BULK),
        ("Precedence: first-class", Automatic.NO),
        ("List-Id: <shop.example>", Automatic.BULK),
        ("List-Unsubscribe: <https://x.example>", Automatic.BULK),
        ("X-Autoreply: yes", Automatic.REPLY),
        ("X-Autoreply: no", Automatic.NO),
        ("X-Autorespond: Away", Automatic.REPLY),
        ("X-Failed-Recipients: x@y.example", Automatic.REPLY),
        ("Precedence: bulk\nAuto-Submitted: auto-replied", Automatic.REPLY),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", Automatic.REPLY),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", Automatic.REPLY),
    ],
)
def test_mail_of_programs_is_recognised(fields: str, automatic: Automatic) -> None:  # R-POL-14
    assert head(f"{FROM}{fields}\n\nx").automatic is automatic


def test_a_long_thread_keeps_its_origin_and_its_newest() -> None:
    ids = [f"{n}@m.example" for n in range(80)]
    found = head(FROM + "References: " + "\n ".join(f"<{i}>" for i in ids) + "\nIn-Reply-To: <79@m.example>\n\n")
    assert found.references == (*ids[:10], *ids[40:])


def test_ids_in_odd_forms() -> None:
    found = head(FROM + "Message-ID: junk <a b@x>\nReferences: no-brackets <> <<x@y> <1@\n m> >\n\n")
    assert found.message_id == "ab@x"
    assert found.references == ("x@y", "1@m")


@pytest.mark.parametrize(
    "written",
    [
        "1@m.example",
        "<a@b.example>, 1@m.example",
        "=?utf-8?q?=3C1=40m=2E?= =?utf-8?q?example=3E?=",
        "=?us-ascii?Q?<x=40y.example>_<1@m?= =?us-ascii?Q?.example>?= <z@y.example>",
        "&lt;1@m.example&gt;",
        '"<1@m.example>"',
        "'1@m.example'",
        "Your mail of Monday (1@m.example)",
        "<a@b.example><1@m.example>",
    ],
)
def test_thread_ids_are_read_as_programs_write_them(written: str) -> None:  # R-REW-03
    for name in ("In-Reply-To", "References"):
        assert "1@m.example" in head(FROM + f"{name}: {written}\n\n").references


def test_the_subject_is_one_line_whatever_it_holds() -> None:
    assert head(FROM + "Subject: =?utf-8?q?a=0D=0ABcc:_x=00y?=\n\n").subject == "a Bcc: x y"
    assert head(b"From: a@x.example\r\nSubject: \xe9\x87\x8d\r\n\r\n").subject == "重"
    assert len(head(FROM + "Subject: " + "x" * 100_000 + "\n\n").subject) <= 10_000


@given(st.binary(max_size=200))
def test_any_octets_beside_from_are_read(octets: bytes) -> None:
    for name in (b"Subject", b"References", b"Auto-Submitted", b"Message-ID", b"X-Relay-Kind", b"X-Relay-Loop"):
        content = b"From: a@x.example\r\n" + name + b": " + octets.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\n"
        found = head(content)
        assert not set("\r\n\0") & set(found.subject)


@pytest.mark.parametrize(("name", "shown"), [("08a", "Jörg Müller"), ("c24", "Hänako Y."), ("c25", BUYER)])
def test_real_mail_is_not_refused_for_its_display_name(name: str, shown: str) -> None:
    read = pass_on(stored(name)).head
    assert (read.from_address, read.from_name) == (BUYER, shown)
