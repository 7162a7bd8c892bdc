from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ZImageImg2ImgPipeline
from tests.generation.oracle import assert_parity, opened_by_diffusers
from tests.generation.pictures import photograph

from mezzotint.errors import InputError
from mezzotint.generation.pipeline import Pipeline

IMAGE = photograph(64, 48)
PROMPT = "a red disc"


@pytest.fixture(scope="module")
def theirs(model: Path) -> Any:
    return opened_by_diffusers(model, ZImageImg2ImgPipeline)


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_the_same_pictures(pipe: Pipeline, theirs: Any, strength: float) -> None:
    common: dict[str, Any] = {"image": IMAGE, "strength": strength, "num_inference_steps": 5, "guidance_scale": 2.0}
    assert_parity(
        "Z-Image, image to image",
        pipe,
        theirs,
        lambda: pipe(PROMPT, seed=3, output_type="np", **common),
        lambda: theirs(PROMPT, generator=torch.Generator().manual_seed(3), output_type="np", **common),
    )


def test_an_odd_size_is_made_smaller(pipe: Pipeline, theirs: Any) -> None:
    common: dict[str, Any] = {"image": photograph(71, 50), "num_inference_steps": 3, "guidance_scale": 0.0}
    assert_parity(
        "Z-Image, image to image of an odd size",
        pipe,
        theirs,
        lambda: pipe(PROMPT, seed=3, output_type="np", **common),
        lambda: theirs(PROMPT, generator=torch.Generator().manual_seed(3), output_type="np", **common),
    )


def paint(pipe: Pipeline, **options: Any) -> np.ndarray[Any, Any]:
    prompt = options.pop("prompt", PROMPT)
    return np.asarray(pipe(prompt, image=IMAGE, output_type="np", **({"seed": 3} | options)).images)


def test_less_strength_stays_nearer_to_the_image(pipe: Pipeline) -> None:
    decoded = np.asarray(IMAGE) / 255
    far = [float(np.abs(paint(pipe, strength=s, num_inference_steps=10) - decoded).mean()) for s in (0.1, 0.5, 1.0)]
    assert far == sorted(far)


def test_a_picture_is_the_same_in_a_batch_and_from_its_own_generator(pipe: Pipeline) -> None:
    together = paint(pipe, prompt=[PROMPT, "two blue boxes"], num_images_per_prompt=2)
    alone = paint(pipe, prompt="two blue boxes", seed=4)
    np.testing.assert_allclose(together[3], alone[0], atol=1e-4)
    drawn = paint(pipe, prompt="two blue boxes", seed=None, generator=torch.Generator().manual_seed(4))
    np.testing.assert_array_equal(drawn, alone)


def test_another_size_and_transparency(pipe: Pipeline) -> None:
    assert paint(pipe, width=32, height=32).shape == (1, 32, 32, 3)
    clear = IMAGE.convert("RGBA")
    clear.putalpha(0)
    white = IMAGE.copy()
    white.paste((255, 255, 255), (0, 0, *IMAGE.size))
    first, second = (pipe(PROMPT, image=image, seed=0, output_type="np").images for image in (clear, white))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"strength": 0.0}, "strength is 0.0; it must be above 0"),
        ({"strength": 1.5}, "strength is 1.5"),
        ({"image": "photo.png"}, "image is a str; it must be a PIL.Image"),
        ({"image": [IMAGE, IMAGE]}, "begins with one image, not with 2"),
        ({"image": photograph(9, 40)}, "width is 0; it must be a multiple of 16"),
        ({"image": None, "strength": 0.5}, "there is strength but no image"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(PROMPT, **({"image": IMAGE} | options))
