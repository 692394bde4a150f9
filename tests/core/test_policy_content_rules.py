"""What the policy does with a finding, what may be told of it, and what a hostile message costs."""

import base64
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import public_suffixes
from relay.core.mail import filetypes
from relay.core.model.kind import Kind
from relay.core.model.policy import ContentAction
from relay.core.model.reason import ReasonCode
from relay.core.policy.content import ambiguous_suffixes, archives, contradicts, filenames, hosts
from relay.core.policy.content.archives import Budget, UnreadableArchiveError
from relay.core.policy.content.reading import SUBJECT
from tests.core.test_policy_content import CASES, Seen, look
from tests.support import hostile, mail_builder

_NUMBER = {"text": "Call 090-1234-5678 or 080-1234-5678.\nCoupon code LAMP: 20% off your next order.\nBye"}
_EVERY_RULE = (
    "links",
    "logos",
    "pixels",
    "contact",
    "disguised_contact",
    "promotion",
    "asks_buyer_to_cancel",
    "status_copy",
)


def acting(action: str) -> dict[str, Any]:
    return {
        "policy": {"content": {rule: {"action": action} for rule in _EVERY_RULE}, "attachments": {"action": action}}
    }


# ---------------------------------------------------------------- actions


@pytest.mark.parametrize("action", ContentAction)
def test_each_finding_has_its_rules_action_and_allow_finds_nothing(action: ContentAction) -> None:  # R-POL-08
    seen = look(_NUMBER | {"files": [{"name": "a.exe", "is": "exe"}]}, **acting(action))
    assert {finding.action for finding in seen.findings} == (set() if action is ContentAction.ALLOW else {action})
    assert all((finding.strip is not None) is (action is ContentAction.STRIP) for finding in seen.findings)


def test_a_kind_may_have_an_action_of_its_own() -> None:  # R-POL-08
    policy = {"content": {"promotion": {"action": "return", "kinds": {"customisation": "allow"}}}}
    promotion = {"text": "Sign up for our newsletter."}
    assert [f.action for f in look(promotion, policy=policy).findings] == [ContentAction.RETURN]
    assert not look(promotion, policy=policy, kind_mark=Kind.CUSTOMISATION).findings


def test_what_stops_a_message_is_named_once_and_what_is_cut_out_at_each_place() -> None:  # R-POL-16
    told = look(_NUMBER)
    cut = look(_NUMBER, **acting("strip"))
    assert [f.reason.code for f in told.findings] == [ReasonCode.CONTACT_DATA, ReasonCode.PROMOTION]
    assert [f.reason.code for f in cut.findings].count(ReasonCode.CONTACT_DATA) == 2
    assert "Coupon code LAMP: 20% off your next order." in [cut.marked(f) for f in cut.findings]


def test_nothing_is_cut_out_of_a_subject() -> None:
    seen = look({"subject": "call 090-1234-5678", "text": "hello"}, **acting("strip"))
    (finding,) = seen.findings
    assert (finding.action, finding.strip) == (ContentAction.HOLD, None)
    assert finding.reason.span
    assert finding.reason.span.part == SUBJECT


def test_a_part_with_too_much_in_it_goes_whole() -> None:
    seen = look({"text": "".join(f"https://shop{n}.com/ " for n in range(500))}, **acting("strip"))
    assert any(finding.strip and finding.strip.start is None for finding in seen.findings)
    assert len(seen.findings) < 100


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "expect" in case and "files" not in case])
def test_after_the_cuts_nothing_is_found(name: str) -> None:  # R-POL-08: what is stripped is gone
    golden = dict(CASES[name])
    seen = look(golden, **_merged(golden.get("message", {}), acting("strip")))
    for finding in reversed(seen.findings):
        if finding.strip is None:
            continue
        body = "html" if "html" in golden else "text"
        text = golden[body].replace("\n", "\r\n")
        golden[body] = text[: finding.strip.start] + "[-]" + text[finding.strip.end :]
    left = look(golden, **_merged(golden.get("message", {}), acting("strip")))
    assert not [finding for finding in left.findings if finding.strip]


