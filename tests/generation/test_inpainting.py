from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ZImageInpaintPipeline
from PIL import Image
from tests.generation.oracle import assert_parity, opened_by_diffusers
from tests.generation.pictures import photograph, right_half

from mezzotint.errors import InputError
from mezzotint.generation.pipeline import Pipeline

IMAGE, MASK = photograph(64, 48), right_half(64, 48)
PROMPT = "two blue boxes"


@pytest.fixture(scope="module")
def theirs(model: Path) -> Any:
    return opened_by_diffusers(model, ZImageInpaintPipeline)


def disc(width: int, height: int) -> Image.Image:
    """A mask whose edge is grey and does not lie on latent pixels."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - 0.6 * width, y - 0.4 * height) / height
    return Image.fromarray((255 * np.clip(4 * (0.5 - distance), 0, 1)).astype(np.uint8))


@pytest.mark.parametrize(
    ("strength", "mask"), [(1.0, MASK), (0.5, MASK), (0.8, disc(64, 48)), (1.0, MASK.convert("1"))]
)
def test_the_same_pictures(pipe: Pipeline, theirs: Any, strength: float, mask: Image.Image) -> None:
    common: dict[str, Any] = {"image": IMAGE, "mask_image": mask, "strength": strength, "guidance_scale": 2.0}
    common["num_inference_steps"] = 4
    assert_parity(
        "Z-Image, inpainting",
        pipe,
        theirs,
        lambda: pipe(PROMPT, seed=5, output_type="np", **common),
        lambda: theirs(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **common),
    )


def test_what_is_kept_ends_as_the_image_went_in(pipe: Pipeline) -> None:
    def latents(prompt: str, seed: int) -> torch.Tensor:
        return pipe(prompt, image=IMAGE, mask_image=MASK, seed=seed, output_type="latent").images

    one, other = latents(PROMPT, 1), latents("a red disc", 1)
    torch.testing.assert_close(one[..., :4], other[..., :4], atol=1e-6, rtol=0)
    assert not torch.allclose(one[..., 4:], other[..., 4:], atol=0.1)


def test_both_samplers_keep(pipe: Pipeline) -> None:
    options: dict[str, Any] = {"image": IMAGE, "mask_image": MASK, "seed": 1, "output_type": "latent"}
    euler, multistep = (pipe(PROMPT, sampler=name, **options).images for name in ("euler", "multistep"))
    torch.testing.assert_close(euler[..., :4], multistep[..., :4], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mask_image": right_half(32, 48)}, "the mask is 32x48 and the image 64x48; they must be equally large"),
        ({"image": None}, "there is a mask but no image"),
        ({"mask_image": np.zeros((48, 64))}, "mask_image is a ndarray; it must be a PIL.Image"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(PROMPT, **({"image": IMAGE, "mask_image": MASK} | options))
