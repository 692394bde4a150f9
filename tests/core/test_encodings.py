"""Text parts are read as clients read them, and changed in place."""

import binascii
import itertools
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings.labels import LABELS

from relay.core.mail import charsets, encodings
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.origin import Origin

JAPANESE = "ご注文の件です。連絡先は alice@example.net です。\r\nよろしく"
CHARSETS = (
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1252",
    "windows-1256",
    "koi8-r",
    "iso-2022-jp",
    "shift_jis",
    "euc-jp",
    "gb2312",
    "gb18030",
    "big5",
    "euc-kr",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "utf-32",
    "x-no-such-charset",
)


def in_charset(text: str, charset: str) -> bytes:
    return text.encode("ascii" if charset.startswith("x-") else charset, "replace")


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_span_of_text_is_cut_exactly_in_its_octets(charset: str) -> None:  # R-REW-04
    octets = in_charset(JAPANESE, charset)
    codec = encodings.codec_of(charset, octets)
    text = encodings.decode_text(octets, codec)
    start = text.index("alice@example.net")
    [(at, to)] = encodings.octet_spans(octets, codec, text, [(start, start + 17)])
    new = apply_edits(octets, encodings.encoded_edits(octets, codec, [(at, to, "x@y.example")]))
    assert encodings.decode_text(new, codec) == text.replace("alice@example.net", "x@y.example")
    assert new[:at] == octets[:at]
    assert new.endswith(octets[to:])


@pytest.mark.parametrize(
    ("charset", "before"),
    [
        ("utf-8", b"\xff\xe3\x82 \xe6\xb3\xa8 \xc2"),
        ("shift_jis", b"\x92\x8d\xff \x87\x90\xfa\x54 "),
        ("euc-jp", b"\xc3\xed \xff\x8f\xa2 "),
        ("gb18030", b"\x81\x30\x81\x30 \xff "),
        ("iso-2022-jp", b"\x1b$B-!CmJ8\x1b(J \xe9 "),
        ("iso-2022-jp", b"\x1b$@CmJ8\x1b(B\x1b(B "),
    ],
)
def test_octets_that_are_no_text_do_not_move_a_cut(charset: str, before: bytes) -> None:  # R-REW-04
    octets = before + b"alice@example.net" + before
    codec = encodings.codec_of(charset, octets)
    text = encodings.decode_text(octets, codec)
    start = text.index("alice@example.net")
    [(at, to)] = encodings.octet_spans(octets, codec, text, [(start, start + 17)])
    assert (octets[:at], octets[to:]) == (before, before)


def test_iso_2022_jp_keeps_its_shift_states_around_a_full_width_address() -> None:  # R-REW-04
    text = "連絡はａｌｉｃｅ＠example.netです"
    octets = text.encode("iso-2022-jp")
    codec = encodings.codec_of("ISO-2022-JP", octets)
    start = text.index("ａ")
    end = text.index("で")
    [(at, to)] = encodings.octet_spans(octets, codec, text, [(start, end)])
    new = apply_edits(octets, encodings.encoded_edits(octets, codec, [(at, to, "x@y.example")]))
    assert new.decode("iso-2022-jp") == "連絡はx@y.exampleです"


@pytest.mark.parametrize("octets", [b"\x1b$B4o\x1b(B\r\n", b"\x1b$B4o\r\n", b"\x1b$B4o"])
def test_what_is_put_below_a_japanese_text_ends_in_ascii(octets: bytes) -> None:  # R-REW-04 R-REW-10
    end = len(octets)
    new = apply_edits(octets, encodings.encoded_edits(octets, "iso2022_jp", [(end, end, "below 器 it\r\n")]))
    assert new.decode("iso-2022-jp") == octets.decode("iso-2022-jp") + "below 器 it\r\n"
    assert new.endswith(b"\x1b(B it\r\n")


@pytest.mark.parametrize(
    "charset", ["", "rot13", "zip", "idna", "unicode_escape", "undefined", "\0", "utf_8\0", "é" * 99]
)
def test_a_charset_that_is_none_is_read_byte_by_byte(charset: str) -> None:  # R-REW-04
    octets = b"\xe9 alice@example.net \\u0041"
    text = encodings.decode_text(octets, encodings.codec_of(charset, octets))
    assert text[1:] == " alice@example.net \\u0041"


