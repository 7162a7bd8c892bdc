import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.siglip2.image_processing_pil_siglip2 import (
    Siglip2ImageProcessorPil,
    get_image_size_for_max_num_patches,
)

from mezzotint.errors import FileFormatError
from mezzotint.models.vision import Grid, Preparation, patches_of

PUBLISHED = Preparation(patch_size=16, max_num_patches=256)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([1, 16, 256, 1024]))
@settings(max_examples=200, deadline=None)
def test_grids_are_transformers(width: int, height: int, most: int) -> None:
    preparation = Preparation(patch_size=16, max_num_patches=most)
    rows, columns = (side // 16 for side in get_image_size_for_max_num_patches(height, width, 16, most))
    assert preparation.grid(width, height) == Grid(rows, columns)


@pytest.mark.parametrize("size", [(256, 256), (1024, 1024), (64, 512), (97, 33), (1, 1), (1000, 3)], ids=str)
def test_patches_are_transformers(size: tuple[int, int]) -> None:
    picture = noise(*size)
    patches, grid = patches_of(picture, PUBLISHED)
    theirs = Siglip2ImageProcessorPil()(images=[picture], return_tensors="pt")
    assert theirs.spatial_shapes[0].tolist() == list(grid)
    assert len(patches) == grid.rows * grid.columns <= 256
    torch.testing.assert_close(patches, theirs.pixel_values[0, : len(patches)].float(), atol=1e-6, rtol=0)


def test_reads_what_transformers_writes() -> None:
    assert Preparation.from_json(json.loads(Siglip2ImageProcessorPil().to_json_string())) == PUBLISHED
    assert Preparation.from_json(PUBLISHED.to_json()) == PUBLISHED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_processor_type": "CLIPImageProcessor"}, "is of a CLIPImageProcessor"),
        ({"image_mean": [0.48, 0.46, 0.41]}, "image_mean"),
        ({"patch_size": 0}, "patch_size is 0"),
        ({"max_num_patches": None}, "max_num_patches is None"),
    ],
)
def test_refuses_another_preparation(change: dict[str, object], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        Preparation.from_json(PUBLISHED.to_json() | change)
