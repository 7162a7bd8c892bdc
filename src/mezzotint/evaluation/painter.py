"""A model's answers: the pictures of prompts and seeds, each painted once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mezzotint.data.buckets import Bucket
from mezzotint.generation.pipeline import Pipeline
from mezzotint.runtime.progress import progress


@dataclass(frozen=True)
class Task:
    """One picture that a model is asked for; a size of None is the model's own."""

    prompt: str
    seed: int
    size: Bucket | None = None


class Painter:
    """Paints with a model's own defaults and remembers: what two suites ask for is painted once."""

    def __init__(self, pipeline: Pipeline, batch: int) -> None:
        self.pipeline, self._batch = pipeline, batch
        self._painted: dict[Task, Float[Tensor, "3 h w"]] = {}

    def paint(self, tasks: Sequence[Task]) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [−1, 1], fp32, on the CPU, in the tasks' order. All tasks have one size."""
        missing = [task for task in dict.fromkeys(tasks) if task not in self._painted]
        with progress(f"painting with {self.pipeline.name}", len(missing)) as advance:
            for start in range(0, len(missing), self._batch):
                part = missing[start : start + self._batch]
                self._painted.update(zip(part, self._run(part), strict=True))
                advance(len(part))
        return torch.stack([self._painted[task] for task in tasks])

    def _run(self, tasks: Sequence[Task]) -> Float[Tensor, "b 3 h w"]:
        size = tasks[0].size
        made = self.pipeline(
            [task.prompt for task in tasks],
            generator=[torch.Generator().manual_seed(task.seed) for task in tasks],
            width=size.width if size else None,
            height=size.height if size else None,
            output_type="pt",
        )
        return made.images.float().cpu() * 2 - 1
