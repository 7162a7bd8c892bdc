from itertools import pairwise

import numpy as np
import pytest
from tests.curation.profiling.pictures import blurred, detailed, flat, grey, noisy, smooth

from mezzotint.curation.profiling.sharpness import clarity, noise, texture


def test_clarity_is_the_variance_of_the_laplacian() -> None:
    impulse = np.zeros((12, 10), np.uint8)
    impulse[5, 5] = 10
    # 80 inner pixels: one of -40 and four of 10, so the mean is 0.
    assert clarity(impulse) == pytest.approx((40**2 + 4 * 10**2) / 80)
    assert clarity(flat()[..., 0]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_each_blur_makes_a_picture_less_clear(seed: int) -> None:
    picture = detailed(seed=seed)
    measured = [clarity(grey(picture)), *(clarity(grey(blurred(picture, radius))) for radius in (0.5, 1, 2))]
    assert all(more > 2 * less for more, less in pairwise(measured))


def test_texture_is_the_share_of_blocks_with_detail() -> None:
    halves = flat(100, (320, 160))[..., 0].copy()
    halves[:, 160:] += np.random.default_rng(0).integers(0, 60, (160, 160)).astype(np.uint8)
    assert texture(halves) == 0.5
    assert texture(flat()[..., 0]) == 0
    assert texture(grey(detailed())) > 0.8


@pytest.mark.parametrize("deviation", [2.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_measured_in_grey_levels(deviation: float, seed: int) -> None:
    soft = smooth(seed=seed).point(lambda level: level // 2 + 64)
    assert noise(grey(noisy(soft, deviation))) == pytest.approx(deviation, rel=0.1, abs=0.4)
    assert noise(grey(soft)) < 0.7


def test_edges_do_not_pass_for_noise() -> None:
    lines = np.full((512, 512), 90, np.uint8)
    lines[:, ::64] = 200
    assert noise(lines) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (40, 2), (33, 33)])
def test_the_smallest_pictures_are_measured_too(shape: tuple[int, int]) -> None:
    for measure in (clarity, texture, noise):
        assert measure(np.full(shape, 7, np.uint8)) == 0
