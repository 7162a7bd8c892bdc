"""The mini's network beside diffusers': one evaluation, a whole picture, a training step.

    python benchmarks/network.py [--model mini] [--write docs/benchmarks.md]

Both hold the same weights and see the same inputs. The floor is what no implementation of these shapes can beat with
this machine's library: every matrix product and attention of one forward, bare, on tensors that are already there.
"""

import argparse
import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmarks.pages import write_sections
from benchmarks.timing import compare, machine, matrix_rate
from diffusers import ZImagePipeline, ZImageTransformer2DModel
from torch import Tensor
from torch.nn import functional as F

from mezzotint import Pipeline
from mezzotint.data.loader import LatentBatch
from mezzotint.flow.times import LogitNormal
from mezzotint.models.bundle import find_model
from mezzotint.models.single_stream import SingleStreamConfig, SingleStreamTransformer, init_weights
from mezzotint.models.single_stream.model import FREQUENCIES, TIME_HIDDEN
from mezzotint.runtime.seeds import Seeds
from mezzotint.training.objectives.flow import FlowMatching
from mezzotint.training.optimizers import AdamW
from mezzotint.training.state import TrainState

PROMPT = "a red apple on a wooden table"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
CAPTION = 32  # tokens
SIDE = 16  # latent pixels: pictures of 128
TRAINING_BATCH = 48
COLUMNS = ("mezzotint", "compiled", "diffusers", "diffusers compiled", "floor")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--model", default="mini")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--write", type=Path)
    args = options.parse_args()
    warnings.filterwarnings("ignore")
    folder = find_model(args.model)
    lines = []
    for line in report(folder, args.rounds):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        write_sections(args.write, "\n".join(lines) + "\n")


