"""Cases of content as data (`tests/golden/policy/content-*.toml`), and what must hold of every case."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.core.identify import Writer
from relay.core.mail import encodings
from relay.core.mail.mime import MimeLimits, split
from relay.core.policy.case import Case
from relay.core.policy.content import ContentFinding, of_attachments, of_pixels, of_text, with_texts
from relay.core.policy.content.reading import SUBJECT
from tests.support import scores
from tests.support.mail_builder import mail
from tests.support.mail_case import MailCase

GOLDEN = Path(__file__).parents[1] / "golden" / "policy"
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for path in sorted(GOLDEN.glob("content-*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
}
_BODY = ("text", "html", "files", "charset", "encoding")


@dataclass(frozen=True)
class Seen:
    """All findings about a message, with the text that each finding stands for."""

    case: Case
    findings: tuple[ContentFinding, ...]

    def told(self) -> list[list[str]]:
        return [
            [finding.reason.code, self.marked(finding), *(value for _, value in finding.reason.values)]
            for finding in self.findings
        ]

    def marked(self, finding: ContentFinding) -> str:
        span = finding.reason.span
        assert span is not None
        if span.part == SUBJECT:
            return self.case.head.subject[span.start : span.end]
        part = next(part for part in self.case.root.walk() if part.path == span.part)
        octets = encodings.decode(self.case.incoming.content[part.body_start : part.end], part.encoding)
        codec = encodings.codec_of(part.params.get("charset", ""), octets)
        return encodings.decode_text(octets, codec)[span.start : span.end]


def look(golden: dict[str, Any], **changes: Any) -> Seen:
    subject = golden.get("subject", "ご注文について")
    raw = mail(subject=subject, **{key: golden[key] for key in _BODY if key in golden})
    mail_case = MailCase(**{"subject": subject, "raw": raw} | golden.get("message", {}) | changes)
    writer = mail_case.writer()
    assert isinstance(writer, Writer)
    unread = Case(
        incoming=mail_case.incoming,
        head=mail_case.head,
        root=split(mail_case.incoming.content, MimeLimits()),
        facts=mail_case.facts,
        writer=writer,
        policy=mail_case.policy,
        now=mail_case.now,
    )
    case = with_texts(unread)
    in_text = of_text(case) if case.by_seller else of_pixels(case)
    return Seen(case, (*of_attachments(case), *in_text))


# R-POL-07 R-POL-08 R-POL-09 R-POL-10 R-POL-16
@pytest.mark.parametrize("name", CASES)
def test_golden_case(name: str, record_property: Callable[[str, object], None]) -> None:
    golden = CASES[name]
    seen = look(golden)
    found = any(finding.reason.code == golden["rule"] for finding in seen.findings)
    scores.note(record_property, golden["rule"], harmful=golden["harmful"], found=found)
    assert seen.told() == golden.get("expect", [])
    assert (found is golden["harmful"]) is not golden.get("known_miss", False)


def test_half_of_the_cases_are_harmless_twins() -> None:
    assert len(CASES) >= 100
    harmless = [case for case in CASES.values() if not case["harmful"]]
    assert 0.4 <= len(harmless) / len(CASES) <= 0.6
    for case in CASES.values():
        if "twin" in case:
            assert CASES[case["twin"]].get("expect", []) != case.get("expect", []), case["name"]
    assert sum("known_miss" in case for case in CASES.values()) <= len(CASES) // 15
