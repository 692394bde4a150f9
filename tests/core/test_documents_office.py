"""What Office keeps of people beside the author fields: variables, sittings, folders, former savers."""

import struct
import zipfile
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.rewrite.documents import ole, ooxml
from relay.core.rewrite.documents.compound import Compound
from relay.core.rewrite.documents.damage import UncleanableError
from tests.core.test_documents import SECRET, attached, attachment, docx, sent
from tests.support.compound import compound

W = b'xmlns:w="w" xmlns:w14="w14"'
MEMBERS = {
    "[Content_Types].xml": b"<Types/>",
    "word/settings.xml": b"<w:settings "
    + W
    + b"><w:zoom w:percent='90'/><w:docVars><w:docVar w:name='Clerk' w:val='Alice Private'/>"
    b'<w:docVar w:name="b" w:val="Alice Private"></w:docVar></w:docVars><w:rsids><w:rsidRoot w:val="00AB12CD"/>'
    b'<w:rsid w:val="00AB12CD"/></w:rsids><w14:docId w14:val="5F00AB12"/><w:charset w:val="x"/></w:settings>',
    "word/document.xml": b'<w:p w:rsidR="00AB12CD" w:rsidRDefault="00AB12CD" w:x="1"><w:r w:rsidRPr=\'7\'><w:t>rsidR and author="me" '
    b"docVar</w:t></w:r><w:ins w:author='O&apos;Alice > Private' w:id=\"2\"/></w:p>",
    "word/_rels/settings.xml.rels": b'<Relationships><Relationship Id="r1" TargetMode="External" '
    b'Target="file:///C:\\Users\\Alice%20Private\\Alice Private\\Own.dotm"/><Relationship Target="media/a.png"/></Relationships>',
    "xl/workbook.xml": b'<workbook><fileSharing userName="Alice Private"/><x15ac:absPath url="C:\\Alice Private\\" xmlns:x15ac="u"/></workbook>',
}


def contents(octets: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(octets)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_joins_a_file_with_its_writer_goes_and_its_text_stays() -> None:  # R-REW-06 R-REW-08
    out, changes = sent(attached(docx(MEMBERS), "application/octet-stream", "a.docx"))
    new = contents(attachment(out))
    assert new == {
        "[Content_Types].xml": b"<Types/>",
        "word/settings.xml": b"<w:settings "
        + W
        + b"><w:zoom w:percent='90'/><w:docVars></w:docVars><w:rsids></w:rsids>"
        b'<w:charset w:val="x"/></w:settings>',
        "word/document.xml": b'<w:p w:x="1"><w:r w:rsidRPr=\'7\'><w:t>rsidR and author="me" docVar</w:t></w:r>'
        b'<w:ins w:author="Author" w:id="2"/></w:p>',
        "word/_rels/settings.xml.rels": b'<Relationships><Relationship Id="r1" TargetMode="External" '
        b'Target="file:///Own.dotm"/><Relationship Target="media/a.png"/></Relationships>',
        "xl/workbook.xml": b'<workbook><fileSharing userName="Author"/><x15ac:absPath url="" xmlns:x15ac="u"/></workbook>',
    }
    assert SECRET not in attachment(out)
    assert "author data removed" in {change.what for change in changes}
    assert ooxml.clean(attachment(out)) == attachment(out)


def test_a_file_of_nothing_but_authors_is_not_read_to_its_end() -> None:  # R-IN-06
    members = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b'<a author="x">' * 1_000_000}
    with pytest.raises(UncleanableError, match="too many"):
        ooxml.clean(docx(members))


def test_members_that_lie_in_one_another_do_not_make_a_big_file() -> None:  # R-IN-06
    octets = docx(
        {"[Content_Types].xml": b"", "docProps/core.xml": b"<creator>A</creator>", "a": bytes(range(256)) * 9}
    )
    with zipfile.ZipFile(BytesIO(octets)) as archive:
        listed, last = archive.start_dir, archive.infolist()[-1]
    end = octets.index(b"PK\5\6")
    entry = octets[octets.rindex(b"PK\1\2") : end]
    again = octets[:end] + entry * 1_000
    count, size = 3 + 1_000, end - listed + len(entry) * 1_000
    again += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, listed, 0)
    assert last.compress_size > 100
    with pytest.raises(UncleanableError, match="damaged"):
        ooxml.clean(again)
    entry = entry[:42] + struct.pack("<L", 1 << 30) + entry[46:]
    beyond = octets[:end] + entry + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, end - listed + len(entry), listed, 0)
    with pytest.raises(UncleanableError, match="damaged"):
        ooxml.clean(beyond)


# ---------------------------------------------------------------- before 2007

SUMMARY, COMPANY, OWN = (
    "e0859ff2f94f6810ab9108002b27b3d9",
    "02d5cdd59c2e1b10939708002b2cf9ae",
    "05d5cdd59c2e1b10939708002b2cf9ae",
)
WIDE = SECRET.decode().encode("utf-16-le")


def property_sets(*sets: tuple[str, dict[int, bytes]]) -> bytes:
    """Format id and values; a value of text goes by type and length."""
    heads, sections = b"", b""
    for format_id, fields in sets:
        table, values = b"", b""
        for field, value in fields.items():
            table += struct.pack("<LL", field, 8 + 8 * len(fields) + len(values))
            values += value + bytes(-len(value) % 4)
        heads += bytes.fromhex(format_id) + struct.pack("<L", 28 + 20 * len(sets) + len(sections))
        sections += struct.pack("<LL", 8 + len(table) + len(values), len(fields)) + table + values
    return b"\xfe\xff\0\0\x05\x01\x02\0" + bytes(16) + struct.pack("<L", len(sets)) + heads + sections


