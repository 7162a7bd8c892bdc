"""Checkpoints: `step-00001000/` with `tensors.safetensors` and `state.json`, there whole or not at all."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mezzotint.errors import FileFormatError
from mezzotint.runtime import atomic

_NAME = re.compile(r"step-(\d{8})")


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any], keep: int) -> Path:
    """Write the checkpoint of `step` and remove all but the last `keep`, and the one that `best` names."""
    place = folder / f"step-{step:08d}"
    with atomic.folder(place) as temporary:
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, temporary / "tensors.safetensors")
        (temporary / "state.json").write_text(json.dumps(dict(state), indent=2))
    spared = best(folder)
    for older in steps(folder)[:-keep]:
        if older != spared:
            shutil.rmtree(older)
    return place


def mark_best(folder: Path, place: Path, metric: float) -> None:
    """Name `place` as the best so far; it outlives the last-`keep` rule."""
    atomic.write_json(folder / "best.json", {"checkpoint": place.name, "metric": metric})


def best(folder: Path) -> Path | None:
    """The checkpoint last marked best, or None."""
    record = folder / "best.json"
    if not record.exists():
        return None
    place = folder / json.loads(record.read_text())["checkpoint"]
    return place if place.is_dir() else None


def steps(folder: Path) -> list[Path]:
    """Every checkpoint, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def load(place: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the state of one checkpoint.

    Raises:
        FileFormatError: A file is missing, cut short or not what it should be.
    """
    try:
        state = json.loads((place / "state.json").read_text())
        return load_file(place / "tensors.safetensors"), state
    except (OSError, ValueError, SafetensorError) as cause:
        raise FileFormatError(
            f"checkpoint {place} cannot be read ({cause}); remove it to go on from an older one"
        ) from cause
