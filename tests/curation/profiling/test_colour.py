import numpy as np
import pytest
from tests.curation.profiling.pictures import flat, smooth

from mezzotint.curation.profiling.colour import colour_cast, saturation


def test_saturation_is_that_of_hsv() -> None:
    assert saturation(flat(90)) == 0
    assert saturation(flat(0)) == 0
    assert saturation(flat((255, 0, 0))) == 1
    assert saturation(flat((200, 100, 150))) == pytest.approx(0.5)


def test_a_cast_is_the_distance_of_a_flat_colour_from_grey_in_lab() -> None:
    assert colour_cast(flat(200)) == pytest.approx(0, abs=0.1)
    assert colour_cast(flat((255, 0, 0))) == pytest.approx(np.hypot(80.09, 67.20), abs=0.2)  # sRGB's red in CIELAB
    assert colour_cast(flat((0, 0, 255))) == pytest.approx(np.hypot(79.19, -107.86), abs=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_a_tinted_picture_lies_off_neutral_and_the_original_around_it(seed: int) -> None:
    picture = np.asarray(smooth((90, 70), seed))
    muted = picture // 4 + 96
    tinted = (muted * np.array([1.0, 0.7, 0.4])).astype(np.uint8)
    assert colour_cast(muted) < 0 < 10 < colour_cast(tinted)
