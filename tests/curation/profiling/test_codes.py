import numpy as np
import pytest
import zxingcpp
from PIL import Image
from tests.curation.profiling.pictures import detailed, grey

from mezzotint.curation.profiling.codes import bar_codes, matrix_codes

FORMATS = zxingcpp.BarcodeFormat


def drawn(form: zxingcpp.BarcodeFormat, text: str, side: int = 200) -> Image.Image:
    code = Image.fromarray(np.asarray(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, form))))
    times = max(2, side // max(code.size))
    return code.resize((code.width * times, code.height * times), Image.Resampling.NEAREST)


def with_code(code: Image.Image, size: tuple[int, int] = (640, 480), angle: int = 0) -> np.ndarray:
    picture = detailed(size)
    picture.paste(code.rotate(angle, expand=True).convert("RGB"), (60, 40))
    return grey(picture)


@pytest.mark.parametrize("form", [FORMATS.QRCode, FORMATS.DataMatrix, FORMATS.Aztec])
@pytest.mark.parametrize("angle", [0, 90])
def test_matrix_codes_are_counted(form: zxingcpp.BarcodeFormat, angle: int) -> None:
    found = with_code(drawn(form, "mezzotint"), angle=angle)
    assert (matrix_codes(found), bar_codes(found)) == (1, 0)


@pytest.mark.parametrize(
    ("form", "text"), [(FORMATS.EAN13, "4006381333931"), (FORMATS.UPCA, "036000291452"), (FORMATS.Code128, "plate 7")]
)
@pytest.mark.parametrize("angle", [0, 90])
def test_bar_codes_are_counted(form: zxingcpp.BarcodeFormat, text: str, angle: int) -> None:
    found = with_code(drawn(form, text, 300), angle=angle)
    assert (matrix_codes(found), bar_codes(found)) == (0, 1)


def test_a_code_of_a_large_picture_is_read_at_a_smaller_size() -> None:
    large = with_code(drawn(FORMATS.QRCode, "mezzotint", 900), size=(2400, 1800))
    assert matrix_codes(large) == 1


@pytest.mark.parametrize("seed", range(3))
def test_pictures_without_codes_have_none(seed: int) -> None:
    picture = grey(detailed(seed=seed))
    stripes = np.tile(np.random.default_rng(seed).integers(0, 2, 100).repeat(5).astype(np.uint8) * 255, (300, 1))
    for luma in (picture, stripes):
        assert (matrix_codes(luma), bar_codes(luma)) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_the_smallest_pictures_are_looked_at_too(shape: tuple[int, int]) -> None:
    assert matrix_codes(np.zeros(shape, np.uint8)) == bar_codes(np.zeros(shape, np.uint8)) == 0
