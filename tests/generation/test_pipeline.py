import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.generation.oracle import opened_by_diffusers
from tests.generation.tiny_model import DEFAULTS
from torch import Tensor

from mezzotint.errors import FileFormatError, InputError, MissingFileError, UnknownModelError
from mezzotint.generation import batches
from mezzotint.generation.model_kinds import model_class
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.z_image import ZImage
from mezzotint.models import bundle
from mezzotint.models.bundle import read_weights
from mezzotint.models.sources import as_sources
from mezzotint.runtime.seeds import picture_noise

PROMPTS = ["a red disc", "two blue boxes on a large yellow table, behind them the sea and a small white boat"]
MINI = bundle.EMBEDDED / "mini"
TWO_PICTURES = 2 * 6 * 2  # tokens: pictures of 2 x 3 patches, two guidance branches
SAME = 1e-4  # between pictures in [0, 1] that differ only in how they were batched


def grey_levels(one: Any, other: Any) -> int:
    """The largest difference of two lists of pictures, in grey levels of 255."""
    return max(
        int(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max()) for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def theirs(model: Path) -> Any:
    return opened_by_diffusers(model)


class TestDiffusers:
    """diffusers opens the same folder and makes the same pictures."""

    def test_the_same_seed(self, pipe: Pipeline, theirs: Any) -> None:
        generator = torch.Generator("cpu").manual_seed(11)
        expected = theirs(
            PROMPTS[0], num_inference_steps=4, guidance_scale=2.0, height=48, width=32, generator=generator
        )
        ours = pipe(PROMPTS[0], num_inference_steps=4, guidance_scale=2.0, seed=11)
        assert grey_levels(ours.images, expected.images) <= 2

    def test_the_pictures_are_not_all_alike(self, pipe: Pipeline) -> None:
        one, other = pipe(PROMPTS, seed=0).images
        assert grey_levels([one], [other]) > 8
        assert np.asarray(one).std() > 8


@pytest.mark.skipif(not (MINI / bundle.INDEX).is_file(), reason="the mini bundle is not there")
def test_the_mini_in_diffusers() -> None:
    ours, theirs = Pipeline.from_pretrained("mini", device="cpu", dtype="float32"), opened_by_diffusers(MINI)
    channels, rows, columns = 16, ours.defaults.height // 8, ours.defaults.width // 8
    latents = picture_noise(0, (2, channels, rows, columns))
    prompts = ["a red apple", "一只猫坐在蓝色背景上，旁边有三个苹果 and a dog on the left of a house"]
    common = {"num_inference_steps": 6, "guidance_scale": 4.0, "latents": latents}
    size = {"width": ours.defaults.width, "height": ours.defaults.height}
    assert grey_levels(ours(prompts, **common, **size).images, theirs(list(prompts), **common, **size).images) <= 2


class TestCalls:
    def test_defaults_are_the_models(self, pipe: Pipeline) -> None:
        (picture,) = pipe("a red disc", seed=0).images
        assert isinstance(picture, Image.Image)
        assert picture.size == (DEFAULTS["width"], DEFAULTS["height"])
        explicit = pipe("a red disc", seed=0, num_inference_steps=3, guidance_scale=2.0, width=32, height=48)
        assert grey_levels([picture], explicit.images) == 0

    def test_alone_or_in_a_batch(self, pipe: Pipeline) -> None:
        prompts = [*PROMPTS, "二", PROMPTS[0]]
        together = pipe(prompts, seed=4, num_images_per_prompt=2, output_type="pt")
        assert together.seeds == [4, 5] * 4
        for place, (prompt, seed) in enumerate((prompt, seed) for prompt in prompts for seed in (4, 5)):
            alone = pipe(prompt, seed=seed, output_type="pt").images[0]
            torch.testing.assert_close(together.images[place], alone, atol=SAME, rtol=0)

    def test_in_several_batches(self, pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = pipe(PROMPTS, seed=0, num_images_per_prompt=3, output_type="pt").images
        monkeypatch.setattr(batches, "CPU_BATCH_TOKENS", TWO_PICTURES)
        monkeypatch.setattr(batches, "DECODED_PIXELS", 1)
        parts = pipe(PROMPTS, seed=0, num_images_per_prompt=3, output_type="pt").images
        torch.testing.assert_close(parts, whole, atol=SAME, rtol=0)

    def test_each_caption_is_encoded_once(self, pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        encoded: list[str] = []
        encode = pipe.text.encode

        def counting(prompts: list[str], max_tokens: int) -> list[Tensor]:
            encoded.extend(prompts)
            return encode(prompts, max_tokens=max_tokens)

        monkeypatch.setattr(pipe.text, "encode", counting)
        monkeypatch.setattr(batches, "CPU_BATCH_TOKENS", TWO_PICTURES)
        pipe(PROMPTS, num_images_per_prompt=3)
        assert sorted(encoded) == sorted(["", *PROMPTS])

    def test_a_chosen_seed_is_told(self, pipe: Pipeline) -> None:
        first = pipe("a red disc")
        again = pipe("a red disc", seed=first.seeds[0])
        assert grey_levels(first.images, again.images) == 0
        assert pipe("a red disc").seeds != first.seeds

    def test_latents_come_back_and_go_in(self, pipe: Pipeline) -> None:
        latents = pipe("a red disc", seed=0, output_type="latent").images
        assert latents.shape == (1, 16, 6, 4)
        assert latents.dtype == torch.float32
        assert not latents.is_inference()
        decoded = pipe.decode(latents)
        assert torch.equal((decoded / 2 + 0.5).clamp(0, 1), pipe("a red disc", seed=0, output_type="pt").images)
        given = pipe("a red disc", latents=picture_noise(0, (1, 16, 6, 4)), output_type="latent")
        assert given.seeds == [None]
        torch.testing.assert_close(given.images, latents, atol=1e-5, rtol=0)

    def test_the_negative_prompt_acts_with_guidance_only(self, pipe: Pipeline) -> None:
        def latents(**options: Any) -> Tensor:
            return pipe("a red disc", seed=0, output_type="latent", **options).images

        assert torch.equal(latents(guidance_scale=0.0), latents(guidance_scale=0.0, negative_prompt="blue"))
        assert not torch.allclose(latents(guidance_scale=2.0), latents(guidance_scale=2.0, negative_prompt="blue"))

    def test_the_sampler_is_selectable(self, pipe: Pipeline) -> None:
        def latents(steps: int, sampler: str) -> Tensor:
            options: dict[str, Any] = {"num_inference_steps": steps, "output_type": "latent"}
            return pipe("a red disc", seed=0, sampler=sampler, **options).images

        assert torch.equal(latents(1, "multistep"), latents(1, "euler"))
        assert not torch.allclose(latents(3, "multistep"), latents(3, "euler"))

    def test_long_prompts(self, pipe: Pipeline) -> None:
        long = "disc " * 300
        with pytest.raises(InputError, match="more than the 224 tokens that this model takes: 'disc disc"):
            pipe(long, seed=0)
        assert pipe(long, seed=0, max_sequence_length=60).images

    def test_bfloat16_is_near(self, model: Path, pipe: Pipeline) -> None:
        small = Pipeline.from_pretrained(model, device="cpu", dtype=torch.bfloat16)
        assert small.dtype == torch.bfloat16
        ours, exact = (p("a red disc", seed=0, output_type="latent").images for p in (small, pipe))
        assert ours.dtype == torch.float32
        assert 0 < (ours - exact).abs().mean() < 0.1


class TestCallback:
    def test_every_step_is_told(self, pipe: Pipeline) -> None:
        seen: list[tuple[int, float]] = []

        def callback(told: Pipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]) -> None:
            assert told is pipe
            assert tensors["latents"].shape == (1, 16, 6, 4)
            seen.append((step, float(timestep)))

        pipe("a red disc", callback_on_step_end=callback)
        assert [step for step, _ in seen] == [0, 1, 2]
        assert seen[0][1] == 1000.0

    def test_it_may_change_the_latents(self, pipe: Pipeline) -> None:
        def callback(told: Pipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"latents": torch.full_like(tensors["latents"], float(step))}

        result = pipe("a red disc", callback_on_step_end=callback, output_type="latent")
        assert torch.equal(result.images, torch.full_like(result.images, 2.0))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"width": 40}, "width is 40; it must be a multiple of 16"),
        ({"height": 0}, "height is 0"),
        ({"width": -16}, "width is -16"),
        ({"width": 16 * 17}, "width is 272; this model goes up to 256"),
        ({"num_inference_steps": 0}, "steps is 0"),
        ({"num_images_per_prompt": 0}, "count is 0"),
        ({"guidance_scale": -1.0}, "guidance is -1"),
        ({"sampler": "heun"}, "no sampler 'heun'"),
        ({"output_type": "jpg"}, "no output type 'jpg'"),
        ({"prompt": []}, "there is no prompt"),
        ({"negative_prompt": ["a", "b"]}, "2 negative prompts do not match 1 prompts"),
        ({"seed": 1, "generator": torch.Generator()}, "give one of them"),
        ({"latents": torch.zeros(1, 16, 6, 5)}, "this call needs"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(**({"prompt": "a red disc"} | options))


class TestKinds:
    def test_the_folder_says_what_the_model_is(self, pipe: Pipeline) -> None:
        assert isinstance(pipe.model, ZImage)

    def test_another_kind_of_model(self, model: Path, tmp_path: Path) -> None:
        copied = Path(shutil.copytree(model, tmp_path / "copy"))
        (copied / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
        with pytest.raises(FileFormatError, match="the model is a FluxPipeline, supported here: ZImagePipeline"):
            Pipeline.from_pretrained(copied, device="cpu")

    def test_a_missing_index(self, model: Path) -> None:
        with pytest.raises(MissingFileError, match=r"model_index\.json is missing"):
            model_class(as_sources(model / "vae"))


def test_an_unknown_model() -> None:
    with pytest.raises(UnknownModelError, match="'nothing'"):
        Pipeline.from_pretrained("nothing")


@pytest.fixture
def lora(model: Path, tmp_path: Path) -> Path:
    """On the values of all layers, strong enough to be seen."""
    generator, tensors = torch.Generator().manual_seed(0), {}
    for name, weight in read_weights(model / "transformer").items():
        if name.endswith("to_v.weight"):
            key = f"transformer.{name.removesuffix('.weight')}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(2, weight.shape[1], generator=generator)
            tensors[f"{key}.lora_B.weight"] = torch.randn(weight.shape[0], 2, generator=generator)
    save_file(tensors, path := tmp_path / "lora.safetensors")
    return path


@pytest.mark.slow
def test_compiled_makes_the_same_pictures(model: Path, tmp_path: Path, lora: Path) -> None:
    """With a LoRA too, and without it again. The jaxtyping hook and torch.compile do not mix: a process of its own."""
    script = (
        "import sys, numpy; from mezzotint import Pipeline\n"
        "for compile in (False, True):\n"
        "    pipe = Pipeline.from_pretrained(sys.argv[1], 'cpu', 'float32', compile=compile)\n"
        "    for step, loras in enumerate(([], [(sys.argv[2], 1.0)], [])):\n"
        "        pipe.load_lora(loras)\n"
        "        numpy.save(f'{sys.argv[3]}/{compile}-{step}', pipe('a red disc', seed=5, output_type='np').images)"
    )
    subprocess.run([sys.executable, "-c", script, str(model), str(lora), str(tmp_path)], check=True)
    eager, compiled = ([np.load(tmp_path / f"{how}-{step}.npy") for step in range(3)] for how in (False, True))
    assert np.abs(eager[1] - eager[0]).max() > 8 / 255
    for expected, found in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(found, expected, atol=2 / 255)
