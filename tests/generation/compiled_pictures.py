"""Twelve sizes and twelve lengths of prompts through compiled code (run by test_compiling.py): graphs, and latents.

The jaxtyping hook and torch.compile do not mix, so this is a program of its own.
"""

import sys
from pathlib import Path

import torch
from torch._dynamo.utils import counters

from mezzotint import Pipeline
from mezzotint.generation.compiling import compile_network

SIZES = [(32 + 16 * (i % 4), 48 + 16 * (i // 4)) for i in range(12)]
PROMPTS = [" ".join(["a red disc"] * (1 + 2 * i)) for i in range(12)]
OPTIONS = {"seed": 5, "num_inference_steps": 2, "guidance_scale": 2.0, "output_type": "latent"}


def main(model: Path, out: Path, frozen: bool) -> None:
    eager, compiled = (Pipeline.from_pretrained(model, "cpu", "float32") for _ in range(2))
    for network in compiled.model.networks:
        compile_network(network, frozen=frozen)
    graphs, found, expected = [], [], []
    for prompt, (width, height) in zip(PROMPTS, SIZES, strict=True):
        found.append(compiled(prompt, width=width, height=height, **OPTIONS).images)
        expected.append(eager(prompt, width=width, height=height, **OPTIONS).images)
        graphs.append(counters["stats"]["unique_graphs"])
    found.append(compiled(PROMPTS[:3], **OPTIONS).images)  # unequal lengths in one batch
    expected.append(eager(PROMPTS[:3], **OPTIONS).images)
    graphs.append(counters["stats"]["unique_graphs"])
    torch.save({"graphs": graphs, "found": found, "expected": expected}, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "frozen")
