import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.curation.profiling.pictures import detailed, encoded

from mezzotint.curation.profiling.header import FORMATS, MAX_PIXELS, read_header
from mezzotint.errors import FileFormatError

PICTURE = detailed((40, 30))


def png_header(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_that_of_the_content(kind: str) -> None:
    header = read_header(encoded(PICTURE, kind))
    assert (header.format, header.width, header.height, header.bit_depth) == (kind, 40, 30, 8)
    assert (header.orientation, header.icc, header.frames, header.transparent) == (1, False, 1, False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_has_the_size_that_it_is_seen_in(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(encoded(PICTURE, "JPEG", exif=exif))
    assert header.orientation == orientation
    assert (header.width, header.height) == ((40, 30) if orientation < 5 else (30, 40))


def test_an_orientation_that_does_not_exist_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read_header(encoded(PICTURE, "JPEG", exif=exif)).orientation == 1


def test_depth_profile_frames_and_transparency_are_found() -> None:
    deep = Image.fromarray(np.zeros((4, 4), np.uint16))
    assert read_header(encoded(deep)).bit_depth == 16
    assert read_header(encoded(deep, "TIFF")).bit_depth == 16
    assert read_header(encoded(PICTURE.convert("1"))).bit_depth == 1
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_header(encoded(PICTURE, "JPEG", icc_profile=profile)).icc
    others = [PICTURE.rotate(90), PICTURE.rotate(180)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        assert read_header(encoded(PICTURE, kind, save_all=True, append_images=others)).frames == 3
    assert read_header(encoded(PICTURE.convert("RGBA"))).transparent
    assert read_header(encoded(PICTURE.convert("P"), transparency=3)).transparent


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"not a picture at all", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (png_header(9000, 9000), "claims 9000x9000 pixels"),
        (png_header(100_000, 100_000), "claims too many pixels"),
        (png_header(6000, 5500, bytes(100)), "a decompression bomb: 6000x5500 pixels in"),
        (png_header(1 << 31, 1 << 31), "claims|broken|not a picture"),
    ],
)
def test_what_must_not_be_decoded_is_refused_by_its_header(data: bytes, reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason) as raised:
        read_header(data)
    assert "\n" not in str(raised.value)


def test_the_limit_lets_large_photographs_through() -> None:
    assert MAX_PIXELS >= 6000 * 5000
