"""What each precision costs: pictures of the mini and velocities of a random network beside fp32.

    python -m benchmarks.precision [--prompts 8] [--scale 1.0] [--data CORPUS --concepts 20] [--write docs/precision.md]

With a corpus the examiner also counts in how many pictures it finds the concept that was asked for, in both languages:
of a subset of the suite's concepts, for the whole suite takes eleven minutes a model on one core. For this, quantised
models multiply in bf16, as they do by default.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from benchmarks.memory import TRANSFORMER, randomised
from benchmarks.timing import machine
from jaxtyping import Float
from torch import Tensor

from mezzotint import Pipeline
from mezzotint.evaluation import concepts
from mezzotint.evaluation.examination import JUDGE, Examination, Resources
from mezzotint.evaluation.painter import Painter
from mezzotint.models.conversion import convert
from mezzotint.models.quantization import FORMATS, packed_weights, quantize_layers
from mezzotint.models.single_stream import SingleStreamTransformer
from mezzotint.models.single_stream.half_range import hold_in_range
from mezzotint.perception.similarity import psnr

PROMPTS = (
    "a red apple", "a cat", "a house beside a tree", "一只狗", "three yellow stars", "a blue car",
    "a slice of pizza", "a bird in the sky", "一朵红色的花", "a clock", "a smiling face", "a bicycle",
)  # fmt: skip
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
FILES = {"gguf q8_0": "q8_0", "gguf q4_0": "q4_0"}
NETWORK = replace(TRANSFORMER, dim=2048, n_heads=16, n_layers=16, n_refiner_layers=1)  # 0.9 billion parameters
STEPS, SIDE = 12, 16  # of the mini; latent pixels of the random network


class Precision(NamedTuple):
    """A way to keep a model, and how the mini is loaded so."""

    name: str
    bits: float
    loading: dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--prompts", type=int, default=8)
    options.add_argument("--scale", type=float, default=1.0, help="of the random network's layers")
    options.add_argument("--data", type=Path)
    options.add_argument("--concepts", type=int, default=20)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in report(precisions(Path(folder)), args.prompts, args.scale, args.data, args.concepts):
            print(line, flush=True)
            lines.append(line)
    if args.write:
        args.write.write_text("\n".join(lines) + "\n")


def precisions(folder: Path) -> list[Precision]:
    plain = [Precision(name, 16, {"name": "mini", "dtype": dtype}) for name, dtype in DTYPES.items()]
    formats = [Precision(name, layer.bits, {"name": "mini", "quantize": name}) for name, layer in FORMATS.items()]
    files = []
    for name, kind in FILES.items():
        path = folder / f"{kind}.gguf"
        convert(Path(Pipeline.from_pretrained("mini", "cpu").sources.folder), path, "transformer", "gguf", kind)
        bits = 8.5 if kind == "q8_0" else 4.5
        files.append(Precision(name, bits, {"name": path, "base": "mini", "quantize": "gguf"}))
    return [*plain, *formats, *files]


def report(kinds: Sequence[Precision], prompts: int, scale: float, corpus: Path | None, limit: int) -> Iterator[str]:
    """The page, line by line."""
    network, exact_velocity = random_network(scale)
    billions = sum(parameter.numel() for parameter in network.parameters()) / 1e9
    yield "# Precision\n"
    data = "" if corpus is None else f"--data CORPUS --concepts {limit} "
    yield f"`python -m benchmarks.precision {data}--write docs/precision.md` measures and writes this page.\n"
    yield f"{machine()}.\n"
    yield f"""Pictures are the mini's, of {prompts} prompts in {STEPS} steps, beside those of the same seeds in fp32.
Text encoder and transformer are quantised (of GGUF files, the transformer); all multiply in fp32 where the format does
not say otherwise. The velocity is that of a random network of {billions:.2f} billion parameters: normal weights,
without the outliers and the low rank of trained ones; its error is ‖v − v₃₂‖ / ‖v₃₂‖.
"""
    if corpus is not None:
        yield f"""Top-5: in how many of {limit} pictures a language the examiner of `mezzotint evaluate` finds the
