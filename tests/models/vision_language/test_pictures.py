import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.models.vision_language.small_tower import VISION, processor, small_tower
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from mezzotint.errors import FileFormatError, InputError
from mezzotint.models.vision_language import PUBLISHED_LIMITS, PixelLimits, patches_of
from mezzotint.models.vision_language.pictures import fitting_size

LIMITS = PixelLimits(least=512, most=4096)
# As Qwen/Qwen-Image-Edit publishes it.
RELEASED = {
    "do_normalize": True,
    "image_processor_type": "Qwen2VLImageProcessor",
    "max_pixels": 12845056,
    "merge_size": 2,
    "min_pixels": 3136,
    "patch_size": 14,
    "size": {"longest_edge": 12845056, "shortest_edge": 3136},
}


@pytest.mark.parametrize("size", [(64, 48), (61, 35), (200, 120), (9, 14), (3, 90)], ids=str)
def test_patches_are_those_of_transformers(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    images = processor(small_tower(), min_pixels=LIMITS.least, max_pixels=LIMITS.most).image_processor
    expected = images(images=[picture], return_tensors="pt")
    ours = patches_of(picture, VISION, LIMITS)
    assert [1, ours.rows, ours.columns] == expected["image_grid_thw"][0].tolist()
    torch.testing.assert_close(ours.pixels, expected["pixel_values"], atol=1e-6, rtol=0)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_sizes_are_those_of_transformers(width: int, height: int) -> None:
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(InputError, match="too elongated"):
            fitting_size(width, height, 28, PUBLISHED_LIMITS)
        return
    least, most = PUBLISHED_LIMITS.least, PUBLISHED_LIMITS.most
    expected = smart_resize(height, width, 28, min_pixels=least, max_pixels=most)
    assert fitting_size(width, height, 28, PUBLISHED_LIMITS) == expected[::-1]


def test_limits_are_read_in_both_forms() -> None:
    assert PixelLimits.from_json(RELEASED) == PUBLISHED_LIMITS
    assert PixelLimits.from_json({"size": RELEASED["size"]}) == PUBLISHED_LIMITS
    assert PixelLimits.from_json(RELEASED | {"max_pixels": 5000}).most == 5000


@pytest.mark.parametrize("values", [{}, {"size": 7}, {"min_pixels": 4, "max_pixels": "many"}, {"size": {}}])
def test_refuses_limits_that_are_none(values: dict[str, object]) -> None:
    with pytest.raises(FileFormatError, match=r"preprocessor config: m.._pixels is"):
        PixelLimits.from_json(values)
