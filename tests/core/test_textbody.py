"""Changing the decoded text of a part in place."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.core.mail import encodings, mime, textbody
from relay.core.mail.edits import Edit, apply_edits
from relay.core.rewrite import textedit

PIECES = ["a", "é", " ", "\t", "=", "=\r\n", "= \r\n", "=C3=A9", "=20", "\r\n", "\n", "\r", "<p>", "</body>", "</html>"]
LINES = "\r\n<div>below</div>\r\n"


def body_of(raw: bytes, encoding: str) -> textbody.TextBody:
    head = f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    return textbody.read(raw, mime.split(head + raw, mime.MimeLimits()))


@pytest.mark.parametrize("encoding", ["quoted-printable", "8bit", "7bit"])
@example(raw="=aa</body>", above_a_tag=True)
@example(raw="=\ra", above_a_tag=False)
@given(raw=st.lists(st.sampled_from(PIECES), max_size=12).map("".join), above_a_tag=st.booleans())
def test_lines_put_into_a_text_are_read_where_they_were_put_and_nothing_else_changes(
    encoding: str, raw: str, above_a_tag: bool
) -> None:  # R-REW-04 R-REW-08
    body = body_of(raw.encode(), encoding)
    at = body.text.rfind("</body") if above_a_tag else len(body.text)
    at = len(body.text) if at < 0 else at
    cuts, recoded = textedit.changed(body, [Edit(at, at, LINES)])
    changed = apply_edits(body.raw, cuts)
    read = encodings.decode(changed, recoded.encoding if recoded else encoding).decode("utf-8", "replace")
    assert read.replace("\r\n", "\n") == (body.text[:at] + LINES + body.text[at:]).replace("\r\n", "\n")
