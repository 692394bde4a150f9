"""What is shown of a message is what a person would read in it."""

from hypothesis import given
from hypothesis import strategies as st

from relay.cli.difference import compared
from relay.core.rewrite import readable

MAIL = (
    b"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n =?utf-8?q?_shop?=\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"caf=C3=A9 is =\r\nopen\r\n"
    b"--b\r\nContent-Type: application/pdf; name*=utf-8''%E8%AB%8B%E6%B1%82.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--b--\r\n"
)


def test_fields_and_text_are_decoded_and_attachments_named_measured_and_hashed() -> None:  # R-REW-08
    lines = readable.lines(MAIL)
    assert lines[0] == "Subject: 日本 shop"
    assert "café is open" in lines
    assert lines[-1].startswith("[請求.pdf: 5 bytes, SHA-256 ")
    assert [line for line in lines if line.startswith("[part")] == ["[part 1]", "[part 2]"]


def test_a_changed_attachment_is_seen_by_its_hash() -> None:
    changed = MAIL.replace(b"JVBERi0=", b"JVBERi4=")
    difference = compared(readable.lines(MAIL), readable.lines(changed))
    assert [line.partition(":")[0] for line in difference[3:] if line[0] in "-+"] == ["-[請求.pdf", "+[請求.pdf"]


@given(st.binary(max_size=300))
def test_any_bytes_can_be_shown_and_equal_ones_do_not_differ(content: bytes) -> None:
    lines = readable.lines(content)
    assert compared(lines, lines) == []


def test_a_long_text_is_compared_in_part() -> None:
    before = [f"line {n}" for n in range(30_000)]
    after = [*before[:20_000], *(f"other {n}" for n in range(10_000))]
    difference = compared(before, after)
    assert "-line 20000" in difference
    assert difference[-1] == "(the rest is too long to be compared)"
