import time
from pathlib import Path

import pytest
import torch
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.profile import ELSE, Profile, profiling

CPU = torch.device("cpu")
OPTIONS = {"seed": 1, "num_inference_steps": 3, "guidance_scale": 2.0, "width": 32, "height": 32}


def test_time_within_a_part_is_not_also_the_outer_ones() -> None:
    profile = Profile(CPU)
    with profile.part("outer"):
        time.sleep(0.02)
        for _ in range(2):
            with profile.part("inner"):
                time.sleep(0.05)
    outer, inner = profile.parts["outer"], profile.parts["inner"]
    assert (outer.calls, inner.calls) == (1, 2)
    assert 0.02 <= outer.seconds < 0.09 < inner.seconds
    assert min(outer.memory, inner.memory) > 1 << 20


def test_the_parts_of_a_picture(pipe: Pipeline) -> None:
    before = dict(vars(pipe.transformer)), dict(vars(pipe.autoencoder)), pipe.transformer.stack
    plain = pipe("a red disc", **OPTIONS, output_type="pt").images
    with profiling(pipe) as profile:
        found = pipe("a red disc", **OPTIONS, output_type="pt").images
    assert torch.equal(found, plain)
    calls = {name: spent.calls for name, spent in profile.parts.items()}
    assert calls == {
        ELSE: 1,
        "text encoder": 1,
        "caption refiner": 1,
        "embeddings, modulation, final layer": 3,
        "noise refiner": 3,
        "layers": 3,
        "layers: attention": 6,
        "layers: feed-forward": 6,
        "VAE decoder": 1,
    }
    assert (dict(vars(pipe.transformer)), dict(vars(pipe.autoencoder)), pipe.transformer.stack) == before
    lines = profile.table().splitlines()
    assert len(lines) == len(calls) + 2
    assert lines[-1].startswith("all")


def test_a_failure_leaves_the_pipeline_as_it_was(pipe: Pipeline) -> None:
    before = dict(vars(pipe.transformer))
    with pytest.raises(ZeroDivisionError), profiling(pipe):
        raise ZeroDivisionError
    assert dict(vars(pipe.transformer)) == before


def test_a_dual_stream_has_its_parts(tmp_path: Path) -> None:
    pipe = Pipeline.from_pretrained(write_qwen_image(tmp_path / "model"), "cpu", "float32")
    with profiling(pipe) as profile:
        pipe("a red disc", **OPTIONS)
    assert {"text encoder", "caption refiner", "layers", "layers: feed-forward"} <= profile.parts.keys()
