"""Pictures and documents lose what names their maker and nothing else; keys and signatures follow the setting."""

import base64
import sys
import zipfile
from contextlib import suppress
from email import message_from_bytes, policy
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from relay.core.mail import key_material, mime
from relay.core.rewrite import assemble
from relay.core.rewrite.documents import exif, images, ooxml, pdf
from relay.core.rewrite.documents.damage import UncleanableError
from relay.core.rewrite.plan import Change, Plan
from relay.core.rewrite.rewrite import rewrite

SECRET = b"Alice Private"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><author>Alice Private</author></x:xmpmeta>'


def plan(**given: Any) -> Plan:
    return Plan(
        domain="market.example",
        from_address="alias-b@market.example",
        from_name="Alice",
        disguise={},
        message_id="out@market.example",
        thread_ids={},
        thread_key=b"k",
        hidden_hosts=frozenset(),
        **given,
    )


ALL = plan(strip_images=True, strip_documents=True, strip_signatures=True)


def sent(content: bytes, given: Plan = ALL) -> tuple[bytes, tuple[Change, ...]]:
    root = mime.split(content, mime.MimeLimits())
    rewritten = rewrite(content, root, given)
    return assemble.assemble(content, root.body_start, rewritten.header, rewritten.edits), rewritten.changes


def attached(octets: bytes, kind: str, name: str) -> bytes:
    coded = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
        b"--b\r\nContent-Type: "
        + kind.encode()
        + b"; name="
        + name.encode()
        + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + coded
        + b"--b--\r\n"
    )


def attachment(message: bytes) -> bytes:
    part = list(message_from_bytes(message, policy=policy.default).iter_parts())[1]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def photo(form: str, orientation: int = 6) -> bytes:
    picture = Image.effect_noise((32, 24), 90).convert("RGB")
    data = Image.Exif()
    data[ExifTags.Base.Artist] = SECRET.decode()
    data[ExifTags.Base.Orientation] = orientation
    data.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (35.0, 41.0, 22.0)
    out = BytesIO()
    if form == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Author", SECRET.decode())
        info.add_text("Comment", SECRET.decode() * 9, zip=True)
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        picture.save(out, "PNG", pnginfo=info, exif=data)
    elif form == "GIF":
        picture.save(out, "GIF", comment=SECRET, save_all=True, append_images=[picture.rotate(90)], loop=0)
    elif form == "WEBP":
        picture.save(out, "WEBP", exif=data, xmp=XMP, lossless=True)
    else:
        picture.save(
            out, "JPEG", exif=data, xmp=XMP, comment=SECRET, progressive=form == "PROGRESSIVE", icc_profile=b"icc" * 9
        )
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PROGRESSIVE", "PNG", "GIF", "WEBP"])
def test_pictures_lose_their_maker_and_keep_their_pixels(form: str) -> None:  # R-REW-06 R-REW-08
    octets = photo(form) + b"trailer " + SECRET if form != "WEBP" else photo(form)
    content = attached(octets, "image/x", "photo.x")
    out, changes = sent(content)
    new = attachment(out)
    assert SECRET in octets
    assert SECRET not in new
    assert b"GPS" not in new
    before, after = Image.open(BytesIO(octets)), Image.open(BytesIO(new))
    assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)
    assert after.convert("RGB").tobytes() == before.convert("RGB").tobytes()
    kept = dict(after.getexif())
    assert kept == ({} if form == "GIF" else {ExifTags.Base.Orientation: 6})
    assert not after.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    if form in {"JPEG", "PROGRESSIVE"}:
        assert after.info["icc_profile"] == b"icc" * 9
    change = next(change for change in changes if change.what == "author data removed")
    assert change.where == "2"
    assert sent(attached(new, "image/x", "photo.x"))[0] == attached_again(new)


