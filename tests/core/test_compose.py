"""What dispatch puts in front."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP

import pytest

from relay.core.mail.address import AddressError
from relay.core.rewrite import compose

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_one_trace_field_that_names_only_us() -> None:  # R-REW-01
    trace = compose.received(by="mx.market.example", protocol="ESMTPS", record_id="a" * 26, at=AT)
    assert compose.header(b"Date: x\r\nFrom: y\r\n", to="bob@x.example", received=trace, at=AT) == (
        b"Received: by mx.market.example with ESMTPS id " + b"a" * 26 + b";\r\n Mon, 23 Nov 2026 01:00:00 +0000\r\n"
        b"To: bob@x.example\r\nDate: x\r\nFrom: y\r\n"
    )


def test_a_missing_date_is_given() -> None:  # R-REW-10
    assert compose.header(b"X-Date: x\r\n", to="bob@x.example", received=None, at=AT) == (
        b"To: bob@x.example\r\nDate: Mon, 23 Nov 2026 01:00:00 +0000\r\nX-Date: x\r\n"
    )


@pytest.mark.parametrize(
    ("mailbox", "sent"),
    [
        ("bob@x.example", "bob@x.example"),
        ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp'),
        ("a.@ezweb.ne.jp", '"a."@ezweb.ne.jp'),
        (".a@ezweb.ne.jp", '".a"@ezweb.ne.jp'),
        ('"a b"@x.example', '"a b"@x.example'),
        ("bob@例え.jp", "bob@xn--r8jz45g.jp"),
        ("用户@例え.jp", "用户@例え.jp"),
    ],
)
def test_the_mailbox_stands_in_to_as_a_header_must_write_it(mailbox: str, sent: str) -> None:  # R-ADR-03 R-REW-11
    header = compose.header(b"Date: x\r\n", to=mailbox, received=None, at=AT)
    assert header == f"To: {sent}\r\nDate: x\r\n".encode()
    parsed = message_from_bytes(header, policy=SMTP.clone(utf8=True))["To"].addresses if sent.isascii() else ()
    assert len(parsed) == sent.isascii()


def test_a_mailbox_that_is_none_is_an_error() -> None:
    with pytest.raises(AddressError):
        compose.header(b"", to="a@b\r\nBcc: c@d", received=None, at=AT)
