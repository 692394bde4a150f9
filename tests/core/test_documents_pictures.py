"""Pictures whose parts are found by offsets (TIFF, HEIC, AVIF), and what a picture may cost."""

import struct
from io import BytesIO

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.TiffImagePlugin import TiffImageFile

from relay.core.rewrite.documents import heif, images, spans, tiff
from relay.core.rewrite.documents.damage import UncleanableError
from tests.core.test_documents import SECRET, XMP, assert_cleaned_once, attached, attachment, sent
from tests.support.narrowing import not_none

pillow_heif.register_heif_opener()


def tags() -> Image.Exif:
    data = Image.Exif()
    data[ExifTags.Base.Artist] = SECRET.decode()
    data[ExifTags.Base.Make] = SECRET.decode() * 3
    data.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (35.0, 41.0, 22.0)
    data.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = SECRET * 9
    return data


def drawn(mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((64, 48), 90).convert(mode)


def tiff_file(mode: str = "RGB", **how: object) -> bytes:
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432):
        fields[tag] = SECRET.decode() + str(tag)
    for tag in (700, 33723, 34377, 37724):
        fields.tagtype[tag] = 7
        fields[tag] = SECRET * 5
    fields[274] = 6
    out = BytesIO()
    pages = [drawn(mode).rotate(90, expand=True), drawn(mode)]
    drawn(mode).save(out, "TIFF", tiffinfo=fields, icc_profile=b"icc" * 9, save_all=True, append_images=pages, **how)
    return out.getvalue()


TIFFS = {
    "raw": tiff_file(),
    "lzw": tiff_file(compression="tiff_lzw"),
    "deflate": tiff_file("L", compression="tiff_adobe_deflate"),
    "jpeg": tiff_file(compression="jpeg"),
    "fax": tiff_file("1", compression="group4"),
    "palette": tiff_file("P"),
    "big": tiff_file(big_tiff=True),
}


def frames(octets: bytes) -> list[tuple[str, tuple[int, int], bytes]]:
    with Image.open(BytesIO(octets)) as picture:
        found = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            found.append((picture.mode, picture.size, picture.tobytes()))
        return found


@pytest.mark.parametrize("form", TIFFS)
def test_tiff_keeps_what_draws_and_nothing_else(form: str) -> None:  # R-REW-06 R-REW-08
    octets = TIFFS[form] + SECRET
    out, changes = sent(attached(octets, "image/tiff", "scan.tif"))
    new = attachment(out)
    assert octets.count(SECRET) > 10
    assert SECRET not in new
    assert len(new) == len(octets)
    assert frames(new) == frames(octets)
    with Image.open(BytesIO(new)) as picture:
        assert isinstance(picture, TiffImageFile)
        assert not set(picture.tag_v2) & {269, 270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34377, 37724}
        assert picture.tag_v2[274] == 6
        assert picture.info["icc_profile"] == b"icc" * 9
    assert "author data removed" in {change.what for change in changes}
    assert tiff.clean(new) == new


def test_tiff_loses_places_and_maker_notes() -> None:  # R-REW-06
    out = BytesIO()
    drawn().save(out, "TIFF", exif=tags())
    new = tiff.clean(out.getvalue())
    assert SECRET in out.getvalue()
    assert SECRET not in new
    with Image.open(BytesIO(new)) as picture:
        assert not picture.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert not picture.getexif().get_ifd(ExifTags.IFD.Exif)


def test_a_cameras_raw_picture_is_not_touched() -> None:  # R-REW-06
    entries = struct.pack("<HHHLLL", 1, 262, 3, 1, 32803, 0)
    out, changes = sent(attached(b"II*\0\x08\0\0\0" + entries, "image/x-adobe-dng", "a.dng"))
    assert attachment(out) == b"II*\0\x08\0\0\0" + entries
    assert any("raw picture" in change.why for change in changes)


def heif_file(form: str) -> bytes:
    out = BytesIO()
    if form == "AVIF":
        drawn().save(out, "AVIF", exif=tags(), xmp=XMP, icc_profile=b"")
    else:
        file = pillow_heif.from_pillow(drawn())
        file.add_from_pillow(drawn().rotate(90))
        file.save(out, exif=tags().tobytes(), xmp=XMP, quality=80)
    return out.getvalue()


