"""A run's metrics: `metrics.jsonl` always, TensorBoard as a viewer when it is installed."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mezzotint.runtime import atomic


class Tracker:
    """Appends to `folder/metrics.jsonl`, one line a step.

    Resuming at `step` drops the lines after it, so that the file ends as an unbroken run's would.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "metrics.jsonl"
        self._writer = _tensorboard(folder, step)
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        kept = [line for line in lines if (found := _step(line)) is not None and found <= step]
        atomic.write_text(self.path, "".join(line + "\n" for line in kept))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Values are plain numbers; not-a-number and infinities are written as null."""
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **finite}) + "\n")
        if self._writer:
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def _step(line: str) -> int | None:
    """The step of a line, or None for one that a kill cut short."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
