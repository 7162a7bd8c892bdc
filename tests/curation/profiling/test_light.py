import numpy as np
import pytest
from tests.curation.profiling.pictures import flat

from mezzotint.curation.profiling.light import border_variance, entropy, luma_mean

LEVELS = np.tile(np.arange(256, dtype=np.uint8), (64, 1))


def test_luma_is_the_mean_level() -> None:
    assert luma_mean(flat(77)[..., 0]) == 77
    assert luma_mean(LEVELS) == 127.5


def test_entropy_counts_levels_in_bits() -> None:
    assert entropy(flat(9)[..., 0]) == 0
    assert entropy(LEVELS) == pytest.approx(8)
    assert entropy(LEVELS // 64 * 64) == pytest.approx(2)


def test_a_plain_border_has_no_variance_whatever_is_inside() -> None:
    rng = np.random.default_rng(0)
    framed = np.zeros((200, 300), np.uint8)
    framed[10:-10, 10:-10] = rng.integers(0, 256, (180, 280))
    assert border_variance(framed) == 0
    assert border_variance(framed[10:-10, 10:-10]) == pytest.approx((256**2 - 1) / 12, rel=0.05)
    halves = np.repeat(np.array([[0], [255]], np.uint8), 100, axis=0).repeat(200, axis=1)
    assert border_variance(halves) == pytest.approx(127.5**2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 3)])
def test_the_smallest_pictures_have_a_border_too(shape: tuple[int, int]) -> None:
    assert border_variance(np.full(shape, 7, np.uint8)) == 0
