"""What Office keeps of people beside the author fields: variables, sittings, folders, former savers."""

import zipfile
from io import BytesIO

import pytest

from relay.core.rewrite.documents import ooxml
from relay.core.rewrite.documents.damage import UncleanableError
from tests.core.test_documents import SECRET, attached, attachment, docx, sent

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
