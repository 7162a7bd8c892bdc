from pathlib import Path

import pytest
import torch
from tests.generation.pictures import photograph
from tests.generation.tiny_control import write_controls
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.errors import InputError
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.step_caching import step_caching

OPTIONS = {"seed": 1, "num_inference_steps": 30, "guidance_scale": 2.0, "output_type": "latent"}


def latents(pipe: Pipeline, cache: float) -> torch.Tensor:
    return pipe(["a red disc", "a blue box on a table"], **OPTIONS, cache=cache).images


def test_a_threshold_that_is_never_met_changes_nothing(pipe: Pipeline) -> None:
    torch.testing.assert_close(latents(pipe, 1e-9), latents(pipe, 0.0), rtol=1e-5, atol=1e-6)


def test_skipped_steps_change_the_picture_and_the_network_stays_as_it_was(pipe: Pipeline) -> None:
    stack, full = pipe.transformer.stack, latents(pipe, 0.0)
    cached = latents(pipe, 0.9)
    assert 0 < (cached - full).abs().mean() < full.abs().mean()
    assert pipe.transformer.stack is stack


def test_steps_are_skipped(pipe: Pipeline) -> None:
    with step_caching(pipe.transformer, 0.9) as cache:  # of a network with random weights, which changes fast
        latents(pipe, 0.0)
    assert cache.steps == 30
    assert 0 < cache.skipped < 30


def test_layers_of_a_dual_stream_are_skipped_too(tmp_path: Path) -> None:
    pipe = Pipeline.from_pretrained(write_qwen_image(tmp_path / "model"), "cpu", "float32")
    full = latents(pipe, 0.0)
    torch.testing.assert_close(latents(pipe, 1e-9), full, rtol=1e-5, atol=1e-6)
    assert not torch.equal(latents(pipe, 0.9), full)


def test_hints_reach_the_layers_they_are_for(model: Path, tmp_path: Path) -> None:
    """The first layer's and the others', which run apart from it."""
    control = write_controls(tmp_path)["2.1"]
    pipe = Pipeline.from_pretrained(model, "cpu", "float32", controlnet=control)
    options = OPTIONS | {"control_image": photograph(48, 32)}
    led = pipe("a red disc", **options).images
    torch.testing.assert_close(pipe("a red disc", **options, cache=1e-9).images, led, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_impossible_thresholds_are_refused(pipe: Pipeline, threshold: float) -> None:
    with pytest.raises(InputError, match="cache"):
        latents(pipe, threshold)


def test_processes_that_divide_a_batch_would_skip_different_steps(
    pipe: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.model, "divide", lambda network: network)
    with pytest.raises(InputError, match="leave one out"):
        pipe("a red disc", **OPTIONS, cache=0.1)