def test_a_name_of_old_japanese_programs_is_known() -> None:  # R-REW-04
    octets = "ァ".encode("cp932")  # its second octet is an at sign
    assert encodings.decode_text(octets, encodings.codec_of("x-sjis", octets)) == "ァ"


SAMPLES = {
    "utf-8": (b"\xc3\xa9\xe5\x99\xa8\xd0\xb6", "é器ж"),
    "ibm866": (b"\x96", "Ц"),
    "iso-8859-2": (b"\xb1", "ą"),
    "iso-8859-3": (b"\xa1", "Ħ"),
    "iso-8859-4": (b"\xa2", "ĸ"),
    "iso-8859-5": (b"\xd6", "ж"),
    "iso-8859-6": (b"\xc7", "ا"),
    "iso-8859-7": (b"\xe1", "α"),
    "iso-8859-8": (b"\xe0", "א"),
    "iso-8859-8-i": (b"\xe0", "א"),
    "iso-8859-10": (b"\xa2", "Ē"),
    "iso-8859-13": (b"\xe0", "ą"),
    "iso-8859-14": (b"\xa1", "Ḃ"),
    "iso-8859-15": (b"\xa4", "€"),
    "iso-8859-16": (b"\xa2", "ą"),
    "koi8-r": (b"\xd6", "ж"),
    "koi8-u": (b"\xa4", "є"),
    "macintosh": (b"\x8e", "é"),
    "windows-874": (b"\xa1", "ก"),
    "windows-1250": (b"\x9a", "š"),
    "windows-1251": (b"\xe6", "ж"),
    "windows-1252": (b"\x80", "€"),
    "windows-1253": (b"\xe1", "α"),
    "windows-1254": (b"\xf0", "ğ"),
    "windows-1255": (b"\xe0", "א"),
    "windows-1256": (b"\xc7", "ا"),
    "windows-1257": (b"\xe0", "ą"),
    "windows-1258": (b"\xf5", "ơ"),
    "x-mac-cyrillic": (b"\xe6", "ж"),
    "gbk": (b"\x87F", "嘑"),
    "gb18030": (b"\x810\x868", "À"),
    "big5": (b"\xbe\xb9", "器"),
    "euc-jp": (b"\xb4\xef", "器"),
    "iso-2022-jp": (b"\x1b$B4o\x1b(I1\x1b(B", "器ｱ"),
    "shift_jis": (b"\x87@\x8a\xed", "①器"),
    "euc-kr": (b"\x81A", "갂"),
    "utf-16be": (b"\x00aVh", "a器"),
    "utf-16le": (b"a\x00hV", "a器"),
}
"""Octets and their text by the encoding of the WHATWG standard: characters that not every encoding has."""
ASCII = {"ascii", "us-ascii", "ansi_x3.4-1968"}


@pytest.mark.parametrize("label", LABELS)
def test_each_label_of_the_standard_is_read_as_browsers_read_it(label: str) -> None:  # R-REW-04
    codec = charsets.codec_of(label)
    if label in ASCII:
        assert codec == ""  # mail says so of any text, so the octets decide
    elif LABELS[label] in SAMPLES:
        octets, text = SAMPLES[LABELS[label]]
        assert encodings.decode_text(octets, encodings.codec_of(label, octets)) == text
    else:
        assert LABELS[label] in {"replacement", "x-user-defined"}


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("hz-gb-2312", b"~{Fw~}", "器"),
        ("iso-2022-kr", b"\x1b$)C\x0e0!\x0f", "가"),
        ("iso-2022-jp-2", b"\x1b$B4o\x1b(B", "器"),
        ("cp50220", b"\x1b$B4o\x1b(B", "器"),
        ("utf-7", b"+Vmg-", "器"),
        ("x-unicode-2-0-utf-7", b"+Vmg-", "器"),
        ("utf-32le", b"\x68\x56\0\0", "器"),
        ("utf-16", b"\x56\x68\0a", "器a"),
        ("unicode", b"\xfe\xff\x56\x68\0a", "\ufeff器a"),
        ("ibm037", b"\x81\x7c", "a@"),
        ("ibm1047", b"\x81\x7c", "a@"),
        ("IBM01140", b"\x9f", "€"),
        ("cp1026", b"\x81", "a"),
        ("latin", b"\x80", "€"),  # a name of Python's for what the standard reads as windows-1252
        ("ISO_8859-9:1989", b"\x80", "€"),
        ("Windows-31J", b"\x87\x40", "①"),
        ("ks_c_5601-1989", b"\x81\x41", "갂"),
        ("cp874", b"\xa1", "ก"),
    ],
)
def test_names_beyond_the_standard_are_read_too(label: str, octets: bytes, text: str) -> None:  # R-REW-04
    assert encodings.decode_text(octets, encodings.codec_of(label, octets)) == text


