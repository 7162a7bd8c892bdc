import io

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, flat, grey, smooth

from mezzotint.curation.planting import pixelated, watermarked
from mezzotint.curation.profiling.overlays import mosaic, repetition


def luma_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def test_a_pattern_repeats_wholly_and_noise_not_at_all() -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(118, 138, (32, 64)).astype(np.uint8)
    assert repetition(np.tile(tile, (8, 4))) > 15
    assert repetition(rng.integers(118, 138, (256, 256)).astype(np.uint8)) < 6
    assert repetition(flat()[..., 0]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_watermark_all_over_repeats_more_than_its_picture(seed: int) -> None:
    picture = detailed(seed=seed)
    assert repetition(luma_of(watermarked(picture, np.random.default_rng(seed)))) > 1.3 * repetition(grey(picture))


@pytest.mark.parametrize("cell", [6, 8, 11, 16])
def test_a_mosaic_is_found_in_the_windows_that_it_fills(cell: int) -> None:
    cells = np.random.default_rng(cell).integers(0, 256, (480 // cell + 1, 480 // cell + 1)).astype(np.uint8)
    tiled = cells.repeat(cell, axis=0).repeat(cell, axis=1)[3:475, 2:474]
    assert mosaic(tiled) == 1
    half = tiled.copy()
    half[:, 240:] = grey(smooth((472, 472)))[:, 240:]
    assert mosaic(half) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_a_hidden_part_is_found_through_a_jpeg(seed: int) -> None:
    picture = detailed((800, 600), seed)
    assert mosaic(luma_of(pixelated(picture, np.random.default_rng(seed)))) > 0.03
    assert mosaic(grey(picture)) < 0.01
    assert mosaic(grey(smooth(seed=seed))) == 0


def test_stripes_are_no_mosaic() -> None:
    assert mosaic(np.tile((np.arange(480) // 8 % 2 * 90).astype(np.uint8), (480, 1))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (47, 47)])
def test_the_smallest_pictures_have_neither(shape: tuple[int, int]) -> None:
    assert mosaic(np.full(shape, 7, np.uint8)) == repetition(np.full(shape, 7, np.uint8)) == 0
