"""A picture made by several processes, as torchrun starts them: the latents go to a file (run by test_parallel.py)."""

import sys
from pathlib import Path

import torch

from mezzotint import Pipeline
from mezzotint.generation.parallel import parallelize
from mezzotint.runtime.distributed import process_group

PROMPTS = ["a red disc", "two blue boxes on a large yellow table, behind them the sea and a small white boat"]
OPTIONS = {"seed": 3, "num_inference_steps": 3, "guidance_scale": 3.5, "output_type": "latent"}


def main(model: Path, how: str, out: Path) -> None:
    torch.manual_seed(0)
    with process_group(torch.device("cpu")) as group:
        pipe = Pipeline.from_pretrained(model, "cpu", "float32")
        parallelize(pipe.model, how, group)
        made = [pipe(prompts, **OPTIONS).images for prompts in (PROMPTS[:1], PROMPTS)]
        made.append(pipe(PROMPTS[0], **OPTIONS | {"guidance_scale": 0.0}).images)
        torch.save(made, out / f"{group.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
