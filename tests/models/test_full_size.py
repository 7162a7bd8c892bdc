"""Checkpoints of the released sizes, without their data: sparse shards whose bytes the disk does not hold."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from tests.models.vision_language.small_tower import small_tokenizer

from mezzotint.models import autoencoder, dual_stream, single_stream, text, vision_language

SHARDS = 3
MOST = 2 * 2**30
Shapes = Mapping[str, tuple[int, ...]]


class Released(NamedTuple):
    """A component of a release: what is in its files, and what `inspect` says of it.

    Attributes:
        tensors, parameters: How many. load: Code that makes `network` of the folder `path`.
    """

    shapes: Shapes
    config: dict[str, Any]
    network: str
    tensors: int
    parameters: int
    load: str


def shapes_of(network: torch.nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def released() -> dict[str, Released]:
    with torch.device("meta"):
        pictures = autoencoder.QwenImageAutoencoder(autoencoder.QWEN_IMAGE)
        tower = vision_language.VisionLanguageTower(vision_language.QWEN2_5_VL_7B, small_tokenizer())
    language = tower.config.language
    output = {"lm_head.weight": (language.vocab_size, language.hidden_size)}
    return {
        "z-image": Released(
            single_stream.published_shapes(single_stream.Z_IMAGE_6B),
            single_stream.Z_IMAGE_6B.to_json(),
            "Z-Image transformer",
            521,
            6_154_908_736,
            "from mezzotint.generation.loading import load_transformer; "
            "network = load_transformer(path, device='meta')",
        ),
        "qwen-image": Released(
            dual_stream.published_shapes(dual_stream.QWEN_IMAGE),
            dual_stream.QWEN_IMAGE.to_json(),
            "Qwen-Image transformer",
            1933,
            20_430_401_088,
            "from mezzotint.generation.loading_qwen_image import load_transformer; "
            "network = load_transformer(path, device='meta')",
        ),
        "qwen-image's autoencoder": Released(
            shapes_of(pictures),
            pictures.config.to_json(),
            "AutoencoderKLQwenImage",
            194,
            126_892_531,
            "from mezzotint.generation.loading_qwen_image import load_autoencoder; "
            "network = load_autoencoder(path, device='meta')",
        ),
        "qwen-image's text encoder": Released(
            {name: tuple(x.shape) for name, x in vision_language.to_published(tower.state_dict()).items()} | output,
            tower.config.to_json(),
            "Qwen2.5-VL text encoder",
            729,
            8_292_166_656,
            "from mezzotint.generation.loading_qwen_image import load_text_encoder; "
            "network = load_text_encoder(path, device='meta', tokenizer=path, vision=True)",
        ),
    }


RELEASED = released()


def write_sparse(folder: Path, release: Released) -> Path:
    """A component in bfloat16, all zeros, as the release has it."""
    folder.mkdir()
    names = sorted(release.shapes)
    weight_map = {}
    for number in range(SHARDS):
        header, end = {}, 0
        file = f"diffusion_pytorch_model-{number + 1:05d}-of-{SHARDS:05d}.safetensors"
        for name in names[number * len(names) // SHARDS : (number + 1) * len(names) // SHARDS]:
            start, end = end, end + 2 * _count(release.shapes[name])
            header[name] = {"dtype": "BF16", "shape": release.shapes[name], "data_offsets": [start, end]}
            weight_map[name] = file
        raw = json.dumps(header).encode()
        raw += b" " * (-len(raw) % 8)
        with (folder / file).open("wb") as stream:
            stream.write(len(raw).to_bytes(8, "little") + raw)
            stream.truncate(8 + len(raw) + end)
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(release.config))
    text.save_tokenizer(small_tokenizer(), folder)
    return folder


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for axis in shape:
        count *= axis
    return count


@pytest.fixture(scope="module", params=RELEASED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def checkpoint(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("full") / "component", RELEASED[name])


def test_inspect_reads_headers_only(name: str, checkpoint: Path) -> None:
    command = [sys.executable, "-m", "mezzotint", "inspect", str(checkpoint), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    (network,) = found["networks"]
    release = RELEASED[name]
    assert (network["network"], network["tensors"], network["parameters"]) == release[2:5]


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

path = Path(sys.argv[1])
import mezzotint.generation.pipeline
threading.Thread(target=watch, daemon=True).start()
{load}
print(sum(parameter.numel() for parameter in network.parameters()), most)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_loading_to_another_device_holds_one_tensor_at_a_time(name: str, checkpoint: Path) -> None:
    """Every tensor is read and fused; where it goes, here nowhere, is another device's memory."""
    release = RELEASED[name]
    script = LOADING.replace("{load}", release.load)
    run = subprocess.run([sys.executable, "-c", script, str(checkpoint)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    parameters, most = map(int, run.stdout.split())
    unused = _count(release.shapes["lm_head.weight"]) if "lm_head.weight" in release.shapes else 0
    assert parameters == release.parameters - unused
    assert most < MOST
