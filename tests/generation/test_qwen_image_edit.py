import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from diffusers import QwenImageEditPipeline, QwenImageEditPlusPipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.generation.pictures import photograph
from tests.generation.qwen_image_oracle import assert_parity, opened_for_editing, scale_areas
from tests.generation.tiny_qwen_image import DEFAULTS, PROCESSOR, write_qwen_image
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.qwen_image_edit import area_shaped_like
from mezzotint.runtime import atomic

PROMPT = "make the disc red"
LONG = "put two blue boxes on a large yellow table, behind them the sea and a small white boat"
published_dimensions = pipeline_qwenimage_edit_plus.calculate_dimensions
AREA = DEFAULTS["width"] * DEFAULTS["height"]
FIRST, SECOND = photograph(70, 52), photograph(40, 90).rotate(90)


class Both(NamedTuple):
    """The same model in this project and in diffusers."""

    ours: Pipeline
    theirs: Any


def opened(folder: Path, kind: Any, zero_cond_t: bool) -> Both:
    write_qwen_image(folder, kind.__name__, zero_cond_t=zero_cond_t)
    ours = Pipeline.from_pretrained(folder, device="cpu", dtype="float32")
    return Both(ours, opened_for_editing(folder, kind, ours))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "zero_cond_t"])
def edit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return opened(tmp_path_factory.mktemp("edit"), QwenImageEditPipeline, request.param)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "zero_cond_t"])
def plus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return opened(tmp_path_factory.mktemp("plus"), QwenImageEditPlusPipeline, request.param)


@pytest.fixture(autouse=True)
def small_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus):
        scale_areas(monkeypatch, module, AREA)


def check(case: str, both: Both, image: Any, **options: Any) -> None:
    options = {"num_inference_steps": 4, "true_cfg_scale": 3.0, "negative_prompt": " ", **options}
    generators = [torch.Generator().manual_seed(3 + i) for i in range(options.get("num_images_per_prompt", 1))]
    clean = ", zero_cond_t" if both.ours.transformer.config.zero_cond_t else ""
    assert_parity(
        f"{case}{clean}",
        both.ours,
        both.theirs,
        lambda: both.ours(PROMPT, image=image, seed=3, output_type="np", **options),
        lambda: both.theirs(image, PROMPT, generator=generators, output_type="np", **options),
    )


class TestParity:
    @pytest.mark.parametrize("options", [{}, {"negative_prompt": LONG}, {"num_images_per_prompt": 2}], ids=str)
    def test_edit(self, edit: Both, options: dict[str, Any]) -> None:
        check("Qwen-Image-Edit", edit, FIRST, **options)

    def test_edit_without_guidance(self, edit: Both) -> None:
        check("Qwen-Image-Edit without guidance", edit, FIRST, true_cfg_scale=1.0, negative_prompt=None)

    def test_edit_to_another_shape(self, edit: Both) -> None:
        check("Qwen-Image-Edit to another shape", edit, SECOND, width=64, height=112)

    def test_edit_plus_with_one_reference(self, plus: Both) -> None:
        check("Qwen-Image-Edit-Plus, one reference", plus, FIRST, negative_prompt=LONG)

    def test_edit_plus_with_two_references(self, plus: Both) -> None:
        check("Qwen-Image-Edit-Plus, two references", plus, [FIRST, SECOND])

    def test_edit_plus_with_two_references_to_another_shape(self, plus: Both) -> None:
        check("Qwen-Image-Edit-Plus, two references to another shape", plus, [SECOND, FIRST], width=96, height=48)


