"""The planner's prediction beside what was measured: a random model, a plan a process, the most that it held.

    python -m benchmarks.memory [--scale 1.0] [--side 256] [--write docs/memory.md]

The device is the processor: measured is the anonymous memory of a process (RssAnon), from its start to its end, sampled
every few milliseconds; what it maps from files counts nothing. At scale 1 the model has 0.7 billion parameters.

Then what is predicted for Z-Image-Turbo on a GPU: files of its sizes without their data are all that this needs.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.timing import machine
from torch import nn

from mezzotint.errors import InputError
from mezzotint.generation.memory_plan import Workload, parse_memory, plan_memory
from mezzotint.models import autoencoder, bundle, single_stream, text
from mezzotint.models.sources import as_sources
from mezzotint.runtime import atomic

PLANS: tuple[dict[str, Any], ...] = (
    {"quantize": None, "offload": "none"},
    {"quantize": None, "offload": "model"},
    {"quantize": None, "offload": "block"},
    {"quantize": "int8", "offload": "none"},
    {"quantize": "svdquant", "offload": "text-encoder"},
    {"quantize": "nf4", "offload": "block"},
)
TRANSFORMER = replace(single_stream.Z_IMAGE_6B, dim=1536, n_heads=12, n_layers=14, cap_feat_dim=1024)
TEXT = replace(
    text.QWEN3_4B, vocab_size=4096, hidden_size=1024, intermediate_size=3072, num_hidden_layers=14,
    num_attention_heads=16, num_key_value_heads=8,
)  # fmt: skip

BUDGETS = ("24GB", "16GB", "12GB", "8GB", "6GB", "4GB")

MEASURING = """
import json, sys, threading, time
from pathlib import Path

def resident():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

most = 0
def watch():
    global most
    while True:
        most = max(most, resident())
        time.sleep(0.003)

folder, side, options = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
import mezzotint.generation.pipeline
from mezzotint.generation.memory_plan import Workload
plans = []
threading.Thread(target=watch, daemon=True).start()
start = time.perf_counter()
pipe = mezzotint.Pipeline.from_pretrained(
    folder, "cpu", "bfloat16", memory="64GB", on_plan=plans.append, **options,
    workload=Workload(width=side, height=side, pictures=1),
)
loaded = time.perf_counter()
pipe("a red apple on a wooden table", seed=0, num_inference_steps=1, guidance_scale=2.0, width=side, height=side)
print(json.dumps({
    "predicted": plans[0].peak, "phases": plans[0].phases, "measured": most,
    "loading": loaded - start, "picture": time.perf_counter() - loaded,
}))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--side", type=int, default=256)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        measured = report(write_model(Path(folder) / "random", args.scale), args.side)
        for line in (*measured, *predictions(write_released_sizes(Path(folder) / "Z-Image-Turbo"))):
            print(line, flush=True)
            lines.append(line)
    if args.write:
        args.write.write_text("\n".join(lines) + "\n")


