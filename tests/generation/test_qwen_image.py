from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import QwenImagePipeline
from safetensors.torch import save_file
from tests.generation.pictures import photograph
from tests.generation.qwen_image_oracle import assert_parity, opened_by_diffusers
from tests.generation.tiny_qwen_image import DEFAULTS, write_qwen_image
from torch import Tensor

from mezzotint.errors import InputError
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


def test_a_prompt_that_is_cut(pipe: Pipeline, theirs: Any) -> None:
    options: dict[str, Any] = {"num_inference_steps": 3, "width": 64, "height": 64, "max_sequence_length": 20}
    options |= {"true_cfg_scale": 4.0, "negative_prompt": "blue " * 30}
    assert_parity(
        "Qwen-Image, prompts cut to 20 tokens",
        pipe,
        theirs,
        lambda: pipe(PROMPTS[1], seed=3, output_type="np", **options),
        lambda: theirs(PROMPTS[1], generator=torch.Generator().manual_seed(3), output_type="np", **options),
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


def latents(pipe: Pipeline, prompt: str | list[str] = "a red disc", **options: Any) -> Tensor:
    result: Tensor = pipe(prompt, output_type="latent", **({"seed": 0} | options)).images
    return result


class TestCalls:
    def test_defaults_are_the_models(self, pipe: Pipeline) -> None:
        (picture,) = pipe("a red disc", seed=0).images
        assert picture.size == (DEFAULTS["width"], DEFAULTS["height"])
        explicit = pipe(
            "a red disc",
            seed=0,
            negative_prompt=" ",
            num_inference_steps=DEFAULTS["steps"],
            guidance_scale=DEFAULTS["guidance"],
            width=DEFAULTS["width"],
            height=DEFAULTS["height"],
        )
        np.testing.assert_array_equal(picture, explicit.images[0])

    def test_alone_or_in_a_batch(self, pipe: Pipeline) -> None:
        prompts = [*PROMPTS, "二"]
        together = latents(pipe, prompts, seed=4, num_images_per_prompt=2)
        for place, (prompt, seed) in enumerate((prompt, seed) for prompt in prompts for seed in (4, 5)):
            torch.testing.assert_close(together[place], latents(pipe, prompt, seed=seed)[0], atol=1e-4, rtol=0)

    def test_the_negative_prompt_acts_with_guidance_only(self, pipe: Pipeline) -> None:
        plain = latents(pipe, guidance_scale=1.0)
        assert torch.equal(plain, latents(pipe, guidance_scale=0.0))
        assert torch.equal(plain, latents(pipe, guidance_scale=1.0, negative_prompt="blue"))
        assert not torch.allclose(latents(pipe), latents(pipe, negative_prompt="blue"))

    def test_long_prompts(self, pipe: Pipeline) -> None:
        long = "disc " * 1100
        with pytest.raises(InputError, match="more than the 1024 tokens that this model takes: 'disc disc"):
            pipe(long, seed=0)
        cut = latents(pipe, long, max_sequence_length=60)
        torch.testing.assert_close(cut, latents(pipe, long + "sea", max_sequence_length=60))
        assert not torch.allclose(cut, latents(pipe, long, max_sequence_length=61))

    def test_bfloat16_is_near(self, model: Path, pipe: Pipeline) -> None:
        small = Pipeline.from_pretrained(model, device="cpu", dtype=torch.bfloat16)
        assert small.dtype == torch.bfloat16
        rounded = latents(small)
        assert rounded.dtype == torch.float32
        assert 0 < (rounded - latents(pipe)).abs().mean() < 0.1

    def test_a_lora_and_out_again(self, pipe: Pipeline, tmp_path: Path) -> None:
        key = "transformer.transformer_blocks.0.attn.to_v"
        state = {f"{key}.lora_A.weight": torch.ones(2, 48), f"{key}.lora_B.weight": 0.3 * torch.ones(48, 2)}
        save_file(state, tmp_path / "x.safetensors")
        before = latents(pipe)
        pipe.load_lora([(tmp_path / "x.safetensors", 1.0)])
        assert not torch.allclose(latents(pipe), before)
        pipe.unload_lora()
        assert torch.equal(latents(pipe), before)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"width": 40}, "width is 40; it must be a multiple of 16"),
        ({"height": 0}, "height is 0"),
        ({"width": 16 * 8192}, "width is 131072; this model goes up to 98304"),
        ({"image": photograph(32, 32)}, "makes pictures from text alone: a Qwen-Image-Edit model edits"),
        ({"guidance_scale": -1.0}, r"guidance is -1.0; it must be 0 or more \(1 is none\)"),
        ({"guidance_scale": 2.0, "true_cfg_scale": 2.0}, "give one of them"),
        ({"prompt": "a <|image_pad|>"}, "1 places for pictures"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(**({"prompt": "a red disc", "seed": 0} | options))
