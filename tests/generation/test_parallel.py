"""Two processes on one machine (gloo) make the pictures of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.generation import parallel_pictures
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.generation.pipeline import Pipeline

TOLERANCE = 1e-4


def made_by_two(model: Path, how: str, out: Path) -> list[list[torch.Tensor]]:
    """What each process made."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [parallel_pictures.__file__, str(model), how, str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *script], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return [torch.load(out / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("how", ["sequence", "guidance"])
def test_two_processes_make_the_pictures_of_one(model: Path, how: str, tmp_path: Path) -> None:
    compare(model, how, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sequence", "guidance"])
def test_so_do_those_of_a_dual_stream(how: str, tmp_path: Path) -> None:
    compare(write_qwen_image(tmp_path / "model"), how, tmp_path)


def compare(model: Path, how: str, out: Path) -> None:
    alone = Pipeline.from_pretrained(model, "cpu", "float32")
    prompts, options = parallel_pictures.PROMPTS, parallel_pictures.OPTIONS
    expected = [alone(some, **options).images for some in (prompts[:1], prompts)]
    expected.append(alone(prompts[0], **options | {"guidance_scale": 0.0}).images)
    for found in made_by_two(model, how, out):
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=TOLERANCE)
