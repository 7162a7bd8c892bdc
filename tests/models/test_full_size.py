"""Checkpoints of the released sizes are read lazily, in whatever file they are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.models.full_size import LAYOUTS, RELEASED, WRITERS, Released, Shapes, count, in_dialect
from tests.models.vision_language.small_tower import small_tokenizer

from mezzotint.models import text

MOST = 2 * 2**30
OUTPUTS = ("lm_head.weight", "output.weight")  # of a language model; nobody reads it


class Case(NamedTuple):
    """A release in a kind of file."""

    release: Released
    layout: str
    path: Path


@pytest.fixture(
    scope="module",
    params=[(name, layout) for name, layouts in LAYOUTS.items() for layout in layouts],
    ids=lambda names: ", ".join(names),
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name, layout = request.param
    return Case(RELEASED[name], layout, WRITERS[layout](tmp_path_factory.mktemp("full"), RELEASED[name]))


def tensors_of(case: Case) -> Shapes:
    """The network's tensors in the file."""
    if case.layout == "Q8_0" and case.release.place == "text_encoder":
        return in_dialect(case.release, "llama.cpp")  # whose file has no vision tower
    return {name: shape for name, shape in case.release.shapes.items() if name != OUTPUTS[0]}


def test_counts_are_the_releases() -> None:
    for name, release in RELEASED.items():
        assert (len(release.shapes), count(release.shapes)) == (release.tensors, release.parameters), name


def test_inspect_reads_headers_only(case: Case) -> None:
    command = [sys.executable, "-m", "mezzotint", "inspect", str(case.path), "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    (network,) = found["networks"] or [{"network": None, "parameters": found["parameters"]}]
    is_folder = case.path.is_dir()
    assert network["network"] == case.release.network
    assert network["parameters"] == (case.release.parameters if is_folder else count(tensors_of(case)))


LOADING = """
import sys, threading, time
from pathlib import Path

def resident():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

most = 0
def watch():
    global most
    while True:
        most = max(most, resident())
        time.sleep(0.005)

path, tokenizer = map(Path, sys.argv[1:3])
variant, vision = sys.argv[3] or None, sys.argv[4] == "True"
import torch
import mezzotint.generation.pipeline
threading.Thread(target=watch, daemon=True).start()
{load}
print(sum(parameter.numel() for parameter in network.parameters()), most)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_loading_to_another_device_holds_one_tensor_at_a_time(case: Case, tmp_path: Path) -> None:
    """Every tensor is read and fused; where it goes, here nowhere, is another device's memory."""
    text.save_tokenizer(small_tokenizer(), tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"patch_size": 16, "max_num_patches": 256}')
    variant, sees = "fp16" if case.layout == "variant" else "", str(case.layout != "Q8_0")
    script = LOADING.replace("{load}", case.release.load)
    command = [sys.executable, "-c", script, str(case.path), str(tmp_path), variant, sees]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    parameters, most = map(int, run.stdout.split())
    assert parameters == count({name: shape for name, shape in tensors_of(case).items() if name not in OUTPUTS})
    assert most < MOST