def attached_again(octets: bytes) -> bytes:
    """What is clean stays byte for byte."""
    content = attached(octets, "image/x", "photo.x")
    out, changes = sent(content, plan())
    assert not [change for change in changes if change.where == "2"]
    return out


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_upright_pictures_need_no_word_of_it(form: str) -> None:  # R-REW-06
    new = attachment(sent(attached(photo(form, 1), "image/x", "photo.x"))[0])
    assert b"Exif" not in new
    assert b"eXIf" not in new
    assert not dict(Image.open(BytesIO(new)).getexif())


def test_switched_off_a_picture_stays_as_it_is() -> None:  # R-REW-06
    octets = photo("JPEG")
    assert attachment(sent(attached(octets, "image/jpeg", "a.jpg"), plan(strip_documents=True))[0]) == octets


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_damaged_pictures_stay_and_the_record_says_so(form: str) -> None:  # R-REW-06 R-REW-08
    octets = photo(form)[:60]
    out, changes = sent(attached(octets, "image/x", "a.x"))
    assert attachment(out) == octets
    assert "author data not looked into" in {change.what for change in changes}


def test_what_no_library_reads_is_named() -> None:  # R-REW-06
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + SECRET
    out, changes = sent(attached(heic, "image/heic", "a.heic"))
    assert attachment(out) == heic
    assert "author data not looked into" in {change.what for change in changes}


def assert_cleaned_once(octets: bytes) -> None:
    """What comes of it comes of it a second time too; that it cannot be cleaned is the one error."""
    clean = images.cleaner(octets)
    if clean:
        try:
            once = clean(octets)
        except UncleanableError:
            return
        assert clean(once) == once


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]), st.data())
def test_hostile_pictures_raise_one_error_alone(form: str, data: st.DataObject) -> None:  # R-IN-06
    octets = bytearray(_PHOTOS[form])
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    octets = octets[: data.draw(st.integers(1, len(octets)))]
    assert_cleaned_once(bytes(octets))


_PHOTOS = {form: photo(form) for form in ("JPEG", "PNG", "GIF", "WEBP")}


@given(st.binary(max_size=80))
def test_any_exif_has_an_orientation(tiff: bytes) -> None:
    assert 1 <= exif.orientation(tiff) <= 8
    for order in (b"II*\0", b"MM\0*"):
        assert 1 <= exif.orientation(order + tiff) <= 8


# ---------------------------------------------------------------- documents


CORE = (
    b'<?xml version="1.0"?><cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>T</dc:title>'
    b"<dc:creator>Alice Private</dc:creator><cp:lastModifiedBy>Alice Private</cp:lastModifiedBy></cp:coreProperties>"
)
MEMBERS = {
    "[Content_Types].xml": b"<Types/>",
    "docProps/core.xml": CORE,
    "docProps/app.xml": b"<Properties><Application>W</Application><Company>Alice Private</Company><Manager/></Properties>",
    "word/document.xml": b'<w:document><w:ins w:id="1" w:author="Alice Private"><w:t>by author="x" me</w:t></w:ins></w:document>',
    "word/comments.xml": b"<w:comments><w:comment w:author=\"Alice Private\" w:initials='AP'>hm</w:comment></w:comments>",
    "word/people.xml": b'<p><w15:person w15:author="Alice Private"><w15:presenceInfo w15:userId="Alice Private"/></w15:person></p>',
    "docProps/custom.xml": b'<Properties><property fmtid="{D}" pid="2" name="_AuthorEmail"><vt:lpwstr>Alice Private</vt:lpwstr>'
    b'</property><property fmtid="{D}" pid="3" name="Project"><vt:lpwstr>Vase</vt:lpwstr></property></Properties>',
    "word/media/image1.png": b"\x89PNG" + bytes(200),
    "word/media/image2.jpeg": photo("JPEG"),
}


def docx(members: dict[str, bytes] = MEMBERS) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members.items():
            archive.writestr(name, octets)
    return out.getvalue()


