from itertools import pairwise

import numpy as np
import pytest
from tests.curation.profiling.pictures import blurred, detailed, flat, grey, noisy, smooth

from mezzotint.curation.profiling.sharpness import clarity, noise, texture


@pytest.mark.parametrize("levels", [6, 40, 250])
def test_a_step_is_clear_whatever_its_contrast(levels: int) -> None:
    step = np.zeros((40, 60), np.uint8)
    step[:, 30:] = levels
    assert clarity(step) == clarity(np.ascontiguousarray(step.T)) == 2.0  # Laplacian l, gradient l / 2


def test_a_ramp_is_not_clear_at_all_and_a_parabola_is_as_clear_as_it_is_bent() -> None:
    ramp = np.tile((np.arange(60) * 4).astype(np.uint8), (40, 1))
    assert clarity(ramp) == 0
    # Of 38 rows of x², the last 3 of 58 columns are the steepest twentieth: gradient 2x, Laplacian 2.
    bent = np.tile((np.arange(16) ** 2).clip(0, 255).astype(np.uint8), (400, 1))
    assert clarity(bent) == pytest.approx(2 / (2 * 14))


def test_a_picture_without_an_edge_has_none_that_is_blurred() -> None:
    assert clarity(flat()[..., 0]) == 2.0
    assert clarity(flat()[..., 0] + np.arange(256, dtype=np.uint8) // 64) == 2.0


@pytest.mark.parametrize("seed", range(5))
def test_each_blur_makes_a_picture_less_clear(seed: int) -> None:
    picture = detailed(seed=seed)
    measured = [clarity(grey(picture)), *(clarity(grey(blurred(picture, radius))) for radius in (0.5, 1, 2, 4))]
    assert all(more > 1.2 * less for more, less in pairwise(measured))
    pale = picture.point(lambda level: 200 + level // 8)
    assert clarity(grey(pale)) == pytest.approx(measured[0], rel=0.1)


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


def test_detail_does_not_pass_for_noise_where_a_part_is_plain() -> None:
    half = grey(noisy(smooth((640, 640)), 20)).copy()
    half[:, :240] = 255
    assert noise(half) == 0
    assert noise(half[:, 240:]) > 15


def test_edges_do_not_pass_for_noise() -> None:
    lines = np.full((512, 512), 90, np.uint8)
    lines[:, ::64] = 200
    assert noise(lines) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (40, 2), (33, 33)])
def test_the_smallest_pictures_are_measured_too(shape: tuple[int, int]) -> None:
    for measure, least in ((clarity, 2), (texture, 0), (noise, 0)):
        assert measure(np.full(shape, 7, np.uint8)) == least
