import hashlib

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded, flat

from mezzotint.curation.profiling.decoding import decode
from mezzotint.curation.profiling.hashes import perceptual_hash, sha256, thumbnail


def distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def hash_of(picture: Image.Image, kind: str = "PNG", **options: object) -> int:
    return perceptual_hash(decode(encoded(picture, kind, **options)).luma)


def test_a_digest_is_of_the_file() -> None:
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_in_another_size_or_quality_differs_in_few_bits_and_another_picture_in_many(seed: int) -> None:
    picture = detailed((900, 700), seed)
    original = hash_of(picture)
    assert distance(original, hash_of(picture, "JPEG", quality=30)) <= 4
    assert distance(original, hash_of(picture.resize((300, 233), Image.Resampling.LANCZOS))) <= 4
    assert distance(original, hash_of(picture.resize((1800, 1400), Image.Resampling.BICUBIC), "WEBP")) <= 4
    assert distance(original, hash_of(detailed((900, 700), seed + 100))) >= 16


def test_the_lowest_frequency_is_the_first_bit_and_a_cosine_is_found() -> None:
    assert perceptual_hash(flat(80)[..., 0]) == 1 << 63
    x = (np.arange(32) + 0.5) / 32
    wave = (128 + 100 * np.cos(3 * np.pi * x)).round().astype(np.uint8)
    plane = np.tile(wave, (32, 1))
    assert perceptual_hash(plane) & (1 << (63 - 3))
    assert perceptual_hash(plane.T.copy()) & (1 << (63 - 3 * 8))


@pytest.mark.parametrize("seed", range(6))
def test_the_thumbnail_of_a_copy_is_nearly_the_same_and_of_another_picture_is_not(seed: int) -> None:
    def levels(one: Image.Image, other: Image.Image, kind: str = "PNG", **options: object) -> float:
        both = (
            np.frombuffer(thumbnail(decode(data).rgb), np.uint8).astype(float)
            for data in (encoded(one), encoded(other, kind, **options))
        )
        return float(np.sqrt(np.mean((next(both) - next(both)) ** 2)))

    picture = detailed((900, 700), seed)
    assert levels(picture, picture) == 0
    assert levels(picture, picture, "JPEG", quality=30) < 2
    for size in ((300, 233), (613, 477), (1800, 1400)):
        assert levels(picture, picture.resize(size, Image.Resampling.LANCZOS)) < 2
    assert levels(picture, detailed((900, 700), seed + 100)) > 20


def test_a_thumbnail_shows_each_part_in_its_colour() -> None:
    quarters = np.asarray(Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20).resize((64, 64), 0))
    pixels = np.frombuffer(thumbnail(quarters), np.uint8).reshape(16, 16, 3)
    assert pixels[0, 0].tolist() == [0, 20, 40]
    assert pixels[15, 15].tolist() == [180, 200, 220]
