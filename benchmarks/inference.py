"""Inference beside diffusers on the same random weights, the memory of whole pipelines, what a step cache costs.

    python -m benchmarks.inference [--device cuda] [--only PART] [--tiny] [--rounds 3] [--write docs/benchmarks.md]

On a processor: the mini's network, some layers of one with 1B parameters, and the cache between steps; about six
minutes on two cores. On a GPU: Z-Image's 6B at 1024² in eight evaluations, in bf16 and in eight bits (--only speed),
and whole pipelines under less and less memory (--only memory); about seven minutes each. `--tiny` runs all of it at
small sizes, to see that it runs. Rivals take turns in one process; each sees the same inputs, and their pictures are
compared before they are timed.
"""

import argparse
import gc
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from benchmarks.pages import write_section
from benchmarks.peak import peak_during, weight_bytes
from benchmarks.random_model import write_random_model
from benchmarks.rivals import (
    CAPTION,
    TINY,
    WIDE,
    Picture,
    compiled_copies,
    diffusers_network,
    quantized,
    random_network,
    rivals,
    shared_copy,
)
from benchmarks.step_cache import step_cache_lines
from benchmarks.timing import compare, machine, matrix_rate

from mezzotint import Pipeline
from mezzotint.generation.compiling import compile_network
from mezzotint.models import autoencoder, text
from mezzotint.models.attention_kernels import chosen
from mezzotint.models.single_stream import MINI, Z_IMAGE_6B, SingleStreamConfig, SingleStreamTransformer
from mezzotint.training.flops import single_stream_flops

TITLE, MEMORY_TITLE, CACHE_TITLE = (
    "Inference beside diffusers",
    "Whole pipelines in less memory",
    "A cache between steps",
)
COLUMNS = ("mezzotint", "compiled", "diffusers", "diffusers compiled")
GIB = 1 << 30
ALIKE = 0.1  # largest difference of two pictures, as a share of their norm: bf16 rounds differently in each


class Case(NamedTuple):
    """What is timed: a network, pictures of `side` pixels, so many evaluations, in bf16."""

    name: str
    config: SingleStreamConfig
    side: int
    steps: int
    batches: tuple[int, ...]
    formats: tuple[str, ...]