HEIFS = {form: heif_file(form) for form in ("AVIF", "HEIC")}


@pytest.mark.parametrize("form", HEIFS)
def test_heic_and_avif_keep_their_pixels_and_lose_their_maker(form: str) -> None:  # R-REW-06 R-REW-08
    film = struct.pack(">L4s", 8 + len(SECRET), b"mpvd") + SECRET
    octets = HEIFS[form] + film
    out, changes = sent(attached(octets, f"image/{form.lower()}", "IMG_0001.X"))
    new = attachment(out)
    assert octets.count(SECRET) >= 4
    assert SECRET not in new
    assert len(new) == len(octets)
    assert frames(new) == frames(octets)
    with Image.open(BytesIO(octets)) as before, Image.open(BytesIO(new)) as after:
        assert before.getexif()[ExifTags.Base.Artist] == SECRET.decode()
        assert not dict(after.getexif())
        assert not after.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert not after.info.get("xmp", b"").strip()
    assert "author data removed" in {change.what for change in changes}
    assert heif.clean(new) == new


def boxed(kind: bytes, *inside: bytes) -> bytes:
    body = b"".join(inside)
    return struct.pack(">L4s", 8 + len(body), kind) + body


def heif_of(*items: tuple[bytes, bytes], method: int = 0, data: bytes = b"", more: bytes = b"") -> bytes:
    """A file of items (kind with its names, content); they lie one behind the other, in `mdat` or in `idat`."""
    infos = b"".join(boxed(b"infe", struct.pack(">LHH", 2 << 24, n, 0), kind) for n, (kind, _) in enumerate(items))
    described = boxed(
        b"iprp", boxed(b"ipco", boxed(b"udes", bytes(4), b"en\0", SECRET, b"\0\0"), boxed(b"ispe", bytes(12)))
    )
    contents = b"".join(content for _, content in items)

    def whole(origin: int) -> bytes:
        table, at = b"", origin
        for number, (_, content) in enumerate(items):
            table += struct.pack(">HHHHLL", number, method, 0, 1, at, len(content))
            at += len(content)
        iloc = boxed(b"iloc", struct.pack(">LHH", 1 << 24, 0x4400, len(items)), table)
        iinf = boxed(b"iinf", struct.pack(">LH", 0, len(items)), infos)
        idat = boxed(b"idat", contents) if method == 1 else b""
        meta = boxed(b"meta", bytes(4), iinf, iloc, described, boxed(b"uuid", SECRET * 2), idat)
        return boxed(b"ftyp", b"heic") + meta + boxed(b"mdat", data or contents) + more

    return whole(0 if method else whole(0).rindex(b"mdat") + 4)


PIXELS = b"pixels of it"
EXIF = b"Exif\0\0", b"\0\0\0\6Exif\0\0" + tags().tobytes()[6:]


@pytest.mark.parametrize("method", [0, 1])
def test_items_stay_where_they_are(method: int) -> None:  # R-REW-06
    octets = heif_of((b"hvc1\0", PIXELS), EXIF, (b"mime\0application/rdf+xml\0", XMP), method=method)
    new = heif.clean(octets)
    assert len(new) == len(octets)
    assert SECRET not in new
    assert new.index(PIXELS) == octets.index(PIXELS)
    assert b"uuid" not in new
    assert heif.clean(new) == new


@pytest.mark.parametrize(
    "octets",
    [
        heif_of((b"hvc1\0", PIXELS), more=boxed(b"moov")),
        heif_of((b"hvc1\0", PIXELS), method=2),
        heif_of((b"soon\0", PIXELS)),
        heif_of((b"mime\0application/rdf+xml\0deflate\0", PIXELS)),
        heif_of((b"hvc1\0", PIXELS))[:-1],
        heif_of((b"hvc1\0", b"")),
        heif_of((b"hvc1\0", PIXELS)) * 2,
        boxed(b"ftyp", b"heic") + boxed(b"mdat", PIXELS),
        boxed(b"ftyp", b"heic") + boxed(b"meta", bytes(4)) * 2,
        boxed(b"ftyp", b"heic") + b"\0\0\0\4meta",
    ],
)
def test_what_is_not_understood_stays_whole(octets: bytes) -> None:  # R-REW-06 R-REW-08
    out, changes = sent(attached(octets, "image/heic", "a.heic"))
    assert attachment(out) == octets
    assert "author data not looked into" in {change.what for change in changes}