def report(folder: Path, rounds: int) -> Iterator[str]:
    """The page, line by line, each as soon as it is measured."""
    rates = ", ".join(f"{matrix_rate(dtype) / 1e9:.0f} GFLOP/s in {name}" for name, dtype in DTYPES.items())
    yield "# Benchmarks\n"
    yield "`make bench` measures and writes this page. Every row names its peer; rivals take turns in one process.\n"
    yield f"{machine()}. A large matrix product runs at {rates}.\n"
    yield "## One evaluation of the mini's network\n"
    yield f"128×128 pixels (64 tokens) and captions of {CAPTION} tokens; milliseconds, lower is better.\n"
    yield f"| batch | dtype | {' | '.join(COLUMNS)} | of diffusers | of the floor |"
    yield f"| --- | --- {'| --- ' * len(COLUMNS)}| --- | --- |"
    for name, dtype in DTYPES.items():
        for batch in (1, 8):
            took = {rival: 1e3 * s for rival, s in evaluation(folder, batch, dtype, rounds).items()}
            times = " | ".join(f"{took[rival]:.1f}" for rival in COLUMNS)
            yield f"| {batch} | {name} | {times} | {shares(took, 'diffusers')} | {shares(took, 'floor')} |"
    yield "\n## A whole picture\n"
    yield "From prompt to pixels, guidance 3.5, one picture; milliseconds, lower is better.\n"
    yield "| steps | dtype | mezzotint | compiled | diffusers | of diffusers |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, dtype in DTYPES.items():
        for steps in (8, 28):
            took = {rival: 1e3 * s for rival, s in picture(folder, steps, dtype, rounds).items()}
            times = " | ".join(f"{took[rival]:.0f}" for rival in ("mezzotint", "compiled", "diffusers"))
            yield f"| {steps} | {name} | {times} | {shares(took, 'diffusers')} |"
    yield "\n## Training\n"
    yield "Samples a second, higher is better: flow matching with AdamW on the mini's sizes, bf16 compute over fp32"
    yield f"weights, batch {TRAINING_BATCH}. diffusers' module runs in a plain autocast loop.\n"
    yield "| mezzotint | diffusers | ratio |"
    yield "| --- | --- | --- |"
    rate = {rival: TRAINING_BATCH / s for rival, s in training(folder, max(3, rounds // 2)).items()}
    yield f"| {rate['mezzotint']:.1f} | {rate['diffusers']:.1f} | {rate['mezzotint'] / rate['diffusers']:.2f}× |"


def shares(took: dict[str, float], peer: str) -> str:
    """Ours as shares of a peer's time: eager, and compiled."""
    return f"{took['mezzotint'] / took[peer]:.2f}×, compiled {took['compiled'] / took[peer]:.2f}×"


def evaluation(folder: Path, batch: int, dtype: torch.dtype, rounds: int) -> dict[str, float]:
    """Seconds of one forward pass; the caption refiner's part is done once a run in ours, and each time in theirs."""
    ours, compiled = (
        Pipeline.from_pretrained(folder, device="cpu", dtype=dtype, compile=compile).transformer
        for compile in (False, True)
    )
    theirs = ZImageTransformer2DModel.from_pretrained(folder / "transformer", torch_dtype=dtype).eval()
    theirs_compiled = torch.compile(copy.deepcopy(theirs))
    latents, features, t = inputs(ours.config, batch, dtype)
    frames = [picture[:, None] for picture in latents]
    with torch.inference_mode():
        captions = ours.refine_captions(features)
        return compare(
            {
                "mezzotint": lambda: ours(latents, t, captions),
                "compiled": lambda: compiled(latents, t, captions),
                "diffusers": lambda: theirs(frames, t, features, return_dict=False),
                "diffusers compiled": lambda: theirs_compiled(frames, t, features, return_dict=False),
                "floor": floor(ours.config, batch, dtype),
            },
            rounds=rounds,
            at_least=0.5,
        )


def inputs(config: SingleStreamConfig, batch: int, dtype: torch.dtype) -> tuple[Tensor, list[Tensor], Tensor]:
    """Latents, caption features and times."""
    latents = torch.randn(batch, config.in_channels, SIDE, SIDE).to(dtype)
    features = [torch.randn(CAPTION, config.cap_feat_dim).to(dtype) for _ in range(batch)]
    return latents, features, torch.rand(batch)


def floor(config: SingleStreamConfig, batch: int, dtype: torch.dtype) -> Callable[[], None]:
    """A call that runs the products and attentions of one forward, and nothing else."""
    d, hidden, picture = config.dim, config.hidden_dim, SIDE * SIDE // config.patch_size**2
    products: list[tuple[Tensor, Tensor]] = []
    attentions: list[tuple[Callable[[Tensor], object], Tensor]] = []

    def product(rows: int, inside: int, outside: int) -> None:
        products.append((torch.randn(rows, inside, dtype=dtype), torch.randn(outside, inside, dtype=dtype)))

    def block(tokens: int) -> None:
        rows = batch * tokens
        for inside, outside in ((d, 3 * d), (d, d), (d, 2 * hidden), (hidden, d)):
            product(rows, inside, outside)
        heads = torch.randn(batch, config.n_heads, tokens, config.head_dim, dtype=dtype)
        attentions.append((faster_attention(heads), heads))

    product(batch, 2 * FREQUENCIES, TIME_HIDDEN)
    product(batch, TIME_HIDDEN, config.time_dim)
    product(batch, config.time_dim, (config.n_refiner_layers + config.n_layers) * 4 * d)
    product(batch, config.time_dim, d)
    product(batch * picture, config.patch_dim, d)
    for _ in range(config.n_refiner_layers):
        block(picture)
    for _ in range(config.n_layers):
        block(picture + CAPTION)
    product(batch * picture, d, config.patch_dim)

    def run() -> None:
        for x, weight in products:
            F.linear(x, weight)
        for attention, x in attentions:
            attention(x)

    return run


def faster_attention(x: Tensor) -> Callable[[Tensor], object]:
    """PyTorch's fused attention or the two products with a softmax between, whichever is faster for this shape."""
    kinds: dict[str, Callable[[Tensor], object]] = {
        "fused": lambda x: F.scaled_dot_product_attention(x, x, x),
        "plain": lambda x: torch.softmax(x @ x.mT, dim=-1) @ x,
    }
    took = compare({name: partial(kind, x) for name, kind in kinds.items()}, rounds=3, at_least=0.02)
    return kinds[min(took, key=took.__getitem__)]


def picture(folder: Path, steps: int, dtype: torch.dtype, rounds: int) -> dict[str, float]:
    """Seconds of one picture, from the prompt on."""
    ours, compiled = (
        Pipeline.from_pretrained(folder, device="cpu", dtype=dtype, compile=compile) for compile in (False, True)
    )
    theirs = ZImagePipeline.from_pretrained(folder, torch_dtype=dtype)
    theirs.set_progress_bar_config(disable=True)
    common: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": 3.5, "width": 128, "height": 128}
    return compare(
        {
            "mezzotint": lambda: ours(PROMPT, seed=0, **common),
            "compiled": lambda: compiled(PROMPT, seed=0, **common),
            "diffusers": lambda: theirs(PROMPT, generator=torch.Generator().manual_seed(0), **common),
        },
        rounds=max(3, rounds // 2),
        at_least=0.5,
    )


def training(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of one step on one batch."""
    config = SingleStreamConfig.from_json(ZImageTransformer2DModel.load_config(folder / "transformer"))
    latents, features, _ = inputs(config, TRAINING_BATCH, torch.float32)
    return compare(
        {"mezzotint": our_step(config, latents, features), "diffusers": their_step(config, latents, features)},
        rounds=rounds,
        at_least=1.0,
    )


def our_step(config: SingleStreamConfig, latents: Tensor, features: list[Tensor]) -> Callable[[], Any]:
    network = SingleStreamTransformer(config)
    init_weights(network, torch.Generator().manual_seed(0))
    state = TrainState(
        network,
        optimizer=AdamW(lr=1e-4, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01, rates={}),
        schedule=lambda step: 1.0,
        clip=1.0,
        average=0.999,
        device=torch.device("cpu"),
        dtype=torch.bfloat16,
    )
    objective = FlowMatching(
        times=LogitNormal(mean=0.0, std=1.0), caption_dropout=0.1, empty_caption=features[0][:8], patch_size=2
    )
    batch = LatentBatch(latents, features, [str(i) for i in range(len(latents))])
    return lambda: objective.step(state, batch, Seeds(0))


def their_step(config: SingleStreamConfig, latents: Tensor, features: list[Tensor]) -> Callable[[], Any]:
    network = ZImageTransformer2DModel.from_config(config.to_json())
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.99), fused=True)

    def step() -> None:
        noise, t = torch.randn_like(latents), torch.randn(len(latents)).sigmoid()
        x = t.view(-1, 1, 1, 1) * latents + (1 - t.view(-1, 1, 1, 1)) * noise
        with torch.autocast("cpu", torch.bfloat16):
            velocities = network([picture[:, None] for picture in x], t, features, return_dict=False)[0]
        loss = F.mse_loss(torch.stack(velocities)[:, :, 0].float(), latents - noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 0.001)

    return step


if __name__ == "__main__":
    main()
