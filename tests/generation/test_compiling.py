import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.generation import compiled_pictures
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.generation.compiling import compile_network

RECOMPILATIONS = 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["frozen", "shared"])
def test_twelve_sizes_and_prompts_are_compiled_once(model: Path, how: str, tmp_path: Path) -> None:
    check(model, how, tmp_path)


@pytest.mark.slow
def test_so_is_a_dual_stream(tmp_path: Path) -> None:
    check(write_qwen_image(tmp_path / "model"), "shared", tmp_path)


def check(model: Path, how: str, folder: Path) -> None:
    script = [sys.executable, compiled_pictures.__file__, str(model), str(folder / "made.pt"), how]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    made = torch.load(folder / "made.pt")
    first, last = made["graphs"][0], made["graphs"][-1]
    assert first > 0
    assert last - first <= RECOMPILATIONS, made["graphs"]
    for ours, eager in zip(made["found"], made["expected"], strict=True):
        torch.testing.assert_close(ours, eager, rtol=0, atol=1e-3)


def test_other_modules_are_no_networks() -> None:
    with pytest.raises(AssertionError, match="Linear"):
        compile_network(torch.nn.Linear(1, 1), frozen=False)
