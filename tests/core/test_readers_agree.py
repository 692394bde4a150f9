"""Programs of other people read in each mail what the relay read, and in the outgoing mail they all read the same.

The readers are Python's email package, postal-mime and mailparser (Node.js).
"""

import email
import json
import os
import re
import struct
import subprocess
from collections import Counter
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from relay.core.mail.head import HeadError
from relay.core.mail.mime import MimeError, MimeLimits, split
from tests.support.leak_reader import found
from tests.support.mail_shapes import Shape, shape
from tests.support.real_mail import BUYER, FOOTER_MARK, INPUTS, Passed, crlf, pass_on

pytestmark = pytest.mark.peer("mail readers")
_READERS: Final = Path(__file__).parent.parent / "support" / "readers"
_PLACE: Final = re.compile(r"part \d|the message|the From field")
_PROGRAMS: Final = (".exe", ".scr")


class Shown(NamedTuple):
    """What one program shows of a mail. `files` are names."""

    subject: str
    writers: list[str]
    text: str
    files: set[str]


def _by_node(mails: list[bytes]) -> list[list[Shown]]:
    """Returns what each of the two programs in JavaScript shows of each mail."""
    said = b"".join(struct.pack(">I", len(mail)) + mail for mail in mails)
    done = subprocess.run(["node", "read.mjs"], cwd=_READERS, input=said, capture_output=True, check=True)
    return [[_shown(each) for each in json.loads(line).values()] for line in done.stdout.splitlines()]


def _shown(said: dict[str, Any]) -> Shown:
    assert "error" not in said, said["error"]
    return Shown(said["subject"], said["from"], "\n".join(said["texts"]), {name for name, _ in said["files"] if name})


def _by_python(mail: bytes) -> Shown:
    message = email.message_from_bytes(mail)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    files = {_words(name) for part in message.walk() if (name := part.get_filename())}
    return Shown(_words(message["Subject"]), [str(message["From"])], "\n".join(map(_text, leaves)), files)


def _words(value: Any) -> str:
    return str(make_header(decode_header(str(value))))


def _text(part: Message) -> str:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    try:
        return octets.decode(str(part.get_content_charset("utf-8")), "replace")
    except LookupError:
        return octets.decode("latin-1")


class _Case(NamedTuple):
    shape: Shape
    passed: Passed


def _pass(shapes: list[Shape]) -> tuple[list[_Case], list[Shape]]:
    passed, refused = [], []
    for each in shapes:
        try:
            passed.append(_Case(each, pass_on(each.content)))
        except (MimeError, HeadError) as error:
            refused.append(each._replace(faults=(*each.faults, str(error))))
    return passed, refused


def _check(cases: list[_Case]) -> list[str]:
    """Returns the faults of all mails."""
    incoming, outgoing = (_by_node([get(case) for case in cases]) for get in (_content, _out))
    faults: list[str] = []
    for case, before, after in zip(cases, incoming, outgoing, strict=True):
        before.append(_by_python(case.shape.content))
        after.append(_by_python(case.passed.out))
        faults += (f"{fault}: {case.shape.faults}\n{case.shape.content!r}\n" for fault in _faults(case, before, after))
    return faults


def _content(case: _Case) -> bytes:
    return case.shape.content


def _out(case: _Case) -> bytes:
    return case.passed.out


def _faults(case: _Case, before: list[Shown], after: list[Shown]) -> set[str]:
    out = case.passed.out
    faults = {"an address is left" for shown in after if BUYER in f"{shown}".lower()}
    if found(out, [BUYER]):
        faults.add("an address can be found")
    known = {part.filename for part in split(out, MimeLimits()).walk() if part.filename} | set(case.shape.files)
    faults |= {f"another file name {name}" for shown in after for name in shown.files if name not in known}
    is_dangerous = any(name.endswith(_PROGRAMS) for shown in before for name in (*shown.files, *case.shape.files))
    if is_dangerous and not case.passed.codes & {"attachment_type", "attachment_disguised"}:
        faults.add("a program was not judged")
    if len({_plain(shown.subject) for shown in after}) > 1:
        faults.add(f"subjects differ: {[shown.subject for shown in after]}")
    for word in case.shape.words:
        had = [any(word in text for text in (shown.subject, shown.text)) for shown in before]
        has = [any(word in text for text in (shown.subject, shown.text)) for shown in after]
        # mailparser shows a message inside the mail as a file, with its text still encoded.
        asked = slice(None) if b"message/rfc822" not in out else slice(0, 1)
        if (any(had[asked]) and not all(has[asked])) or any(
            not shows for showed, shows in zip(had, has, strict=True) if showed
        ):
            faults.add(f"{word} was shown by {had}, is shown by {has}")
    if not all(FOOTER_MARK in shown.text for shown in after):
        faults.add("a program shows no footer")
    return faults


def _plain(text: str) -> str:
    return " ".join(text.split())


def _run(count: int, first: int = 0) -> None:
    for with_faults, most in ((False, 0.01), (True, 0.10)):
        shapes = [shape(number, with_faults=with_faults) for number in range(first, first + count)]
        cases, refused = _pass(shapes)
        assert len(refused) <= most * count, Counter(fault for each in refused for fault in each.faults)
        assert all(_PLACE.search(each.faults[-1]) for each in refused)
        faults = _check(cases)
        assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:5])


def test_other_programs_read_what_the_relay_read() -> None:  # R-REW-01, R-POL-07
    _run(60)


@pytest.mark.more
@pytest.mark.timeout(600)
def test_other_programs_read_what_the_relay_read_in_many_mails() -> None:  # R-REW-01, R-POL-07
    _run(int(os.environ.get("RELAY_MAILS", "1000")), first=int(os.environ.get("RELAY_FIRST", "60")))


def test_real_mail_is_read_alike_by_all_programs() -> None:
    shapes = [Shape(crlf(path.read_bytes()), (), (), (path.name,)) for path in sorted(INPUTS.glob("*.eml"))]
    cases, refused = _pass(shapes)
    assert not refused
    assert not _check([case for case in cases if b"From: Hanako" in case.shape.content])