def text(value: bytes) -> bytes:
    return struct.pack("<LL", 30, len(value) + 1) + value + b"\0"


def names(*given: tuple[int, bytes]) -> bytes:
    return struct.pack("<L", len(given)) + b"".join(struct.pack("<LL", n, len(name)) + name for n, name in given)


SETS = {
    "\5SummaryInformation": property_sets((SUMMARY, {2: text(b"Title"), 4: text(SECRET), 8: text(SECRET)})),
    "\5DocumentSummaryInformation": property_sets(
        (COMPANY, {15: text(SECRET), 14: text(SECRET)}),
        (OWN, {0: names((2, b"_AuthorEmail\0"), (3, b"Project\0")), 2: text(SECRET), 3: text(b"Vase")}),
    ),
}


def words(*given: str, extended: bool = True) -> bytes:
    """A table of strings as Word has them."""
    listed = b"".join(struct.pack("<H", len(word)) + word.encode("utf-16-le") for word in given)
    return struct.pack("<HHH", 0xFFFF, len(given), 0) + listed if extended else listed


def word_file(flags: int = 0x0200, **more: bytes) -> bytes:
    """Lists at their places in the table stream; the text is in the main one."""
    name = SECRET.decode()
    initials = struct.pack("<H", 2) + "AP".encode("utf-16-le").ljust(28, b"\0")
    lists = {
        4: struct.pack("<LL", 0, 9) + initials,
        32: words(*("", "Normal.dot", "Title", "", "", "", name, name, "", *[""] * 9)),
        36: words(name, name, extended=False),
        51: words("Unknown", name),
        60: words(name, "Clerk"),
        70: SECRET * 3,
        71: words(name, "C:\\" + name + "\\a.doc", name, "A:\\a.doc"),
    }
    table, main = b"table", bytearray(b"the text of it".rjust(5_000, b" "))
    struct.pack_into("<HH", main, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H20xH28xH88xH", main, 10, flags, 14, 22, 183)
    main[154 : 154 + 8 * 183] = bytes(8 * 183)
    for number, content in lists.items():
        struct.pack_into("<LL", main, 154 + 8 * number, len(table), len(content))
        table += content
    return compound({**SETS, "WordDocument": bytes(main), "1Table": table.ljust(4_200, b"."), **more}, left_over=SECRET)


def whole_streams(octets: bytes) -> bytes:
    """One behind the other; in the file they lie in pieces."""
    file = Compound(octets)
    return b"".join(file.read(stream) for streams in file.storages() for stream in streams.values())


def test_old_word_files_lose_their_people_and_nothing_moves() -> None:  # R-REW-06 R-REW-08
    octets = word_file()
    whole = whole_streams(octets)
    assert whole.count(SECRET) == 8
    assert whole.count(WIDE) == 9
    out, changes = sent(attached(octets, "application/msword", "a.doc"))
    new = attachment(out)
    assert len(new) == len(octets)
    assert SECRET in octets
    assert SECRET not in new
    whole = whole_streams(new)
    assert SECRET not in whole
    assert WIDE not in whole
    assert "AP".encode("utf-16-le") not in whole
    for kept in (b"Title\0", b"Vase\0", b"_AuthorEmail", b"the text of it", "Unknown".encode("utf-16-le")):
        assert kept in whole
    assert "author data removed" in {change.what for change in changes}
    assert ole.clean(new) == new


def test_old_excel_and_powerpoint_files_forget_their_last_user() -> None:  # R-REW-06
    name = struct.pack("<HB", len(SECRET), 0) + SECRET
    marketplaces = (
        struct.pack("<HH", 0x0809, 16) + bytes(16) + struct.pack("<HH", 0x005C, 112) + name.ljust(112) + b"cells"
    )
    shown = struct.pack("<8xLLLHHBBH", 20, 0xE391C05F, 0, len(SECRET), 0x03F4, 3, 0, 0) + SECRET + bytes(4) + WIDE
    new = ole.clean(compound({**SETS, "Workbook": marketplaces, "Current User": shown}))
    assert SECRET not in whole_streams(new)
    assert WIDE not in whole_streams(new)
    assert b"\2\0\0" + b" " * 109 + b"cells" in whole_streams(new)
    assert ole.clean(new) == new


@pytest.mark.parametrize(
    "octets",
    [
        word_file(flags=0x0300),
        word_file(flags=0),
        compound({**SETS, "Workbook": struct.pack("<HH", 0x002F, 4) + bytes(4)}),
        compound({**SETS, "Workbook": b""}),
        compound({"EncryptedPackage": bytes(5_000)}),
        ole.SIGNATURE + bytes(100),
        ole.SIGNATURE + bytes(2_000),
        word_file()[:900],
    ],
    ids=["encrypted", "no table", "encrypted book", "no book", "no sets", "short", "no head", "cut"],
)
def test_an_old_file_that_cannot_be_read_stays(octets: bytes) -> None:  # R-REW-06 R-REW-08
    out, changes = sent(attached(octets, "application/msword", "a.doc"))
    assert attachment(out) == octets
    assert "author data not looked into" in {change.what for change in changes}


_OLD = word_file()


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_hostile_old_files_raise_one_error_alone(data: st.DataObject) -> None:  # R-IN-06
    octets = bytearray(_OLD)
    at = st.integers(0, len(octets) - 1) | st.integers(28, 90) | st.integers(512, 600)
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(at)] = data.draw(st.sampled_from([0, 1, 2, 254, 255]) | st.integers(0, 255))
    octets = octets[: data.draw(st.integers(1, len(octets)) | st.just(len(octets)))]
    with suppress(UncleanableError):
        assert len(ole.clean(bytes(octets))) == len(octets)
