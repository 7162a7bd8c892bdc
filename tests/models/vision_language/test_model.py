import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.vision_language.small_tower import oracle, processor, small_tower
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.vision_language import PICTURE, PixelLimits, VisionLanguageTower, patches_of

LIMITS = PixelLimits(least=64, most=4096)
TEXTS = [
    f"first {PICTURE} then {PICTURE} a red disc",
    f"{PICTURE}{PICTURE}一个红色圆 and a longer text with more words",
]


@pytest.fixture(scope="module")
def tower() -> VisionLanguageTower:
    return small_tower()


def pictures(*sizes: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in sizes]


def features(tower: VisionLanguageTower, texts: list[str], shown: list[Image.Image]) -> list[Tensor]:
    assert tower.config.vision is not None
    seen = tower.look([patches_of(picture, tower.config.vision, LIMITS) for picture in shown])
    return tower.encode(texts, seen)


def expected_features(tower: VisionLanguageTower, texts: list[str], shown: list[Image.Image]) -> list[Tensor]:
    """What transformers makes of them, told which tokens are pictures."""
    process = processor(tower, min_pixels=LIMITS.least, max_pixels=LIMITS.most)
    inputs = process(text=texts, images=shown * len(texts) or None, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = oracle(tower)(**inputs, output_hidden_states=True).hidden_states[-1]
    return [row[mask.bool()] for row, mask in zip(states, inputs["attention_mask"], strict=True)]


@pytest.mark.parametrize("sizes", [[(52, 40), (90, 70)], [(30, 80), (16, 16)]], ids=str)
def test_texts_with_pictures_are_read_as_transformers_reads_them(
    tower: VisionLanguageTower, sizes: list[tuple[int, int]]
) -> None:
    shown = pictures(*sizes)
    ours, theirs = (read(tower, TEXTS, shown) for read in (features, expected_features))
    for a, b in zip(ours, theirs, strict=True):
        assert 0.5 < b.std() < 2.0
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_texts_alone_likewise(tower: VisionLanguageTower) -> None:
    texts = ["a red disc", "two blue boxes on a table, and 一个红色圆"]
    for a, b in zip(tower.encode(texts), expected_features(tower, texts, []), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_a_text_is_read_the_same_alone_and_in_a_batch(tower: VisionLanguageTower) -> None:
    shown = pictures((52, 40), (90, 70))
    together = features(tower, TEXTS, shown)
    for text, expected in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(features(tower, [text], shown)[0], expected, atol=1e-5, rtol=0)


def test_a_text_is_cut_to_the_limit(tower: VisionLanguageTower) -> None:
    (whole,), (cut,) = tower.encode(["a red disc"]), tower.encode(["a red disc"], max_tokens=4)
    torch.testing.assert_close(cut, whole[:4], atol=1e-5, rtol=0)


def test_a_prompt_with_other_places_for_pictures_is_refused(tower: VisionLanguageTower) -> None:
    with pytest.raises(InputError, match="1 places for pictures, but there are 0 pictures"):
        tower.encode([PICTURE])
    with pytest.raises(InputError, match="0 places for pictures, but there are 1 pictures"):
        features(tower, ["a red disc"], pictures((16, 16)))
