import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.generation.oracle import assert_parity, opened_by_diffusers

from mezzotint.generation.pipeline import Pipeline

PROMPTS = ["a red disc", "two blue boxes on a large yellow table, behind them the sea and a small white boat"]
NEGATIVES = ["blue", "a long list of things that are not wanted at all in any picture"]


@pytest.fixture(scope="module")
def theirs(model: Path) -> Any:
    return opened_by_diffusers(model)


def compare(case: str, pipe: Pipeline, theirs: Any, prompts: list[str], **options: Any) -> None:
    """Both from the same noise."""
    common: dict[str, Any] = {"num_inference_steps": 5, "guidance_scale": 3.5, "height": 48, "width": 48} | options
    count = len(prompts) * common.get("num_images_per_prompt", 1)
    shape = (count, 16, common["height"] // 8, common["width"] // 8)
    common |= {"latents": torch.randn(shape, generator=torch.Generator().manual_seed(3)), "output_type": "np"}
    unchanged = copy.deepcopy(common)  # they change the lists that they are given
    assert_parity(
        case, pipe, theirs, lambda: pipe(prompts, **common), lambda: theirs(prompt=list(prompts), **unchanged)
    )


def test_the_turbo_schedule(pipe: Pipeline, theirs: Any) -> None:
    compare("Z-Image-Turbo's schedule", pipe, theirs, PROMPTS[:1], num_inference_steps=8, guidance_scale=0.0)


def test_the_base_schedule(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "base"))
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"shift": 6.0}))
    base = Pipeline.from_pretrained(folder, device="cpu", dtype="float32")
    compare(
        "Z-Image's schedule",
        base,
        opened_by_diffusers(folder),
        PROMPTS[:1],
        num_inference_steps=28,
        guidance_scale=4.0,
    )


@pytest.mark.parametrize(
    "options", [{"guidance_scale": 0.0}, {}, {"negative_prompt": NEGATIVES}, {"num_images_per_prompt": 2}]
)
def test_prompts_of_unequal_lengths(pipe: Pipeline, theirs: Any, options: dict[str, Any]) -> None:
    compare("Z-Image, prompts of unequal lengths in a batch", pipe, theirs, PROMPTS, **options)


@pytest.mark.parametrize(("width", "height"), [(32, 80), (112, 48), (16, 16)])
def test_sizes(pipe: Pipeline, theirs: Any, width: int, height: int) -> None:
    compare("Z-Image, sizes that are not square", pipe, theirs, PROMPTS[:1], width=width, height=height)


@pytest.mark.parametrize(
    "options",
    [{"cfg_normalization": 0.9}, {"cfg_normalization": True, "negative_prompt": NEGATIVES}, {"cfg_truncation": 0.3}],
)
def test_guidance_with_normalisation_and_truncation(pipe: Pipeline, theirs: Any, options: dict[str, Any]) -> None:
    case = "Z-Image, guidance with truncation" if "cfg_truncation" in options else "Z-Image, normalised guidance"
    compare(case, pipe, theirs, PROMPTS, guidance_scale=6.0, **options)


def test_normalisation_and_truncation_together(pipe: Pipeline, theirs: Any) -> None:
    options: dict[str, Any] = {"cfg_normalization": 0.8, "cfg_truncation": 0.4}
    compare("Z-Image, normalised and truncated guidance", pipe, theirs, PROMPTS, guidance_scale=6.0, **options)
