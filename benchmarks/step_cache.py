"""What a cache between steps saves, and how far its pictures are from those of the full run."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint import Pipeline
from mezzotint.generation.step_caching import step_caching
from mezzotint.perception.similarity import psnr

PROMPTS = ("a red apple", "a cat", "a house with a green roof", "two blue fish")
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3)
STEPS = (8, 28)
GUIDANCE = 3.5


def step_cache_lines(prompts: int) -> Iterator[str]:
    """The table, line by line: the mini in fp32, so that nothing but the cache makes a difference."""
    yield f"`--cache T` on the mini: {prompts} prompts, guidance {GUIDANCE}, seed 0, fp32. PSNR is that of the pictures"
    yield "against those of the full run, their mean and the least; seconds are of all prompts, sampled together.\n"
    yield "| steps | cache | skipped | seconds | × full | PSNR, dB | least |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    pipe = Pipeline.from_pretrained("mini", "cpu", "float32")
    for steps in STEPS:
        made(pipe, prompts, steps, 0.0)
        full, full_seconds, _ = made(pipe, prompts, steps, 0.0)
        yield f"| {steps} | none | 0 of {steps} | {full_seconds:.2f} | 1.00 | | |"
        for threshold in THRESHOLDS:
            pictures, seconds, skipped = made(pipe, prompts, steps, threshold)
            decibels = psnr(pictures, full)
            mean, least = (f"{figure:.1f}" for figure in (decibels.mean(), decibels.min()))
            yield (
                f"| {steps} | {threshold:g} | {skipped} of {steps} | {seconds:.2f} | {full_seconds / seconds:.2f} "
                f"| {mean} | {least} |"
            )


def made(pipe: Pipeline, prompts: int, steps: int, threshold: float) -> tuple[Float[Tensor, "b 3 h w"], float, int]:
    """Pictures in [−1, 1], the seconds that they took, and how many steps were skipped."""
    options: dict[str, Any] = {"seed": 0, "num_inference_steps": steps, "guidance_scale": GUIDANCE, "output_type": "pt"}
    with torch.inference_mode(), step_caching(pipe.transformer, threshold) as cache:
        start = time.perf_counter()
        pictures = pipe(PROMPTS[:prompts], **options).images
        return 2 * pictures - 1, time.perf_counter() - start, cache.skipped
