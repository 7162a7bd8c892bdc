import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded, smooth

from mezzotint.curation.duplicates import Alike, Pictures, difference, find_copies, keep_order, mean_hashes
from mezzotint.curation.profiling.hashes import thumbnail


def pictures(
    hashes: list[int],
    *,
    sha256: list[str] | None = None,
    pixels: list[int] | None = None,
    levels: int = 0,
    previews: list[bytes] | None = None,
) -> Pictures:
    """Pictures whose thumbnails are all alike, or differ by so many levels each from the next."""
    n = len(hashes)
    return Pictures(
        ids=[f"{i:04d}" for i in range(n)],
        sha256=sha256 or [str(i) for i in range(n)],
        hashes=np.array(hashes, np.uint64)[:, None],
        thumbnails=np.repeat(np.arange(n)[:, None] * levels, 768, axis=1).astype(np.uint8),
        previews=previews or [encoded(Image.new("RGB", (96, 64)), "JPEG")] * n,
        pixels=np.array(pixels or [100] * n),
        file_bytes=np.full(n, 10.0),
    )


def copies(of: Pictures, **alike: float) -> dict[int, tuple[int, bool]]:
    return {found.copy: (found.of, found.exact) for found in find_copies(of, Alike(**alike))}  # type: ignore[arg-type]


def flipped(value: int, bits: list[int]) -> int:
    for bit in bits:
        value ^= 1 << int(bit)
    return value


def test_the_same_file_is_an_exact_copy_whatever_its_hash() -> None:
    assert copies(pictures([0, ~0 & (1 << 64) - 1, 5], sha256=["a", "a", "b"])) == {1: (0, True), 2: (0, False)}


@given(st.integers(0, (1 << 64) - 1), st.lists(st.integers(0, 63), unique=True, max_size=20))
def test_near_hashes_are_found_wherever_their_bits_differ_and_no_others(value: int, bits: list[int]) -> None:
    found = copies(pictures([value, flipped(value, bits)]), bits=7)
    assert found == ({1: (0, False)} if len(bits) <= 7 else {})


def test_fewer_bits_can_be_asked_for() -> None:
    two = pictures([0, 0b1111])
    assert copies(two, bits=4) == {1: (0, False)}
    assert copies(two, bits=3) == {}


def test_a_thumbnail_that_differs_is_another_picture() -> None:
    assert copies(pictures([7, 7], levels=8), levels=8) == {1: (0, False)}
    assert copies(pictures([7, 7], levels=9), levels=8) == {}


def test_a_spot_that_differs_makes_another_picture() -> None:
    picture = smooth((96, 64))
    spotted = picture.copy()
    spotted.paste((255, 0, 0), (40, 20, 46, 26))
    previews = [encoded(one, "JPEG", quality=quality) for one, quality in ((picture, 90), (spotted, 90), (picture, 50))]
    assert copies(pictures([7, 7, 7], previews=previews)) == {2: (0, False)}


def test_every_dropped_picture_is_a_copy_of_one_that_stays() -> None:
    # Each is near to the next, but the first and the last are not.
    chain = [flipped(0, list(range(5 * step))) for step in range(6)]
    found = copies(pictures(chain), bits=6)
    assert set(found) == {1, 3, 5}
    assert all(of not in found for of, _ in found.values())


def test_an_exact_copy_of_a_near_copy_goes_to_the_one_that_stays() -> None:
    assert copies(pictures([0, 1, 1], sha256=["a", "b", "b"])) == {1: (0, False), 2: (0, True)}


def test_the_largest_then_the_least_compressed_then_the_first_stays() -> None:
    four = pictures([0] * 4, pixels=[100, 200, 200, 200])
    four.file_bytes[2] = 50
    assert keep_order(four) == [2, 1, 3, 0]
    assert set(copies(four)) == {0, 1, 3}


@pytest.mark.parametrize("seed", range(3))
def test_buckets_find_what_all_pairs_would(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, 1 << 63, 60)
    hashes = [flipped(int(rng.choice(seeds)), rng.choice(64, rng.integers(0, 9), replace=False)) for _ in range(400)]
    kept: list[int] = []
    expected: set[int] = set()
    for position, value in enumerate(hashes):
        near = any((value ^ hashes[other]).bit_count() <= 6 for other in kept)
        expected.add(position) if near else kept.append(position)
    assert set(copies(pictures(hashes), bits=6)) == expected


def small(picture: Image.Image) -> np.ndarray:
    return np.frombuffer(thumbnail(np.asarray(picture.resize((256, 256), Image.Resampling.BOX))), np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_a_small_crop_and_other_colours_set_little_apart_and_another_picture_much(seed: int) -> None:
    picture = detailed((800, 640), seed)
    original = small(picture)
    cropped = small(picture.crop((10, 4, 790, 636)))
    recoloured = small(Image.fromarray((np.asarray(picture) * [1.0, 0.95, 0.97]).astype(np.uint8)))
    assert difference(original, original) == 0
    assert difference(original, recoloured) < 1.5
    assert difference(original, cropped) < 4
    assert difference(original, small(detailed((800, 640), seed + 50))) > 12
    assert difference(original, cropped) == difference(cropped, original)


def test_a_mean_hash_says_which_cells_are_bright() -> None:
    cells = np.zeros((8, 8), np.uint8)
    cells[0, 1] = cells[7, 7] = 200
    pixels = cells.repeat(2, axis=0).repeat(2, axis=1)[..., None].repeat(3, axis=2)
    assert mean_hashes(pixels.reshape(1, -1)).tolist() == [1 << 62 | 1]
    assert mean_hashes(np.full((1, 768), 90, np.uint8)).tolist() == [0]
