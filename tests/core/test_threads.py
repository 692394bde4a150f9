"""Threads hold together on both sides, and no id of one side reaches the other."""

import pytest

from relay.core.mail import message_ids, mime
from relay.core.rewrite import threads
from relay.core.rewrite.plan import Draft, Plan

KEY = b"k" * 32


def apply(header: str, **known: str) -> dict[str, bytes]:
    content = header.replace("\n", "\r\n").encode() + b"\r\nbody"
    plan = Plan(
        domain="market.example",
        from_address="alias@market.example",
        from_name="",
        disguise={},
        message_id="new@market.example",
        thread_ids={f"{key}@private.example": value for key, value in known.items()},
        thread_key=KEY,
        hidden_hosts=frozenset(),
    )
    return dict(threads.apply(Draft(content=content, root=mime.split(content, mime.MimeLimits())), plan).fields)


def test_known_ids_are_mapped_and_unknown_ones_are_opaque() -> None:  # R-REW-01 R-REW-03
    fields = apply(
        "References: <a@private.example> <b@private.example>\nIn-Reply-To: <b@private.example>\n", b="B@market.example"
    )
    opaque = threads.opaque_id("a@private.example", KEY, "market.example")
    assert fields["Message-ID"] == b" <new@market.example>\r\n"
    assert fields["In-Reply-To"] == b" <B@market.example>\r\n"
    assert fields["References"] == f" <{opaque}> <B@market.example>\r\n".encode()
    assert b"private" not in b"".join(fields.values())


def test_an_opaque_id_is_the_same_for_the_same_id_key_and_domain_only() -> None:
    one = threads.opaque_id("a@x", KEY, "m.example")
    assert one == threads.opaque_id("a@x", KEY, "m.example")
    others = {threads.opaque_id("b@x", KEY, "m.example"), threads.opaque_id("a@x", b"j" * 32, "m.example")}
    assert one not in others
    assert len(others) == 2
    assert one.endswith("@m.example")


def test_a_message_that_answers_none_has_only_its_id() -> None:
    assert list(apply("Subject: x\nThread-Index: AdX\n")) == ["Message-ID"]


def test_an_answer_without_references_gets_them() -> None:
    fields = apply("In-Reply-To: <a@private.example>\n", a="A@market.example")
    assert fields["References"] == fields["In-Reply-To"] == b" <A@market.example>\r\n"


def test_a_long_list_is_cut_and_folded() -> None:  # R-REW-10
    fields = apply("References: " + " ".join(f"<{n}@private.example>" for n in range(500)) + "\n")
    lines = fields["References"].removesuffix(b"\r\n").split(b"\r\n")
    assert len(lines) == message_ids.MAX_IDS
    assert all(line.startswith(b" <") and len(line) <= 78 for line in lines)


@pytest.mark.parametrize("own_id", ["テ@private.example", "a\x01b@private.example", "a" * 980, "<>"])
def test_an_own_id_that_no_header_may_hold_becomes_opaque(own_id: str) -> None:  # R-REW-03 R-REW-10
    fields = apply("In-Reply-To: <a@private.example>\n", a=own_id)
    assert fields["In-Reply-To"] == f" <{threads.opaque_id('a@private.example', KEY, 'market.example')}>\r\n".encode()
