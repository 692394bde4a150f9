"""Splitting is lossless, bounded and never surprised."""

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from relay.core.mail import mime
from relay.core.mail.mime import MimeError, MimeLimits, Part

LIMITS = MimeLimits()

_LINES = st.sampled_from(
    [
        b"From: a@x.example",
        b"Subject: =?utf-8?q?a",
        b" folded",
        b"\tfolded",
        b"Sender : x",
        b"no colon here",
        b": no name",
        b"X-\x00: nul\x00",
        b"X-Raw: \xe9\x82\xff",
        b"Content-Type: multipart/mixed; boundary=b",
        b'Content-Type: multipart/alternative; boundary="b1"',
        b"Content-Type: multipart/mixed; boundary",
        b"Content-Type: multipart/digest; boundary*0=b; boundary*1=1",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/plain; charset=\"nope; name*=x'y",
        b"Content-Type: text",
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment; filename*0*=utf-8''%e3%81; filename*1=\"x\\",
        b"--b",
        b"--b--",
        b"--b1",
        b"--b1--  ",
        b"--bx",
        b"",
        b"",
        b"",
        b"text\rwith a bare return",
        b"text\nwith a bare feed",
    ]
)
_MESSAGES = st.lists(_LINES, max_size=40).map(b"\r\n".join)


def slices(content: bytes, part: Part) -> bytes:
    """The part put together again from its smallest ranges."""
    fields_end = part.fields[-1].end if part.fields else part.header_start
    pieces = [content[field.start : field.end] for field in part.fields]
    pieces.append(content[fields_end : part.body_start])
    at = part.body_start
    for child in part.children:
        pieces.append(content[at : child.header_start])
        pieces.append(slices(content, child))
        at = child.end
    pieces.append(content[at : part.end])
    return b"".join(pieces)


def check(content: bytes, root: Part) -> None:
    assert slices(content, root) == content
    for part in root.walk():
        assert part.header_start <= part.body_start <= part.end
        at = part.body_start
        for child in part.children:
            assert at <= child.header_start <= child.end <= part.end
            at = child.end
        at = part.header_start
        for field in part.fields:
            assert field.start == at < field.end <= part.body_start
            assert field.start <= field.value_start <= field.end
            at = field.end
        assert content[at : part.body_start].strip() == b""


def split(content: bytes) -> Part:
    """The root of generated mail; mail whose headers have too many stray lines is another test's."""
    try:
        return mime.split(content, LIMITS)
    except MimeError:
        reject()


@given(_MESSAGES)
def test_slices_join_to_the_original_and_ranges_nest(content: bytes) -> None:  # R-IN-06
    root = split(content)
    check(content, root)
    for part in root.walk():
        for field in part.fields:
            mime.field_text(content, field).encode("utf-8")


@given(st.binary(max_size=400))
def test_any_octets_split(content: bytes) -> None:
    check(content, split(content))


@given(_MESSAGES, st.integers(0, 3), st.integers(1, 4), st.integers(0, 80))
def test_limits_are_the_only_error(content: bytes, depth: int, parts: int, header_bytes: int) -> None:
    try:
        root = mime.split(content, MimeLimits(parts=parts, depth=depth, header_bytes=header_bytes, header_fields=3))
    except MimeError:
        return
    check(content, root)
    assert len(list(root.walk())) <= parts
    assert sum(field.end - field.start for part in root.walk() for field in part.fields) <= header_bytes


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


ALTERNATIVE = crlf("""\
From: a@x.example
Content-Type: multipart/alternative;
 boundary="=_b"

preamble
--=_b
Content-Type: text/plain; charset="ISO-2022-JP"
Content-Transfer-Encoding: Quoted-Printable

one
--=_b
Content-Type: text/html

two

--=_b--
epilogue
""")


def test_children_end_before_the_boundarys_line_break() -> None:
    root = mime.split(ALTERNATIVE, LIMITS)
    one, two = root.children
    assert (one.path, one.content_type, one.params, one.encoding) == (
        "1",
        "text/plain",
        {"charset": "ISO-2022-JP"},
        "quoted-printable",
    )
    assert ALTERNATIVE[one.body_start : one.end] == b"one"
    assert ALTERNATIVE[two.body_start : two.end] == b"two\r\n"


def test_a_boundary_that_begins_another_is_not_it() -> None:
    content = crlf("""\
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/mixed; boundary=b1

--b1

inner
--b1--
--b

outer
--b--
""")
    root = mime.split(content, LIMITS)
    assert [part.path for part in root.walk()] == ["", "1", "1.1", "2"]
    inner = root.children[0].children[0]
    assert content[inner.body_start : inner.end] == b"inner"


@pytest.mark.parametrize("cut", ["\n--=_b--\nepilogue\n", "_b--\nepilogue\n", "--\nepilogue\n"])
def test_a_missing_end_boundary_ends_with_the_part_around_it(cut: str) -> None:
    content = ALTERNATIVE.removesuffix(crlf(cut))
    root = mime.split(content, LIMITS)
    assert len(root.children) >= 2
    assert root.children[-1].end == len(content)


