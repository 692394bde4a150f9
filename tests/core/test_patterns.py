"""The regular expressions of the package: all of them are linear in the length of hostile texts (R-IN-06)."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import relay
from relay.core import coverage, order_report, redact, spf
from relay.core.dkim import relaxed_digest
from relay.core.mail import mailbox, words
from relay.core.mail.mime import MimeError, MimeLimits, split
from relay.core.own_links import OwnLinks
from relay.core.policy import subject_marks
from relay.core.policy.content import hosts
from relay.core.rewrite import compose, plaintext, scrub
from relay.core.rewrite.rewrite import rewrite
from relay.edge.smtp_in import grammar
from tests.support import patterns
from tests.support.scrubbing import PLAN

POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{\{?\d*,?\d*\}\}?)\+")
LENGTH = 3_000
MAIL = b"""\
From: a@b.example\r
Content-Type: multipart/related; boundary=b\r
\r
--b\r
Content-Type: text/html\r
\r
<p>Alice Buyer <img src='cid:x1@pc.example'> at desk.home</p>\r
--b\r
Content-Type: image/png\r
Content-ID: <x1@pc.example>\r
\r
x\r
--b--\r
"""
NOW = datetime(2026, 11, 29, tzinfo=UTC)

WITHOUT_STRANGERS = {
    "relay.cli.simulate.simulate": "the mail is a file of the operator",
    "relay.demo.mail_program.own_links": "the mail is one of the demo's own",
    "relay.steps.memory.forget": "it makes no pattern, it drops all",
}
AT_IMPORT = {
    "relay.core.mail.layers._folded",
    "relay.core.mail.layers._tags",
    "relay.core.rewrite.documents.ooxml._attribute",
    "relay.core.rewrite.documents.ooxml._element",
    "relay.core.rewrite.documents.ooxml._gone",
    "relay.core.setting.matching",
}
"""Modules hold the patterns that these functions make."""
SAMPLES: tuple[Callable[[], object], ...] = (
    lambda: rewrite(MAIL, split(MAIL, MimeLimits()), _plan()),
    lambda: redact.answer("unknown user alice.buyer@b.example", ["alice.buyer@b.example"]),
    lambda: redact.addresses("write to a@b.example", frozenset()),
    lambda: hosts.of_url("https://a.example/path"),
    lambda: subject_marks.important("[Important] x", ("[]",), ("important",)),
    lambda: words.parameter("filename", "é" * 100),
    lambda: words.decode(b"=?utf-8?b?YWJ?="),
    lambda: mailbox.read(b'"a \\" b" <a@b.example>'),
    lambda: OwnLinks("https://links.market.example/l/").find("https://links.market.example/l/" + "a" * 40),
    lambda: order_report.read(b"order_id,buyer_ref,seller_ref\r\nO1,B1,S1\r\n"),
    lambda: plaintext.of_html("<p>a</p>"),
    lambda: compose.header(b"Subject: x\r\n", to="a@b.example", received=None, at=NOW),
    lambda: spf.expand("%{d2r-}.example", lambda _: "a-b-c"),
    lambda: grammar.mail_from("FROM:<a@b.example> SIZE=1", extended=True, logged_in=False),
    lambda: coverage.names(["alice+1@b.example"], "alice", "b.example"),
)
BOUNDED = {
    "relay.core.bounce.reasons._BY_TEXT": "it looks at the first 2,000 characters of an answer",
    "relay.core.policy.content.contacts._LAST": "it looks at a domain of at most 160 characters",
    "relay.core.redact._HOST": "it looks at an answer of at most 300 characters",
    "relay.core.redact._NAMED": "it looks at an answer of at most 500 characters",
    "relay.core.rewrite.plaintext._BREAKS": "runs of blanks have become one blank before",
    "relay.edge.authenticate.keys._NAME": "a name of more than 253 characters fails at once",
}
"""Patterns that may take long for long texts, and the reason why they get none."""


BY_MATCH = {
    "relay.core.rewrite.documents.ooxml._RULES",
    "relay.core.rewrite.headers._LANGUAGES",
    "relay.core.rewrite.scrub.trace._HOST_OR_IPV4",
}
"""Patterns that another name uses, by `match` or `fullmatch` only."""


def _plan() -> Any:
    return replace(
        PLAN,
        hidden_names={"Alice Buyer": "Buyer"},
        hidden_hosts=frozenset({"desk.home"}),
        disguise_domains={"pc.example": PLAN.from_address},
        hide_names_in_text=True,
    )


def test_no_group_is_possessive() -> None:
    """CPython before 3.11.5 reports text that such a group has tried in vain as found (gh-106052).

    With Debian 12's own Python no header was read. An atomic group around it means the same and is right in all
    versions.
    """
    found = {
        f"{path.name}:{number}"
        for path in Path(relay.__file__).parent.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    }
    assert found == set()


def made_at_run_time() -> dict[str, list[re.Pattern[Any]]]:
    found: dict[str, list[re.Pattern[Any]]] = {}
    subject_marks._bracketed.cache_clear()
    scrub.forget()
    with patterns.recorded(found):
        for sample in SAMPLES:
            sample()
    return found


def test_each_function_that_makes_a_pattern_has_a_sample() -> None:
    """A new one needs a call in `SAMPLES`, so that the test below sees its pattern with arguments."""
    made = set(made_at_run_time())
    assert patterns.made_in_functions() - AT_IMPORT - set(WITHOUT_STRANGERS) - made == set()


def test_all_patterns_of_modules_are_found() -> None:
    places = {named.place for named in patterns.compiled()}
    assert len(places) > 250
    of_all_kinds = {
        "relay.edge.smtp_in.grammar._PATH",
        "relay.core.policy.content.phones._RUN",
        "relay.core.mail.layers.TAGS.pattern",
    }
    assert of_all_kinds <= places


BLANKS = " " * 200_000


@pytest.mark.parametrize(
    "read",
    [
        lambda: _refused(f"FROM:<a@b.example> x{BLANKS}x"),
        lambda: _refused('FROM:<"' + "\\a" * 100_000 + ">"),
        lambda: _rewritten(f"Priority: a{BLANKS}b\r\n"),
        lambda: _rewritten(f"Content-Language: {'(' * 100_000}{BLANKS}b\r\n"),
        lambda: _rewritten(f"Content-Transfer-Encoding: {BLANKS};{BLANKS}\r\n"),
        lambda: _rewritten(f"Content-Type: text/plain; boundary={'A' * 200_000}\r\nContent-ID: <{'A' * 50_000}>\r\n"),
        lambda: _rewritten(f"Subject: {'a' * 2_000}{BLANKS}b\r\nX-Mailer: {BLANKS}b\r\n"),
        lambda: _nothing_read(f"v=spf1 include:a.{'A' * 60_000}!"),
        lambda: _nothing_read(f"v=spf1 exp={'a.' * 30_000}!"),
        lambda: redact.addresses("a" * 200_000, frozenset()),
        lambda: relaxed_digest(BLANKS.encode() * 20),
        lambda: coverage.names(['"\\' * 100_000, '"\\' * 100_000 + '"\\'], "alice", "b.example"),
        lambda: coverage.names(["alice+/" * 100_000], "alice", "b.example"),
    ],
)
def test_a_long_run_of_one_sign_is_read_within_the_time_of_a_test(read: Callable[[], object]) -> None:  # R-IN-06
    """With a quadratic pattern each of these takes more than two minutes, the limit of a test."""
    read()


def _refused(argument: str) -> None:
    with pytest.raises(grammar.ProtocolFault):
        grammar.mail_from(argument, extended=True, logged_in=True)


def _rewritten(fields: str) -> None:
    content = f"From: a@b.example\r\n{fields}\r\nGood day\r\n".encode()
    try:
        root = split(content, MimeLimits())
    except MimeError:
        root = split(content, MimeLimits.WIDE)
    rewrite(content, root, PLAN)


def _nothing_read(record: str) -> None:
    with pytest.raises(spf.SpfSyntaxError):
        spf.read(record.encode())


@pytest.mark.more
@pytest.mark.timeout(900)
def test_no_pattern_is_steep() -> None:  # R-IN-06
    """Each repetition of each pattern is pumped up; a text four times as long must not cost nine times as much."""
    found = [
        (named.place, named.pattern) for named in patterns.compiled() if named.place.partition("[")[0] not in BOUNDED
    ]
    found += [(place, made) for place, all_made in made_at_run_time().items() for made in all_made]
    steep = set()
    for place, pattern in found:
        anchored = patterns.is_anchored(place) or place.partition("[")[0] in BY_MATCH
        for text in patterns.pumped(pattern, LENGTH):
            if patterns.is_steep(pattern, text, anchored=anchored):
                steep.add((place, text[:20]))
                break
    assert sorted(steep) == []