def report(model: Path, side: int) -> Iterator[str]:
    """The page, line by line."""
    parameters = sum(path.stat().st_size for path in model.glob("*/*.safetensors")) / 2e9
    yield "# Memory, predicted and measured\n"
    yield "`python -m benchmarks.memory --write docs/memory.md` measures and writes this page.\n"
    yield f"{machine()}.\n"
    yield f"""A random model of {parameters:.2f} billion parameters in bf16, one picture of {side}×{side} with guidance.
A plan is made from configurations, before anything is loaded; measured is the most anonymous memory that the process
held, its libraries included.
"""
    yield "| weights | offload | predicted, GB | measured, GB | ratio | loading, s | one step and decoding, s |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for plan in PLANS:
        command = [sys.executable, "-c", MEASURING, str(model), str(side), json.dumps(plan)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        predicted, measured = found["predicted"] / 1e9, found["measured"] / 1e9
        yield (
            f"| {plan['quantize'] or 'bf16'} | {plan['offload']} | {predicted:.2f} | {measured:.2f} "
            f"| {predicted / measured:.2f} | {found['loading']:.0f} | {found['picture']:.0f} |"
        )


def predictions(model: Path) -> Iterator[str]:
    """What is planned for a GPU with less and less memory."""
    yield "\n## Z-Image-Turbo, predicted\n"
    yield """1024×1024 in bf16 without guidance, from the prompt to the picture, text encoder included. For a GPU, from
shapes alone, without what CUDA itself takes; not measured: no GPU was at hand.
"""
    yield "| `--memory` | weights | `--offload` | decoded | at most, GB | phase |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for budget in BUDGETS:
        work = Workload(width=1024, height=1024, pictures=1, branches=1)
        try:
            plan = plan_memory(
                as_sources(model), torch.device("cuda"), torch.bfloat16, work, memory=parse_memory(budget)
            )
        except InputError as cause:
            yield f"| {budget} | {cause} | | | | |"
            continue
        phase = max(plan.phases, key=plan.phases.__getitem__)
        weights, decoded = plan.placement.quantize or "as they are", "whole" if plan.tile is None else "in tiles"
        yield f"| {budget} | {weights} | {plan.placement.offload} | {decoded} | {plan.peak / 1e9:.1f} | {phase} |"


def write_model(folder: Path, scale: float) -> Path:
    """A folder in Z-Image's layout, every matrix random, in bf16; `scale` is of its layers."""
    transformer = replace(TRANSFORMER, n_layers=max(1, round(TRANSFORMER.n_layers * scale)))
    tower = replace(TEXT, num_hidden_layers=max(2, round(TEXT.num_hidden_layers * scale)))
    torch.set_default_dtype(torch.bfloat16)
    network, pictures, language = (
        randomised(network)
        for network in (
            single_stream.SingleStreamTransformer(transformer),
            autoencoder.Autoencoder(autoencoder.FLUX),
            text.build(tower),
        )
    )
    torch.set_default_dtype(torch.float32)
    states = {
        "transformer": (single_stream.to_published(network.state_dict(), transformer), transformer.to_json()),
        "vae": (pictures.state_dict(), autoencoder.FLUX.to_json()),
        "text_encoder": (language.state_dict(), tower.to_json()),
    }
    for name, (state, config) in states.items():
        file = bundle.TRANSFORMERS_WEIGHTS if name == "text_encoder" else bundle.DIFFUSERS_WEIGHTS
        bundle.write_weights(folder / name, state, file)
        atomic.write_json(folder / name / "config.json", config)
    return copy_small_parts(folder)


def write_released_sizes(folder: Path) -> Path:
    """The published model's files, all zeros, none of which is on the disk."""
    with torch.device("meta"):
        pictures, language = autoencoder.Autoencoder(autoencoder.FLUX), text.build(text.QWEN3_4B)
    transformer = single_stream.published_shapes(single_stream.Z_IMAGE_6B)
    shapes = {
        "transformer": (transformer, single_stream.Z_IMAGE_6B.to_json()),
        "vae": ({name: x.shape for name, x in pictures.state_dict().items()}, autoencoder.FLUX.to_json()),
        "text_encoder": ({name: x.shape for name, x in language.state_dict().items()}, text.QWEN3_4B.to_json()),
    }
    for name, (stored, config) in shapes.items():
        file = bundle.TRANSFORMERS_WEIGHTS if name == "text_encoder" else bundle.DIFFUSERS_WEIGHTS
        atomic.write_json(folder / name / "config.json", config)
        write_zeros(folder / name / f"{file}.safetensors", stored)
    return copy_small_parts(folder)


def write_zeros(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A safetensors file in bf16 whose data are a hole."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)


def copy_small_parts(folder: Path) -> Path:
    """The mini's tokenizer, scheduler and settings."""
    mini = bundle.find_model("mini")
    for path in (*mini.glob("tokenizer/*"), *mini.glob("scheduler/*"), mini / bundle.INDEX, mini / "mezzotint.json"):
        target = folder / path.relative_to(mini)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    return folder


@torch.no_grad()
def randomised(network: nn.Module) -> nn.Module:
    """Matrices that keep their input's size; ones in norms, zeros elsewhere."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5)
        else:
            parameter.fill_(float("norm" in name and not name.endswith("bias")))
    return network


if __name__ == "__main__":
    main()
