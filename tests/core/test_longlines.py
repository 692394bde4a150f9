"""Lines that are too long are encoded anew, and say the same."""

import dataclasses
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.mail.edits import Edit
from relay.core.rewrite.assemble import assemble
from relay.core.rewrite.longlines import apply, has_long_line
from relay.core.rewrite.plan import Draft, Plan
from relay.core.rewrite.rewrite import rewrite
from tests.support.narrowing import octets, parts

PLAN = Plan(
    domain="m.example",
    from_address="a@m.example",
    from_name="",
    disguise={},
    message_id="i@m.example",
    thread_ids={},
    thread_key=b"",
    hidden_hosts=frozenset(),
)
LONG = b"0123456789 \xe9\x87\x8d=" * 200


def sent(content: bytes, plan: Plan = PLAN) -> bytes:
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, plan)
    return assemble(content, root.body_start, rewritten.header, rewritten.edits)


@given(st.lists(st.sampled_from([b"x" * 500, b"\r\n", b"yz", b"x" * 498]), max_size=8).map(b"".join))
def test_long_lines_are_found(content: bytes) -> None:
    assert has_long_line(content) == any(len(line) > 998 for line in content.split(b"\r\n"))


@pytest.mark.parametrize("line", [998, 0, 76])
def test_without_a_long_line_nothing_changes(line: int) -> None:
    content = b"Subject: x\r\n\r\n" + b"y" * line + b"\r\n" + b"z" * line
    draft = Draft(content=content, root=mime.split(content, mime.MimeLimits()))
    assert apply(draft, PLAN) is draft


@pytest.mark.parametrize(
    ("fields", "body", "encoding"),
    [
        (b"", LONG, "quoted-printable"),
        (b"", b"a\r\n" + LONG + b"\r\nend of it \r\n", "quoted-printable"),
        (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", LONG, "quoted-printable"),
        (
            b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n",
            b"=E9=87=8D" * 300,
            "quoted-printable",
        ),
        (b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n", b"QUJD" * 300, "base64"),
        (b"Content-Type: application/pdf\r\n", LONG, "base64"),
    ],
)
@pytest.mark.parametrize("is_child", [False, True])
def test_a_part_is_encoded_and_says_the_same(
    fields: bytes, body: bytes, encoding: str, *, is_child: bool
) -> None:  # R-REW-10
    content = fields + b"\r\n" + body
    if is_child:
        content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + content + b"\r\n--b--\r\n"
    relayed = sent(content)
    assert not has_long_line(relayed)
    before, after = message_from_bytes(content), message_from_bytes(relayed)
    part_before, part_after = (parts(before)[0], parts(after)[0]) if is_child else (before, after)
    assert part_after.get_all("Content-Transfer-Encoding") == [encoding]
    assert part_after.get_payload(decode=True) == part_before.get_payload(decode=True)


def test_earlier_edits_of_the_part_stay_in_force() -> None:
    content = b"Content-Type: text/plain\r\n\r\nfrom bob " + b"x" * 1_000
    at = content.index(b"bob")
    draft = Draft(content=content, root=mime.split(content, mime.MimeLimits()), edits=(Edit(at, at + 3, b"alias"),))
    done = apply(draft, PLAN)
    (edit,) = done.edits
    assert edit.replacement.replace(b"=\r\n", b"") == b"from alias " + b"x" * 1_000
    assert done.fields == (("Content-Transfer-Encoding", b" quoted-printable\r\n"),)


def test_an_edit_that_makes_a_line_long_is_seen() -> None:
    content = b"\r\n" + b"x" * 990
    draft = Draft(content=content, root=mime.split(content, mime.MimeLimits()), edits=(Edit(2, 2, b"y" * 20),))
    assert not has_long_line(apply(draft, PLAN).edits[0].replacement)


def test_signed_parts_stay_as_they_are() -> None:  # R-REW-09
    signed = b"--s\r\n\r\n" + LONG + b"\r\n--s\r\n\r\nsignature\r\n--s--\r\n"
    content = b"Content-Type: multipart/signed; boundary=s\r\n\r\n" + signed
    assert sent(content).endswith(b"\r\n\r\n" + signed)


def test_header_and_surroundings_of_parts() -> None:
    words = b"word " * 300
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + words
        + b"\r\n--b\r\nContent-Description: "
        + words
        + b"\r\n"
        b"X-Solid: " + b"x" * 1_200 + b"\r\n\r\nbody\r\n--b\r\ntext at once " + words + b"\r\n--b--\r\n" + words
    )
    relayed = sent(content)
    assert not has_long_line(relayed)
    first, second = parts(message_from_bytes(relayed))
    assert first["Content-Description"].split() == [b.decode() for b in words.split()]
    assert first["X-Solid"] is None
    assert first.get_payload() == "body"
    assert octets(second).split() == [b"text", b"at", b"once", *words.split()]


def test_what_may_not_be_encoded_is_cut() -> None:
    content = b"Content-Type: multipart/mixed; boundary=none\r\n\r\n" + b"x" * 2_000
    assert sent(content).endswith(b"\r\n\r\n" + b"x" * 998 + b"\r\n" + b"x" * 998 + b"\r\n" + b"x" * 4)


@given(st.binary(max_size=1_500).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"\r\n")), st.integers(0, 1_200))
def test_any_text_keeps_its_octets(octets: bytes, run: int) -> None:
    body = octets + b"a" * run + b" " * (run // 2) + octets
    relayed = sent(b"Content-Type: text/plain\r\n\r\n" + body)
    assert not has_long_line(relayed)
    part = mime.split(relayed, mime.MimeLimits())
    decoded = (
        message_from_bytes(relayed).get_payload(decode=True) if part.encoding != "7bit" else relayed[part.body_start :]
    )
    assert decoded == body


def test_edits_of_the_passes_before_and_of_this_one_fit_together() -> None:  # R-REW-01 R-REW-10
    plan = dataclasses.replace(PLAN, disguise={"bob@x.example": "alias@m.example"})
    text = b"ask bob@x.example " * 100
    content = (
        b"Content-Type: multipart/mixed; boundary=host.x.example\r\n\r\n" + text + b"\r\n--host.x.example\r\n"
        b"Content-Description: " + text + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text + b"\r\n"
        b"--host.x.example\r\n\r\n" + text + b"\r\n--host.x.example--\r\n" + text
    )
    relayed = sent(content, plan)
    assert not has_long_line(relayed)
    assert [octets(part) for part in parts(message_from_bytes(relayed))] == [text.replace(b"bob@x", b"alias@m")] * 2
    assert b"bob@x" not in relayed.replace(b"=\r\n", b"")