def test_quoted_printable_is_read_as_leniently_as_clients_read_it() -> None:  # R-REW-04
    raw = b"ali=\r\nce=40exam= \t\r\nple=2enet =zz ="
    assert encodings.decode(raw, "quoted-printable") == b"alice@example.net =zz "


@pytest.mark.parametrize(
    "raw",
    [
        b"YWxpY2VAZXhhbXBsZS5uZXQ=",
        b"YWxpY2V\r\nAZX-hhb!XBs\r\nZS5uZXQ",
        b"YWxpY2U=\r\nQGV4YW1wbGUubmV0\r\n",
        b"YWxpY2VAZXhhbXBsZS5uZXQ====",
    ],
)
def test_base64_is_read_over_noise_and_beyond_padding(raw: bytes) -> None:  # R-REW-04
    assert encodings.decode(raw, "base64") == b"alice@example.net"


@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable", "7bit", "x-uuencode", ""]))
def test_any_bytes_can_be_read(raw: bytes, encoding: str) -> None:  # R-IN-06
    octets = encodings.decode(raw, encoding)
    for charset in CHARSETS:
        codec = encodings.codec_of(charset, octets)
        text = encodings.decode_text(octets, codec)
        if text:
            spans = encodings.octet_spans(octets, codec, text, [(0, 1), (len(text) - 1, len(text))])
            assert all(0 <= start <= end <= len(octets) for start, end in spans)


PROSE = st.text(alphabet="ab =.é\n", max_size=120).map(lambda t: t.replace("\n", "\r\n"))


@given(st.lists(PROSE, min_size=2, max_size=5), st.integers(1, 90))
def test_quoted_printable_changes_only_the_region_and_keeps_lines_short(pieces: list[str], size: int) -> None:
    # R-REW-04, R-REW-10
    octets = "OLD".join(pieces).encode()
    raw = quopri.encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    octets = encodings.decode(raw, "quoted-printable")
    cuts = [Edit(at, at + 3, b"N" * size) for at in range(len(octets)) if octets.startswith(b"OLD", at)]
    new = apply_edits(raw, encodings.raw_edits(raw, "quoted-printable", cuts))
    assert encodings.decode(new, "quoted-printable") == octets.replace(b"OLD", b"N" * size)
    assert max(map(len, new.split(b"\r\n"))) <= 76


def test_base64_is_encoded_anew_in_lines_of_76() -> None:  # R-REW-10
    raw = binascii.b2a_base64(b"a" * 100 + b"OLD" + b"b" * 100)
    [cut] = encodings.raw_edits(raw, "base64", [Edit(100, 103, b"NEW")])
    assert (cut.start, cut.end) == (0, len(raw))
    assert max(map(len, cut.replacement.split(b"\r\n"))) == 76
    assert encodings.decode(cut.replacement, "base64") == b"a" * 100 + b"NEW" + b"b" * 100


def test_an_origin_leads_every_character_back() -> None:  # R-REW-04
    origin = Origin()
    origin.add(2, 5, width=1)  # ab[xyz]cd[w]e reads as ab.cde
    origin.add(7, 8, width=0)
    assert [origin.span(at, at + 1) for at in range(6)] == [(0, 1), (1, 2), (2, 5), (5, 6), (6, 7), (8, 9)]
    assert [origin.span(*pair) for pair in itertools.combinations((0, 3, 5), 2)] == [(0, 5), (0, 7), (5, 7)]


@given(
    st.lists(
        st.sampled_from([b"\x1b$", b"\x1b$B", b"\x1b(B", b"\x1b", b"=EMW", b"seller", b".", b" ", b"\r\n"]), max_size=12
    )
)
def test_spans_of_broken_iso_2022_lie_in_the_octets_and_do_not_overlap(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    text = encodings.decode_text(octets, "iso2022_jp_ext")
    wanted = [(at, min(at + 2, len(text))) for at in range(0, len(text), 3)]
    at = 0
    for start, end in encodings.octet_spans(octets, "iso2022_jp_ext", text, wanted):
        assert at <= start <= end <= len(octets)
        at = end
