import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.vision.small_tower import CONFIG, PREPARATION, random_tower
from transformers import Siglip2VisionModel
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from mezzotint.models.vision import SIGLIP2_SO400M, Preparation, VisionTower


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("size", [(64, 48), (100, 31), (30, 200)], ids=str)
def test_features_are_transformers(size: tuple[int, int]) -> None:
    """Theirs are padded to the most patches, and the padding is masked."""
    tower, picture = random_tower(), noise(*size)
    inputs = Siglip2ImageProcessorPil(**PREPARATION.to_json())(images=[picture], return_tensors="pt")
    rows, columns = inputs.spatial_shapes[0].tolist()
    expected = tower.model(**inputs).last_hidden_state[0, : rows * columns].view(rows, columns, -1)
    (features,) = tower.encode([picture])
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


def test_the_released_size() -> None:
    with torch.device("meta"):
        tower = VisionTower(SIGLIP2_SO400M, Preparation(patch_size=16, max_num_patches=256))
        theirs = Siglip2VisionModel(tower.model.config)
    assert sum(parameter.numel() for parameter in tower.parameters()) == sum(p.numel() for p in theirs.parameters())
    assert tower.model.config.hidden_size == 1152


def test_bfloat16_is_near() -> None:
    tower, picture = random_tower(), noise(64, 48)
    (exact,) = tower.encode([picture])
    (rounded,) = tower.bfloat16().encode([picture])
    assert rounded.dtype == torch.bfloat16
    assert rounded.shape == (3, 4, CONFIG.hidden_size)
    assert (rounded.float() - exact).square().mean().sqrt() < 0.05 * exact.std()
