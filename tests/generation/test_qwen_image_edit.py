from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from diffusers import QwenImageEditPipeline, QwenImageEditPlusPipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from tests.generation.pictures import photograph
from tests.generation.qwen_image_oracle import assert_parity, opened_for_editing, scale_areas
from tests.generation.tiny_qwen_image import DEFAULTS, write_qwen_image

from mezzotint.generation.pipeline import Pipeline

PROMPT = "make the disc red"
LONG = "put two blue boxes on a large yellow table, behind them the sea and a small white boat"
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
