from pathlib import Path

import pytest
import torch

from mezzotint.errors import FileFormatError
from mezzotint.runtime import checkpoints


def save(folder: Path, step: int, keep: int = 2) -> Path:
    return checkpoints.save(folder, step, {"w": torch.full((3,), float(step))}, {"step": step}, keep)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    tensors, state = checkpoints.load(save(tmp_path, 5))
    assert torch.equal(tensors["w"], torch.full((3,), 5.0))
    assert state == {"step": 5}


def test_the_last_few_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        place = save(tmp_path, step)
        if step == 2:
            checkpoints.mark_best(tmp_path, place, 0.1)
    assert [path.name for path in checkpoints.steps(tmp_path)] == ["step-00000002", "step-00000003", "step-00000004"]
    assert checkpoints.best(tmp_path) == tmp_path / "step-00000002"


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    place = save(tmp_path, 1)
    data = (place / name).read_bytes()
    (place / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(FileFormatError, match="step-00000001"):
        checkpoints.load(place)
