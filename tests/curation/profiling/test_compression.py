import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded, flat, grey, smooth

from mezzotint.curation.profiling.compression import blockiness, compression_ratio, transient_jpeg
from mezzotint.curation.profiling.decoding import decode


def test_the_ratio_is_raw_bytes_over_file_bytes() -> None:
    assert compression_ratio(100, 50, 1500) == 10
    assert compression_ratio(100, 50, 15000) == 1


def test_high_is_worse() -> None:
    picture = detailed()
    ratios = [compression_ratio(640, 480, len(encoded(picture, "JPEG", quality=q))) for q in (95, 75, 40, 10)]
    assert ratios == sorted(ratios)
    assert compression_ratio(640, 480, len(encoded(picture, "BMP"))) == pytest.approx(1, abs=0.01)


def test_a_transient_jpeg_is_small_where_little_is_to_be_seen() -> None:
    empty, soft, full = flat(200, (640, 480)), np.asarray(smooth()), np.asarray(detailed())
    assert transient_jpeg(empty) < 0.02 < transient_jpeg(soft) < 0.5 * transient_jpeg(full)
    again = len(encoded(Image.fromarray(full), "JPEG", quality=75))
    assert transient_jpeg(full) * 640 * 480 == pytest.approx(again, rel=0.01)


def test_steps_at_every_eighth_pixel_are_blocks() -> None:
    assert blockiness(flat()[..., 0]) == 1
    steps = (np.arange(256) // 8 * 2).astype(np.uint8)
    board = steps[None] + steps[:, None] // 2  # steps of 2 across, of 1 down; nothing elsewhere
    assert blockiness(board) == pytest.approx(((2 + 1) / 1 + (1 + 1) / 1) / 2)
    assert blockiness(board[:, 3:][3:]) < 1


@pytest.mark.parametrize("seed", range(5))
def test_a_strong_jpeg_shows_its_blocks_and_a_good_one_does_not(seed: int) -> None:
    picture = detailed((900, 700), seed)
    assert blockiness(grey(picture)) == pytest.approx(1, abs=0.1)
    assert blockiness(decode(encoded(picture, "JPEG", quality=95)).patch) < 1.15
    assert blockiness(decode(encoded(picture, "JPEG", quality=10)).patch) > 1.3


@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (9, 1)])
def test_the_smallest_pictures_have_no_blocks(shape: tuple[int, int]) -> None:
    assert blockiness(np.full(shape, 7, np.uint8)) == 1