_OFFSET_FORMS = (*TIFFS.values(), *HEIFS.values(), heif_of((b"hvc1\0", PIXELS), EXIF))


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(_OFFSET_FORMS), st.data())
def test_hostile_offsets_raise_one_error_alone(whole: bytes, data: st.DataObject) -> None:  # R-IN-06
    octets = bytearray(whole)
    at = st.integers(0, len(octets) - 1) | st.integers(0, min(600, len(octets) - 1))
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(at)] = data.draw(st.sampled_from([0, 1, 2, 255]) | st.integers(0, 255))
    octets = octets[: data.draw(st.integers(1, len(octets)) | st.just(len(octets)))]
    assert_cleaned_once(bytes(octets))


@pytest.mark.parametrize(
    "octets",
    [
        b"II+\0" + bytes(4) + b"\xff" * 60,  # a place beyond all numbers
        boxed(b"ftyp") + boxed(b"meta", bytes(4), boxed(b"iinf", bytes(6), boxed(b"infe", b"\2" + bytes(11)))),
    ],
)
def test_what_the_fuzzer_found_once(octets: bytes) -> None:  # R-IN-06
    with pytest.raises(UncleanableError):
        not_none(images.cleaner(octets))(octets)


_SPANS = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.lists(_SPANS, max_size=6), st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=6)), max_size=3))
def test_only_what_is_named_stays(kept: list[tuple[int, int]], anew: list[tuple[int, bytes]]) -> None:
    octets = bytes(range(100, 140))
    expected = bytearray(40)
    for start, end in kept:
        expected[start:end] = octets[start:end]
    touched = [n for start, written in anew for n in range(start, start + len(written))]
    for start, written in anew:
        expected[start : start + len(written)] = written
    if len(set(touched)) < len(touched) or any(start <= n < end for start, end in kept for n in touched):
        with pytest.raises(UncleanableError):
            spans.only(octets, kept, anew)
    else:
        assert spans.only(octets, kept, anew) == bytes(expected)


MANY = 1_000_000
_TIFF_PAGES = struct.pack("<4sLH", b"II*\0", 8, 1) + struct.pack("<HHLL", 330, 4, MANY, 26) + bytes(4)


@pytest.mark.parametrize(
    "octets",
    [
        b"\xff\xd8" + b"\xff\xe1\0\2" * MANY + b"\xff\xd9",
        b"\xff\xd8" + b"\xff\xda\0\2x" * MANY + b"\xff\xd9",
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * MANY,
        b"GIF89a" + bytes(7) + b"!\xfe\0" * MANY + b";",
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1x" * (MANY + 1) + b"\0;",
        b"RIFF" + struct.pack("<L", 4 + 8 * MANY) + b"WEBP" + b"XMP \0\0\0\0" * MANY,
        _TIFF_PAGES + struct.pack("<L", 8) * MANY,
        boxed(b"ftyp", b"heic") + boxed(b"free") * MANY,
    ],
    ids=["segments", "scans", "chunks", "extensions", "blocks", "riff", "pages", "boxes"],
)
def test_a_picture_of_countless_pieces_is_not_walked_to_its_end(octets: bytes) -> None:  # R-IN-06
    clean = images.cleaner(octets)
    assert clean is not None
    with pytest.raises(UncleanableError, match="too many"):
        clean(octets)


def test_fill_before_a_marker_costs_no_more_than_any_octet() -> None:  # R-IN-06: a quadratic search takes hours
    octets = b"\xff\xd8\xff\xda\0\2" + b"\xff" * MANY + b"\0\xff\xd9"
    assert images.jpeg(octets) == octets
    assert images.jpeg(b"\xff\xd8" + b"\xff" * MANY + b"\xd9") == b"\xff\xd8\xff\xd9"
