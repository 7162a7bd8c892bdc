import hashlib

import numpy as np
import pytest
from PIL import Image
from tests.curation.profiling.pictures import detailed, encoded, flat, smooth

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


def test_a_thumbnail_is_the_mean_of_each_part() -> None:
    quarters = np.asarray(Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20).resize((64, 64), 0))
    pixels = np.frombuffer(thumbnail(quarters), np.uint8).reshape(16, 16, 3)
    assert pixels[0, 0].tolist() == [0, 20, 40]
    assert pixels[15, 15].tolist() == [180, 200, 220]
    assert np.abs(np.frombuffer(thumbnail(np.asarray(smooth())), np.uint8).mean() - np.asarray(smooth()).mean()) < 1