def test_parts_without_header_or_body_are_empty_parts() -> None:
    content = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\nX: y\n--b\ntext at once\n--b--\n")
    parts = mime.split(content, LIMITS).children
    assert [content[p.header_start : p.body_start] for p in parts] == [b"", b"", b"X: y", b""]
    assert [content[p.body_start : p.end] for p in parts] == [b"", b"", b"", b"text at once"]


def test_a_forwarded_message_is_one_child_and_a_digest_has_messages() -> None:
    content = crlf(
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: x\n\nhello\n--b\n"
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogeA==\n--b--\n"
    )
    first, second = mime.split(content, LIMITS).children
    assert first.content_type == "message/rfc822"
    assert [field.name for field in first.children[0].fields] == ["from"]
    assert second.children == ()


@pytest.mark.parametrize(
    ("header", "name"),
    [("Sender : x", "sender"), ("SUBJECT:x", "subject"), ("no field", ""), ("a b: x", ""), (": x", ""), ("é: x", "")],
)
def test_names_of_odd_fields(header: str, name: str) -> None:
    content = crlf(f"{header}\nTo: y\n\nbody")
    root = mime.split(content, LIMITS)
    assert [field.name for field in root.fields] == [name, "to"]
    assert content[root.body_start :] == b"body"


def test_a_header_cut_by_the_end_is_all_header() -> None:
    root = mime.split(b"From: x\r\nSubject: y", LIMITS)
    assert [field.name for field in root.fields] == ["from", "subject"]
    assert root.body_start == root.end == 19


@pytest.mark.parametrize(
    ("line", "filename"),
    [
        ("Content-Disposition: attachment; filename=plain.pdf", "plain.pdf"),
        ('Content-Disposition: attachment; filename="a \\"b\\".pdf"', 'a "b".pdf'),
        ("Content-Disposition: attachment; filename*=iso-2022-jp''%1B$B4A%1B(B.pdf", "漢.pdf"),
        ("Content-Disposition: attachment; filename*0*=utf-8''%E6%BC;\n filename*1*=%A2; filename*2=.pdf", "漢.pdf"),
        ("Content-Disposition: attachment; filename=a.pdf; filename*=utf-8''%E6%BC%A2.pdf", "漢.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?b?5ryiLnBkZg==?="', "漢.pdf"),
        ('Content-Type: image/png; name="=?shift_jis?b?ir+CLnBuZw==?="', "漢\ufffd.png"),
        ('Content-Disposition: attachment; filename="never ends', "never ends"),
        ("Content-Disposition: attachment; filename*=nope'", "nope'"),
        ("Content-Disposition: attachment; filename*=%FF''x%ZZ", "x%ZZ"),
        ("Content-Type: text/plain; charset=\x00", ""),
    ],
)
def test_file_names_are_decoded(line: str, filename: str) -> None:
    assert mime.split(crlf(f"{line}\n\n"), LIMITS).filename == filename


@pytest.mark.parametrize("value", ["", "text", "/", "text/", ";charset=x", "(c) text/html", "text;html"])
def test_an_unreadable_type_is_plain_text(value: str) -> None:
    root = mime.split(crlf(f"Content-Type: {value}\n\nx"), LIMITS)
    assert (root.content_type, root.params) == ("text/plain", {})


def nested(levels: int) -> bytes:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return head + b"\r\nx"


@pytest.mark.parametrize(
    ("content", "limits", "text"),
    [
        (nested(500), LIMITS, "deep"),
        (nested(500), MimeLimits(depth=10_000, parts=10_000), "deep"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2_000, LIMITS, "many MIME parts"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bb\r\n" * 9_000, LIMITS, "boundary lines"),
        (b"X: y\r\n" * 2_000 + b"\r\n", LIMITS, "fields"),
        (b"X: " + b"y" * 300_000, LIMITS, "too long"),
        (b"Content-Type: message/rfc822\r\n\r\n" * 30, LIMITS, "deep"),
    ],
)
def test_hostile_structure_is_refused_with_a_clear_text(
    content: bytes, limits: MimeLimits, text: str
) -> None:  # R-IN-06
    with pytest.raises(MimeError, match=text):
        mime.split(content, limits)


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: " + b'x/y;a="\\"' * 25_000,
        b"Content-Type: x/y" + b";a=" * 60_000,
        b"Content-Type: x/y;" + b" " * 250_000,
        b"Subject: " + b"=?a?b?" * 40_000,
        b"Subject: " + b"=?utf-8?q?x?= " * 15_000,
        b"Subject: " + b"=?" * 120_000,
        b"A" * 250_000,
        b"A: b\r\n" + b" \r\n" * 80_000,
        b'Content-Type: x/y; name*0="' + b"=?x?q?" * 30_000,
    ],
    ids=lambda header: repr(header[:24]),
)
@pytest.mark.timeout(5)
def test_hostile_headers_cost_no_more_than_their_length(header: bytes) -> None:  # R-IN-06
    content = header + b"\r\n\r\n"
    root = mime.split(content, LIMITS)
    check(content, root)
    for field in root.fields:
        mime.field_text(content, field)