prompted concept among the nearest five, with 95 % intervals. There, quantised weights are multiplied in bf16,
the default.
"""
    yield "| weights | bits | PSNR, dB | worst, dB | velocity error |" + (" top-5, en | top-5, zh |" if corpus else "")
    yield "| --- | --- | --- | --- | --- |" + (" --- | --- |" if corpus else "")
    reference = Pipeline.from_pretrained("mini", "cpu", "float32")
    exact = paint(reference, prompts)
    if corpus is not None:
        yield f"| fp32 | 32 | | | | {concept_scores(reference, corpus, limit)} |"
    for kind in kinds:
        loading: dict[str, Any] = {"device": "cpu", "dtype": torch.float32} | kind.loading
        pipe = Pipeline.from_pretrained(**loading)
        decibels = psnr(paint(pipe, prompts), exact)
        error = velocity_error(kind, network, exact_velocity)
        scores = ""
        if corpus is not None:
            usual = Pipeline.from_pretrained(**loading | {"dtype": kind.loading.get("dtype", torch.bfloat16)})
            scores = f" {concept_scores(usual, corpus, limit)} |"
        yield f"| {kind.name} | {kind.bits:g} | {decibels.mean():.1f} | {decibels.min():.1f} | {error} |{scores}"


def paint(pipe: Pipeline, prompts: int) -> Float[Tensor, "b 3 height width"]:
    """Pictures in [−1, 1]."""
    return 2 * pipe(PROMPTS[:prompts], seed=0, num_inference_steps=STEPS, output_type="pt").images - 1


def concept_scores(pipe: Pipeline, corpus: Path, limit: int) -> str:
    """The share of prompts whose concept is among the examiner's five first: English | Chinese."""
    resources = Resources(corpus=corpus, device=pipe.device, judge_folder=JUDGE)
    examination = Examination(painter=Painter(pipe, 16), resources=resources, seed=0, limit=limit)
    english, chinese = concepts.tables(examination)[0].rows[:2]
    return f"{english.figures['top-5']} | {chinese.figures['top-5']}"


def random_network(scale: float) -> tuple[SingleStreamTransformer, Float[Tensor, "1 c h w"]]:
    """In fp32, and what it answers."""
    torch.manual_seed(0)
    network = SingleStreamTransformer(replace(NETWORK, n_layers=max(1, round(NETWORK.n_layers * scale))))
    randomised(network.requires_grad_(False))
    return network, velocity(network, torch.float32)


@torch.inference_mode()
def velocity(network: SingleStreamTransformer, dtype: torch.dtype) -> Float[Tensor, "1 c h w"]:
    generator = torch.Generator().manual_seed(1)
    captions = network.refine_captions([torch.randn(32, network.config.cap_feat_dim, generator=generator).to(dtype)])
    return network(torch.randn(1, 16, SIDE, SIDE, generator=generator), torch.tensor([0.5]), captions)


def velocity_error(kind: Precision, network: SingleStreamTransformer, exact: Float[Tensor, "1 c h w"]) -> str:
    if kind.name in FILES:
        return ""
    dtype = DTYPES.get(kind.name, torch.float32)
    with torch.device("meta"):
        rounded = SingleStreamTransformer(network.config)
    if kind.name in FORMATS:
        quantize_layers(rounded, kind.name)
    weights = packed_weights(rounded, ((name, x.to(dtype)) for name, x in network.state_dict().items()), "cpu")
    rounded.load_state_dict(dict(weights), assign=True)
    if dtype == torch.float16:
        hold_in_range(rounded)
    return f"{float((velocity(rounded, dtype) - exact).norm() / exact.norm()):.4f}"


if __name__ == "__main__":
    main()