def _merged(message: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    policy = dict(changes["policy"])
    for section, values in message.get("policy", {}).items():
        policy[section] = policy.get(section, {}) | values
    return {**message, "policy": policy}


def test_attachments_are_cut_out_whole_the_largest_until_the_rest_fits() -> None:  # R-POL-07
    files = [{"name": f"{n}.jpg", "is": "six megabytes"} for n in range(3)] + [{"name": "a.txt", "is": "hello"}]
    seen = look({"text": "x", "files": files}, policy={"attachments": {"action": "strip"}})
    assert [finding.strip.part for finding in seen.findings if finding.strip] == ["2", "3"]
    assert {finding.reason.code for finding in seen.findings} == {ReasonCode.ATTACHMENT_TOO_BIG}


def test_what_a_notice_may_name_is_never_a_whole_address_or_number() -> None:  # R-POL-16
    for case in CASES.values():
        for finding in look(case).findings:
            for name, value in finding.reason.values:
                assert name in {"name", "domain", "contact"}
                assert "@" not in value
                assert "/" not in value or name == "name"
                assert name != "contact" or value in {"email", "phone", "account", "other"}


def test_the_operators_words_may_be_any_pattern() -> None:  # R-POL-08
    words = ["(", "lamp|", "club$", "(a+)+$"]
    seen = look({"text": "a" * 5_000 + "! Our lamp club"}, policy={"content": {"promotion_words": words}})
    assert [finding.reason.code for finding in seen.findings] == [ReasonCode.PROMOTION]


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\ncall 090-1234-5678\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(b"Subject: x\r\n\r\ncall 090-1234-5678\r\n"),
        b"Content-Type: text/plain; name=a.txt\r\n\r\ncall 090-1234-5678\r\n",
    ],
)
def test_whatever_is_shown_as_text_is_read(raw: bytes) -> None:  # R-POL-08
    seen = look({}, raw=raw)
    assert [(f.reason.code, seen.marked(f)) for f in seen.findings] == [(ReasonCode.CONTACT_DATA, "090-1234-5678")]


# ---------------------------------------------------------------- names of hosts


def test_the_ambiguous_suffixes_are_listed_ones() -> None:  # R-POL-08
    ambiguous = ambiguous_suffixes.WORDS | ambiguous_suffixes.FILE_ENDINGS
    listed = {suffix for suffix in ambiguous if public_suffixes.suffix_of(suffix)}
    assert len(listed) >= 150
    assert len(ambiguous - listed) <= len(ambiguous) // 50, "remove what the Public Suffix List no longer has"
    assert not ambiguous_suffixes.WORDS & ambiguous_suffixes.FILE_ENDINGS


@pytest.mark.parametrize("suffix", sorted(ambiguous_suffixes.WORDS | ambiguous_suffixes.FILE_ENDINGS))
def test_an_ambiguous_suffix_needs_more_to_be_a_link(suffix: str) -> None:  # R-POL-08
    assert not hosts.is_host(f"lampya.{suffix}", has_path=False)
    assert hosts.is_host(f"lampya.{suffix}", has_path=True)
    assert hosts.is_host(f"www.lampya.{suffix}", has_path=False)
    assert hosts.is_host(f"shop.lampya.{suffix}", has_path=False) is (suffix in ambiguous_suffixes.WORDS)


@pytest.mark.parametrize(
    "name", ["dk", "dk.", ".dk", "a..dk", "lampya", "zip", "みんな", "lampya.pdf", "10.30", "a" * 254 + ".dk"]
)
def test_what_is_no_name_under_a_suffix_is_no_host(name: str) -> None:  # R-POL-08
    assert not hosts.is_host(name, has_path=True)


# ---------------------------------------------------------------- the bypass


@pytest.mark.parametrize(
    ("subject", "kind", "text", "contradicted"),
    [
        ("[重要] お知らせ", "", "Sign up for our newsletter.", True),
        ("[Important] your order", "", "Would you leave a review for the lamp?", True),
        ("お届け", "order_problem", "レビューをお願いいたします。", True),
        ("[重要] お届け", "", "お届け先の番地を教えてください。", False),
        ("お知らせ", "", "Sign up for our newsletter.", False),
        ("お知らせ", "promotion", "Sign up for our newsletter.", False),
    ],
)
def test_content_that_belies_the_mark(subject: str, kind: str, text: str, *, contradicted: bool) -> None:  # R-POL-06
    seen = look({"subject": subject, "text": text}, kind_mark=kind)
    assert contradicts(seen.case, {finding.reason.code for finding in seen.findings}) is contradicted


