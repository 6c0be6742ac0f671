"""Files of pictures lose what was written into them, and keep their pixels."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hf_slt.data.image_metadata import without_metadata

SECRET = b"Alice Doe, 47.1 N"


def picture(size=(40, 24)):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))


def file_of(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def written_into():
    exif = Image.Exif()
    exif[0x013B] = SECRET.decode()  # Artist
    exif.get_ifd(0x8825)[0x0011] = 47.1  # GPSImgDirection
    return exif


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 95},
        {"quality": 60, "subsampling": 2, "progressive": True},
        {"quality": 95, "restart_marker_blocks": 2},
        {"quality": 90, "keep_rgb": True},  # colours that the segment of Adobe tells
    ],
    ids=["baseline", "progressive", "restarts", "rgb"],
)
def test_a_jpeg_keeps_its_pixels_and_nothing_else(options):
    plain = file_of(picture(), "JPEG", **options)
    profile = b"profile of " + SECRET
    marked = file_of(
        picture(), "JPEG", exif=written_into(), comment=SECRET, icc_profile=profile, xmp=b"<x>" + SECRET, **options
    )
    marked += b"\x00" + file_of(picture(), "JPEG", comment=SECRET)  # a preview behind the picture
    assert marked.count(SECRET) == 5
    found = without_metadata(marked)
    assert found == plain
    np.testing.assert_array_equal(pixels(found), pixels(marked))


def test_bytes_that_fill_between_segments_are_no_marker():
    plain = file_of(picture(), "JPEG")
    filled = plain[:2] + b"\xff\xff" + plain[2:]
    assert without_metadata(filled) == plain


def test_a_png_keeps_its_pixels_and_nothing_else():
    text = PngInfo()
    text.add_text("Author", SECRET.decode())
    text.add_itxt("Place", SECRET.decode())
    marked = file_of(picture(), "PNG", pnginfo=text, exif=written_into(), dpi=(300, 300), transparency=(1, 2, 3))
    found = without_metadata(marked + SECRET)
    assert marked.count(SECRET) == 3 and found == file_of(picture(), "PNG", transparency=(1, 2, 3))
    np.testing.assert_array_equal(pixels(found), pixels(marked))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_built_in_another_way_is_not_guessed_at(kind):
    data = file_of(picture(), kind)
    assert [without_metadata(data[:size]) for size in (0, 3, 9, 50, len(data) - 3)] == [None] * 5
    assert without_metadata(data[:2] + b"\x00" + data[2:]) is None
    assert without_metadata(file_of(picture(), "WEBP")) is None
