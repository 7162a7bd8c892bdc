"""A checkpoint of the released size, without its data: sparse shards whose bytes the disk does not hold."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mezzotint.models.single_stream import Z_IMAGE_6B, published_shapes

SHARDS = 3
MOST = 2 * 2**30


def write_sparse(folder: Path) -> Path:
    """Z-Image's transformer in bfloat16, 12.3 GB of zeros, as the release has it."""
    folder.mkdir()
    shapes = published_shapes(Z_IMAGE_6B)
    names = sorted(shapes)
    weight_map = {}
    for number in range(SHARDS):
        header, end = {}, 0
        file = f"diffusion_pytorch_model-{number + 1:05d}-of-{SHARDS:05d}.safetensors"
        for name in names[number * len(names) // SHARDS : (number + 1) * len(names) // SHARDS]:
            start, end = end, end + 2 * _count(shapes[name])
            header[name] = {"dtype": "BF16", "shape": shapes[name], "data_offsets": [start, end]}
            weight_map[name] = file
        raw = json.dumps(header).encode()
        raw += b" " * (-len(raw) % 8)
        with (folder / file).open("wb") as stream:
            stream.write(len(raw).to_bytes(8, "little") + raw)
            stream.truncate(8 + len(raw) + end)
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(Z_IMAGE_6B.to_json()))
    return folder


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for axis in shape:
        count *= axis
    return count


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("full") / "transformer")


def test_inspect_reads_headers_only(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "mezzotint", "inspect", str(checkpoint), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    (network,) = found["networks"]
    assert (network["tensors"], network["parameters"]) == (521, 6_154_908_736)
    assert (network["network"], network["dialect"]) == ("Z-Image transformer", "diffusers")


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

from mezzotint.generation.loading import load_transformer
threading.Thread(target=watch, daemon=True).start()
network = load_transformer(Path(sys.argv[1]), device="meta")
print(sum(parameter.numel() for parameter in network.parameters()), most)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_loading_to_another_device_holds_one_tensor_at_a_time(checkpoint: Path) -> None:
    """Every tensor is read and fused; where it goes, here nowhere, is another device's memory."""
    run = subprocess.run([sys.executable, "-c", LOADING, str(checkpoint)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    parameters, most = map(int, run.stdout.split())
    assert parameters == 6_154_908_736
    assert most < MOST