# ---------------------------------------------------------------- archives and names


@given(st.binary(max_size=300), st.integers(0, 2_000), st.integers(0, 2_000))
def test_a_damaged_archive_is_read_or_refused(noise: bytes, start: int, end: int) -> None:
    whole = mail_builder.FILES["zip of photos"]
    try:
        for member in archives.members(whole[:start] + noise + whole[end:], Budget()):
            member.content()
    except UnreadableArchiveError:
        pass


def test_a_member_longer_than_it_says_is_refused() -> None:  # R-POL-07
    honest = mail_builder.archive({"a.txt": bytes(100_000)})
    assert [len(member.content()) for member in archives.members(honest, Budget())] == [100_000]
    size = (100_000).to_bytes(4, "little")
    (member,) = archives.members(honest.replace(size, (10).to_bytes(4, "little")), Budget())
    with pytest.raises(UnreadableArchiveError):
        member.content()


def test_archives_of_one_message_share_what_they_may_inflate_to() -> None:
    half = mail_builder.archive({f"{n}.txt": bytes(range(256)) * 25_000 for n in range(2)})
    budget = Budget()
    archives.members(half, budget)
    with pytest.raises(UnreadableArchiveError):
        archives.members(half, budget)


def test_directory_and_files_must_agree() -> None:
    archive = mail_builder.archive({"photo.jpg": b"\xff\xd8\xff"})
    with pytest.raises(UnreadableArchiveError):
        archives.members(archive.replace(b"photo.jpg", b"setup.exe", 1), Budget())


@given(st.text(max_size=200))
def test_any_name_has_an_extension_or_none(name: str) -> None:
    assert filenames.extension(name) == filenames.extension(name).lower()
    assert filenames.shown(name).isprintable()
    filenames.is_trick(name, frozenset({"pdf"}))


@given(st.binary(max_size=64))
def test_any_octets_are_something(head: bytes) -> None:
    assert filetypes.sniff(head)


# ---------------------------------------------------------------- hostile messages

_ODD = st.text(
    st.sampled_from("a0@.-/:<>&#;()[] \n\r\t\"'=%アットドット点〇九０Ａ＠．\u200b\u202eаLINEhtps\ud800\U0001f469")
    | st.characters(),
    max_size=300,
)


@given(_ODD, _ODD)
def test_no_text_is_an_error(text: str, subject: str) -> None:
    _judged(text=text, subject=subject)
    _judged(html=text, subject=subject)


@given(st.binary(max_size=400), st.sampled_from(["utf-8", "utf-16", "utf-7", "iso-2022-jp", "hz", "x-unknown"]))
def test_no_octets_are_an_error(octets: bytes, charset: str) -> None:
    for kind in ("plain", "html"):
        head = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        look({}, raw=head.encode() + base64.encodebytes(octets))


@pytest.mark.parametrize("name", ["text", "html"])
def test_work_grows_with_size_alone(name: str) -> None:  # R-POL-01; `make bench-policy` prints the times
    """Work is counted in executed lines of Python, which are the same on every machine.

    Work inside one call into C, such as a search by `re`, is not counted: only the times of the bench show it.
    """
    texts: Mapping[str, Callable[[int], str]] = hostile.TEXTS if name == "text" else hostile.MARKUP
    for piece, make in texts.items():
        _judged(**{name: make(2_000)})  # fills the caches
        small, large = (_lines_executed(**{name: make(size)}) for size in (2_000, 16_000))
        assert large < 8 * 1.5 * small, piece


def _judged(subject: str = "x", **bodies: str) -> Seen:
    bodies = {kind: body.encode("utf-8", "replace").decode() for kind, body in bodies.items()}
    return look({"subject": subject.encode("utf-8", "replace").decode(), **bodies})


def _lines_executed(**bodies: str) -> int:
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _judged(**bodies)
    finally:
        sys.settrace(before)
    return lines
