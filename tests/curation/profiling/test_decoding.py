import io

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded, smooth

from mezzotint.curation.profiling.decoding import decode
from mezzotint.errors import FileFormatError

PICTURE = detailed((400, 300))
PIXELS = np.asarray(PICTURE)


@pytest.mark.parametrize(
    ("size", "reduced"),
    [
        ((400, 300), (400, 300)),
        ((683, 10), (683, 10)),
        ((1480, 1110), (370, 277)),
        ((5, 1), (5, 1)),
        ((9000, 3), (562, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_reduced_by_a_power_of_two(kind: str, size: tuple[int, int], reduced: tuple[int, int]) -> None:
    picture = decode(encoded(smooth(size), kind))
    assert picture.rgb.shape == (reduced[1], reduced[0], 3)
    assert picture.luma.shape == picture.rgb.shape[:2]
    assert max(picture.small.shape) <= 96
    assert picture.patch.shape == (min(size[1], 512), min(size[0], 512))


@pytest.mark.parametrize("size", [(700, 500), (1500, 1000), (3003, 2001), (5600, 40)])
def test_a_jpeg_that_was_decoded_small_looks_like_one_that_was_reduced(size: tuple[int, int]) -> None:
    file = encoded(detailed(size), "JPEG", quality=95)
    whole = Image.open(io.BytesIO(file)).convert("RGB")
    small, reduced = decode(file), decode(encoded(whole))
    assert small.rgb.shape == reduced.rgb.shape
    assert np.abs(small.rgb.astype(int) - reduced.rgb).mean() < 3
    assert np.abs(small.stored.astype(int) - reduced.stored).mean() < 1  # colours that were cut off at 0 or 255


def test_a_larger_side_can_be_asked_for() -> None:
    assert decode(encoded(smooth((1500, 30)), "JPEG"), side=700).rgb.shape == (15, 750, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_stands_upright(orientation: int) -> None:
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera that was held so stores an upright picture
    stored = PICTURE if orientation == 1 else PICTURE.transpose(back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encoded(stored, exif=exif))
    assert np.array_equal(picture.rgb, PIXELS)
    assert np.array_equal(picture.patch, np.asarray(stored.convert("L"))[: 300 + 100, : 300 + 100])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_pixels_are_those_of_the_file(kind: str) -> None:
    assert np.array_equal(decode(encoded(PICTURE, kind)).rgb, PIXELS)


def test_every_kind_of_pixel_is_read_rightly() -> None:
    grey = np.asarray(PICTURE.convert("L"))
    assert np.array_equal(decode(encoded(Image.fromarray(grey))).rgb[..., 0], grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(decode(encoded(deep, kind)).rgb[..., 0], grey)
    palette = PICTURE.quantize(64)
    assert np.array_equal(decode(encoded(palette)).rgb, np.asarray(palette.convert("RGB")))
    one_bit = PICTURE.convert("1")
    assert np.array_equal(decode(encoded(one_bit)).rgb[..., 0], np.asarray(one_bit.convert("L")))
    cmyk = decode(encoded(PICTURE.convert("CMYK"), "JPEG", quality=95)).rgb.astype(int)
    assert np.abs(cmyk - PIXELS).mean() < 6
    soft = smooth((400, 300))
    assert np.abs(decode(encoded(soft, "JPEG", quality=95)).rgb.astype(int) - np.asarray(soft)).mean() < 2


def test_transparency_is_seen_on_white() -> None:
    cut_out = PICTURE.convert("RGBA")
    cut_out.paste((0, 0, 0, 0), (0, 0, 200, 300))
    for kind in ("PNG", "WEBP"):
        picture = decode(encoded(cut_out, kind, lossless=True))
        assert (picture.rgb[:, :200] == 255).all()
        assert (picture.patch[:, :200] == 255).all()
        assert np.array_equal(picture.rgb[:, 200:], PIXELS[:, 200:])


def test_the_first_frame_of_an_animation_is_measured() -> None:
    for kind in ("GIF", "PNG", "WEBP"):
        data = encoded(PICTURE, kind, save_all=True, append_images=[smooth((400, 300))], lossless=True)
        assert np.abs(decode(data).rgb.astype(int) - PIXELS).mean() < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_half_a_file_is_no_picture(kind: str, quarter: int) -> None:
    data = encoded(PICTURE, kind)
    with pytest.raises(FileFormatError) as raised:
        decode(data[: len(data) * quarter // 4])
    assert "\n" not in str(raised.value)


def test_numbers_without_a_white_are_refused() -> None:
    with pytest.raises(FileFormatError, match="floating-point"):
        decode(encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


def test_bytes_before_the_end_of_a_jpeg_that_cameras_write_do_no_harm() -> None:
    data = encoded(PICTURE, "JPEG", quality=95)
    padded = data[:-2] + bytes(5) + data[-2:]
    assert np.array_equal(decode(padded).rgb, decode(data).rgb)