@pytest.mark.slow
def test_in_the_published_area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megapixel for the latents, 384² for the vision tower."""
    monkeypatch.undo()  # of the small areas
    folder = write_qwen_image(tmp_path / "plus", "QwenImageEditPlusPipeline")
    atomic.write_json(folder / "mezzotint.json", DEFAULTS | {"width": 1024, "height": 1024})
    # The small tower's tokens are as small: of a whole picture they would be too many.
    atomic.write_json(folder / "processor" / "preprocessor_config.json", PROCESSOR | {"max_pixels": 128 * 128})
    ours = Pipeline.from_pretrained(folder, device="cpu", dtype="float32")
    both = Both(ours, opened_for_editing(folder, QwenImageEditPlusPipeline, ours))
    options = {"width": 64, "height": 64, "true_cfg_scale": 1.0, "negative_prompt": None, "num_inference_steps": 2}
    check("Qwen-Image-Edit-Plus, two references of a megapixel", both, [FIRST, SECOND], **options)


@pytest.mark.slow
def test_compiled_makes_the_same_picture(tmp_path: Path) -> None:
    """The jaxtyping hook and torch.compile do not mix: a process of its own."""
    folder = write_qwen_image(tmp_path / "plus", "QwenImageEditPlusPipeline", zero_cond_t=True)
    script = (
        "import sys, numpy; from mezzotint import Pipeline; from tests.generation.pictures import photograph\n"
        "for compile in (False, True):\n"
        "    pipe = Pipeline.from_pretrained(sys.argv[1], 'cpu', 'float32', compile=compile)\n"
        "    made = pipe('a red disc', image=[photograph(70, 52), photograph(40, 90)], seed=5, output_type='np')\n"
        "    numpy.save(f'{sys.argv[2]}/{compile}', made.images)"
    )
    subprocess.run([sys.executable, "-c", script, str(folder), str(tmp_path)], check=True)
    eager, compiled = (np.load(tmp_path / f"{how}.npy") for how in (False, True))
    np.testing.assert_allclose(compiled, eager, atol=2 / 255)


def latents(pipe: Pipeline, image: Any, prompt: str | list[str] = PROMPT, **options: Any) -> Tensor:
    result: Tensor = pipe(prompt, image=image, output_type="latent", **({"seed": 0} | options)).images
    return result


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = write_qwen_image(tmp_path_factory.mktemp("plus"), "QwenImageEditPlusPipeline")
    return Pipeline.from_pretrained(folder, device="cpu", dtype="float32")


class TestCalls:
    def test_the_new_picture_has_the_shape_of_the_last(self, pipe: Pipeline) -> None:
        wide, high = photograph(80, 20), photograph(20, 80)
        assert pipe(PROMPT, image=[wide, high], seed=0).images[0].size == (32, 160)
        assert pipe(PROMPT, image=[high, wide], seed=0).images[0].size == (160, 32)
        assert pipe(PROMPT, image=high, seed=0, width=64, height=32).images[0].size == (64, 32)

    def test_every_reference_and_its_place_matters(self, pipe: Pipeline) -> None:
        size = {"width": 64, "height": 64}
        both, swapped = latents(pipe, [FIRST, SECOND], **size), latents(pipe, [SECOND, FIRST], **size)
        for other in (swapped, latents(pipe, FIRST, **size), latents(pipe, [FIRST, FIRST], **size)):
            assert (both - other).abs().max() > 1e-3

    def test_several_prompts_for_one_picture(self, pipe: Pipeline) -> None:
        together = latents(pipe, FIRST, [PROMPT, LONG], num_images_per_prompt=2)
        for place, (prompt, seed) in enumerate((prompt, seed) for prompt in (PROMPT, LONG) for seed in (0, 1)):
            alone = latents(pipe, FIRST, prompt, seed=seed)
            torch.testing.assert_close(together[place], alone[0], atol=1e-4, rtol=0)

    def test_transparency_is_white(self, pipe: Pipeline) -> None:
        clear = FIRST.convert("RGBA")
        clear.putalpha(0)
        white = Image.new("RGB", FIRST.size, (255, 255, 255))
        assert torch.equal(latents(pipe, clear), latents(pipe, white))


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_areas_are_those_of_diffusers(width: int, height: int) -> None:
    expected = published_dimensions(1024 * 1024, width / height)
    ours = area_shaped_like(Image.new("1", (width, height)), 1024 * 1024)
    assert ours == tuple(max(32, side) for side in expected)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image": None}, "there is no image to edit: give one"),
        ({"image": []}, "there is no image to edit"),
        ({"image": "photo.png"}, "image is a str; it must be a PIL.Image"),
        ({"mask_image": FIRST}, "give it no mask, strength or control image"),
        ({"strength": 0.5}, "give it no mask, strength or control image"),
        ({"image": [FIRST] * 200}, r"200 images take 3200 tokens; this model has room for 30\d\d: give fewer"),
        ({"width": 40}, "width is 40; it must be a multiple of 16"),
        ({"prompt": "disc " * 1100}, "more than the 1024 tokens"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(**({"prompt": PROMPT, "image": FIRST, "seed": 0} | options))


def test_edit_takes_one_picture(edit: Both) -> None:
    with pytest.raises(InputError, match="this model edits 1 image, not 2: a Qwen-Image-Edit-Plus model takes several"):
        edit.ours(PROMPT, image=[FIRST, SECOND])