ON_CPU = (
    Case("mini", MINI, 128, 8, (1, 4), ("int8", "fp8")),
    Case("1B's width, 4 layers", WIDE, 256, 1, (1, 4), ("int8", "fp8")),
)
ON_GPU = (Case("6B", Z_IMAGE_6B, 1024, 8, (1, 4), ("fp8-dynamic", "int8-dynamic")),)
SMALL = (Case("tiny", TINY, 64, 2, (1, 2), ("int8",)),)
# Of whole pipelines: how the weights are kept, what leaves the device.
PLACEMENTS = ((None, "none"), ("fp8", "none"), ("fp8", "text-encoder"), ("fp8", "block"), ("int4", "model"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--only", choices=("speed", "memory", "cache"))
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    device = torch.device(args.device)
    cases = SMALL if args.tiny else ON_CPU if device.type == "cpu" else ON_GPU
    where = f" ({'GPU' if device.type == 'cuda' else 'CPU'})"
    sections = {}
    if args.only in (None, "speed"):
        sections[TITLE + where] = comparison(cases, device, args.rounds)
    if args.only == "memory" or (args.only is None and (args.tiny or device.type == "cuda")):
        sections[MEMORY_TITLE] = pipelines(device, args.tiny)
    if args.only == "cache" or (args.only is None and device.type == "cpu"):
        sections[CACHE_TITLE] = step_cache_lines(prompts=1 if args.tiny else 4)
    for title, lines in sections.items():
        print(f"\n## {title}\n", flush=True)
        kept = []
        for line in lines:
            print(line, flush=True)
            kept.append(line)
        if args.write:
            write_section(args.write, title, kept)


def comparison(cases: tuple[Case, ...], device: torch.device, rounds: int) -> Iterator[str]:
    """The table of speeds, line by line."""
    rate = matrix_rate(torch.bfloat16, 8192 if device.type == "cuda" else 2048, device)
    yield f"{machine()}. A large bf16 matrix product runs at {rate / 1e12:.2f} TFLOP/s: the rate that shares are of."
    yield f"Random weights, the same in both; captions of {CAPTION} tokens, no guidance; seconds for all evaluations."
    yield "Memory is the weights and what a call takes beyond them, compiled or not, whichever is more.\n"
    yield (
        "| network | pixels | evaluations | batch | weights | mezzotint | compiled | diffusers | diffusers compiled "
        "| × diffusers | × compiled | share of the rate | GiB, mezzotint / diffusers |"
    )
    yield "| --- " * 13 + "|"
    for case in cases:
        network = random_network(case.config, device, torch.bfloat16)
        yield from surviving(beside_diffusers(case, network, rate, rounds), case.name)
        for name in case.formats:
            yield from surviving(in_fewer_bits(case, network, name, rate, rounds), name)
        del network
    if found := chosen():
        yield ""
        kinds = [f"{kind.sequences} × {kind.tokens} tokens: {name}" for kind, name in found.items()]
        yield f"Attention chosen by measurement: {'; '.join(kinds)}."


def beside_diffusers(case: Case, network: SingleStreamTransformer, rate: float, rounds: int) -> Iterator[str]:
    theirs = diffusers_network(network)
    compiled = compiled_copies(network, theirs)
    for batch in case.batches:
        picture = Picture(network, case.config, case.side, batch, case.steps)
        calls = rivals(network, theirs, compiled, picture)
        check_alike({name: call() for name, call in calls.items()})
        took = compare(calls, rounds=rounds, at_least=0.3)
        memory = {name: peak_during(call, picture.device) + weight_bytes(network) for name, call in calls.items()}
        ours, peer = (max(memory[name] for name in names) / GIB for names in (COLUMNS[:2], COLUMNS[2:]))
        best = min(took["mezzotint"], took["compiled"])
        yield (
            f"| {case.name} | {case.side}² | {case.steps} | {batch} | bf16 "
            + "".join(f"| {took[name]:.3f} " for name in COLUMNS)
            + f"| {took['diffusers'] / best:.2f} | {took['diffusers compiled'] / best:.2f} "
            f"| {share(case, picture, best, rate):.0%} | {ours:.2f} / {peer:.2f} |"
        )


def in_fewer_bits(case: Case, network: SingleStreamTransformer, name: str, rate: float, rounds: int) -> Iterator[str]:
    """Ours only: eager and compiled."""
    packed = quantized(network, name)
    compiled = shared_copy(packed)
    compile_network(compiled, frozen=False)
    for batch in case.batches:
        picture = Picture(network, case.config, case.side, batch, case.steps)
        calls = {"mezzotint": picture.by_mezzotint(packed), "compiled": picture.by_mezzotint(compiled)}
        took = compare(calls, rounds=rounds, at_least=0.3)
        memory = max(peak_during(call, picture.device) for call in calls.values()) + weight_bytes(packed)
        best = min(took.values())
        yield (
            f"| {case.name} | {case.side}² | {case.steps} | {batch} | {name} | {took['mezzotint']:.3f} "
            f"| {took['compiled']:.3f} | | | | | {share(case, picture, best, rate):.0%} | {memory / GIB:.2f} |"
        )


def surviving(lines: Iterator[str], what: str) -> Iterator[str]:
    """The lines, or why there are none: minutes on a lent machine are not to be lost to one row."""
    try:
        yield from lines
    except Exception as cause:
        yield f"| {what} failed: {type(cause).__name__}, {(str(cause).strip() or 'no reason given').splitlines()[0]} |"
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def share(case: Case, picture: Picture, seconds: float, rate: float) -> float:
    """Of the matrix product's rate; what the caption refiner does once is counted with every evaluation (under 1 %)."""
    flops = single_stream_flops(case.config, picture.patches, [CAPTION] * picture.batch) / 3  # forward only
    return case.steps * flops / seconds / rate


def check_alike(pictures: dict[str, torch.Tensor]) -> None:
    """
    Raises:
        AssertionError: Two rivals make different pictures of the same inputs.
    """
    reference = pictures["diffusers"].float()
    for name, picture in pictures.items():
        difference = float((picture.float() - reference).norm() / reference.norm())
        assert difference < ALIKE, f"{name} is {difference:.3f} of the norm away from diffusers"


def pipelines(device: torch.device, tiny: bool) -> Iterator[str]:
    """Whole pictures, from the prompt on, with the weights kept and placed in several ways."""
    side = 64 if tiny else 1024
    yield "Z-Image's sizes with random weights: text encoder, transformer and autoencoder, from prompt to pixels at"
    yield f"{side}², 8 evaluations, one picture. {machine()}.\n"
    yield "| weights | leaves the device | seconds | × the first | peak, GiB |"
    yield "| --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as scratch:
        sizes = (TINY, text.MINI, autoencoder.MINI) if tiny else (Z_IMAGE_6B, text.QWEN3_4B, autoencoder.FLUX)
        model = write_random_model(Path(scratch) / "model", *sizes, device)
        first: list[float] = []
        for quantize, offload in PLACEMENTS:
            row = whole_pipeline(model, device, side, quantize, offload, first)
            yield from surviving(row, f"{quantize or 'bf16'}, {offload}")


def whole_pipeline(
    model: Path, device: torch.device, side: int, quantize: str | None, offload: str, first: list[float]
) -> Iterator[str]:
    """Seconds of one picture once all is warm, also as a share of the `first` row's, and the most memory since before
    loading."""
    kept: list[float] = []

    def run() -> None:
        pipe = Pipeline.from_pretrained(model, device, "bfloat16", quantize=quantize, offload=offload)

        def picture() -> None:
            pipe("a red apple on a wooden table", seed=0, width=side, height=side, num_inference_steps=8)

        kept.append(compare({"picture": picture}, rounds=2, at_least=0.0)["picture"])

    peak = peak_during(run, device)
    first.extend(kept)
    shown = f"{kept[0]:.2f} | {kept[0] / first[0]:.2f} | {peak / GIB:.2f}"
    yield f"| {quantize or 'bf16'} | {offload} | {shown} |"


if __name__ == "__main__":
    main()