def test_word_files_lose_their_authors_and_nothing_else() -> None:  # R-REW-06 R-REW-08
    out, changes = sent(attached(docx(), "application/octet-stream", "a.docx"))
    with zipfile.ZipFile(BytesIO(attachment(out))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(MEMBERS)
        contents = {name: archive.read(name) for name in MEMBERS}
    assert not [name for name, octets in contents.items() if SECRET in octets]
    assert b"<dc:title>T</dc:title>" in contents["docProps/core.xml"]
    assert b"<Application>W</Application>" in contents["docProps/app.xml"]
    assert b'w:id="1" w:author="Author"' in contents["word/document.xml"]
    assert contents["word/media/image1.png"] == MEMBERS["word/media/image1.png"]
    assert b"<vt:lpwstr>Vase<" in contents["docProps/custom.xml"]
    before, after = (
        Image.open(BytesIO(MEMBERS["word/media/image2.jpeg"])),
        Image.open(BytesIO(contents["word/media/image2.jpeg"])),
    )
    assert after.tobytes() == before.tobytes()
    assert "author data removed" in {change.what for change in changes}


def test_a_word_file_without_authors_stays_byte_for_byte() -> None:  # R-REW-06
    octets = docx({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"})
    assert attachment(sent(attached(octets, "application/octet-stream", "a.docx"))[0]) == octets


def test_the_same_file_comes_out_the_same() -> None:
    octets = docx()
    assert ooxml.clean(octets) == ooxml.clean(octets)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_hostile_word_files_raise_one_error_alone(data: st.DataObject) -> None:  # R-IN-06
    octets = bytearray(docx())
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UncleanableError):
        ooxml.clean(bytes(octets))


def test_a_small_file_cannot_unpack_to_a_big_one() -> None:  # R-IN-06
    octets = docx({"[Content_Types].xml": b"", "word/document.xml": bytes(21_000_000)})
    with pytest.raises(UncleanableError, match="too big"):
        ooxml.clean(octets)


def paper(**encryption: Any) -> bytes:
    out = BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(100, 100))
        with document.open_metadata() as metadata:
            metadata["dc:creator"] = [SECRET.decode()]
        document.docinfo["/Author"] = SECRET.decode()
        document.docinfo["/Title"] = "A title"
        document.save(out, **encryption)
    return out.getvalue()


def test_pdf_files_lose_their_author() -> None:  # R-REW-06
    new = attachment(sent(attached(paper(), "application/pdf", "a.pdf"))[0])
    with pikepdf.open(BytesIO(new)) as document:
        assert len(document.pages) == 1
        assert "/Metadata" not in document.Root
        assert document.docinfo.keys() == {"/Title"}
    assert pdf.clean(new) == new


@pytest.mark.parametrize(
    "octets", [paper(encryption=pikepdf.Encryption(owner="o", user="u")), b"%PDF-1.7\nnothing", paper()[:200]]
)
def test_a_pdf_that_cannot_be_read_stays_and_the_record_says_so(octets: bytes) -> None:  # R-REW-06
    out, changes = sent(attached(octets, "application/pdf", "a.pdf"))
    assert attachment(out) == octets
    assert "author data not looked into" in {change.what for change in changes}


def test_without_the_extra_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:  # R-REW-06
    octets = paper()
    monkeypatch.setitem(sys.modules, "pikepdf", None)
    _, changes = sent(attached(octets, "application/pdf", "a.pdf"))
    assert any("not installed" in change.why for change in changes)


def test_archives_are_not_decoded() -> None:  # R-REW-06
    octets = docx()
    assert attachment(sent(attached(octets, "application/zip", "a.zip"))[0]) == octets


# ---------------------------------------------------------------- keys and signatures

SIGNED = (
    b'From: a@x.example\r\nContent-Type: multipart/signed; boundary=s; micalg=pgp-sha256;\r\n protocol="application/pgp-signature"\r\n\r\n'
    b"--s\r\nContent-Type: text/plain\r\n\r\nhello\r\n--s\r\nContent-Type: application/pgp-signature; name=signature.asc\r\n\r\n"
    b"-----BEGIN PGP SIGNATURE-----\r\n\r\nxyz\r\n-----END PGP SIGNATURE-----\r\n\r\n--s--\r\n"
)


def test_a_signed_mail_keeps_what_was_signed() -> None:  # R-REW-06
    for content in (SIGNED, SIGNED.replace(b"\r\n--s--\r\n", b"")):
        out, changes = sent(content)
        parsed = message_from_bytes(out, policy=policy.default)
        assert parsed.get_content_type() == "multipart/mixed"
        assert [part.get_content().strip() for part in parsed.iter_parts()] == ["hello"]
        assert not parsed.defects
        assert b"PGP" not in out
        assert b"micalg" not in out
        assert "stripped" in {change.what for change in changes}
    assert sent(SIGNED, plan())[0].endswith(SIGNED[SIGNED.index(b"\r\n\r\n") :])


def test_keys_give_way_to_a_placeholder() -> None:  # R-REW-06 R-REW-08
    out, _ = sent(attached(b"key", "application/pgp-keys", "OpenPGP_0x1.asc"))
    assert attachment(out).strip() == ALL.signature_placeholder.encode()
    assert b"0x1" not in out


def test_armour_in_the_text_goes_and_the_text_stays() -> None:  # R-REW-06
    text = (
        "above\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n- -- \r\nhello\r\n- --item\r\n"
        "-----BEGIN PGP SIGNATURE-----\r\n\r\nxyz\r\n-----END PGP SIGNATURE-----\r\n"
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n\r\nabc\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n- -below\r\n"
    )
    for encoding, raw in (
        ("8bit", text.encode()),
        ("base64", base64.encodebytes(text.encode()).replace(b"\n", b"\r\n")),
    ):
        content = f"From: a@x.example\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + raw
        out, _ = sent(content)
        (shown,) = [message_from_bytes(out).get_payload(decode=True)]
        assert shown == f"above\r\n-- \r\nhello\r\n--item\r\n\r\n{ALL.signature_placeholder}\r\n- -below\r\n".encode()


def test_policy_is_told_of_all_that_names_an_owner() -> None:  # R-REW-06
    nested = (
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
        + SIGNED.partition(b"\r\n")[2]
        + b"\r\n--m\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n\r\nx\r\n"
        b"--m\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n\r\nx\r\n"
        b"--m\r\nContent-Type: multipart/encrypted; boundary=e\r\n\r\n--e\r\nContent-Type: application/octet-stream; name=encrypted.asc\r\n\r\nx\r\n--e--\r\n"
        b"\r\n--m--\r\n"
    )
    found = key_material.names_owner(nested, mime.split(nested, mime.MimeLimits()))
    assert [(each.path, each.is_signature) for each in found] == [("1", True), ("2", False)]
    plain = b"From: a@x.example\r\n\r\nhello\r\n"
    assert key_material.names_owner(plain, mime.split(plain, mime.MimeLimits())) == []


_BITS = st.sampled_from(
    [
        b"Content-Type: multipart/signed; boundary=s",
        b"Content-Type: application/pgp-keys",
        b"--s",
        b"--s--",
        b"",
        b"-----BEGIN PGP SIGNED MESSAGE-----",
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----END PGP SIGNATURE-----",
        b"- -x",
        b"Content-Type: multipart/mixed; boundary=t",
        b"--t",
        b"--t--",
        b"Content-Type: image/jpeg",
        b"\xff\xd8\xff\xe1",
    ]
)


@settings(deadline=None)
@given(st.lists(_BITS, max_size=25).map(b"\r\n".join))
def test_no_order_of_them_breaks_anything(content: bytes) -> None:  # R-IN-06
    with suppress(mime.MimeError):  # too many lines without a field
        sent(b"From: a@x.example\r\n" + content)
