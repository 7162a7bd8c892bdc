from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import QwenImagePipeline
from tests.generation.qwen_image_oracle import assert_parity, opened_by_diffusers
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.generation.pipeline import Pipeline

PROMPTS = ["a red disc", "two blue boxes on a large yellow table, behind them the sea and a small white boat"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_image(tmp_path_factory.mktemp("model") / "tiny-qwen")


@pytest.fixture(scope="module")
def pipe(model: Path) -> Pipeline:
    return Pipeline.from_pretrained(model, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def theirs(model: Path) -> Any:
    return opened_by_diffusers(model, QwenImagePipeline)


CASES: dict[str, dict[str, Any]] = {
    "without guidance": {"true_cfg_scale": 1.0},
    "true guidance": {"true_cfg_scale": 4.0, "negative_prompt": " "},
    "true guidance, a long negative prompt": {"true_cfg_scale": 2.5, "negative_prompt": PROMPTS[1]},
    "not square": {"true_cfg_scale": 4.0, "negative_prompt": " ", "width": 32, "height": 112},
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_pictures(pipe: Pipeline, theirs: Any, name: str) -> None:
    options = {"num_inference_steps": 5, "width": 64, "height": 64, **CASES[name]}
    assert_parity(
        f"Qwen-Image, {name}",
        pipe,
        theirs,
        lambda: pipe(PROMPTS[0], seed=3, output_type="np", **options),
        lambda: theirs(PROMPTS[0], generator=torch.Generator().manual_seed(3), output_type="np", **options),
    )


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_prompts_of_unequal_lengths_in_a_batch(pipe: Pipeline, theirs: Any, scale: float) -> None:
    options: dict[str, Any] = {"num_inference_steps": 4, "width": 48, "height": 64, "true_cfg_scale": scale}
    negatives = [PROMPTS[1], " "] if scale > 1 else None
    assert_parity(
        "Qwen-Image, unequal prompts in a batch",
        pipe,
        theirs,
        lambda: pipe(PROMPTS, negative_prompt=negatives, seed=3, output_type="np", **options),
        lambda: theirs(
            list(PROMPTS),
            negative_prompt=negatives,
            generator=[torch.Generator().manual_seed(3) for _ in PROMPTS],
            output_type="np",
            **options,
        ),
    )
