from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from mezzotint.models.formats import Outgoing, Reading, StoredTensor, joined, open_weights
from mezzotint.models.formats.safetensors import TORCH_NAMES, write_safetensors

STATE = {"a": torch.arange(12.0).view(6, 2), "b": torch.arange(4).view(2, 2), "e": torch.zeros(0, 3)}


@pytest.fixture
def tensors(tmp_path: Path) -> dict[str, StoredTensor]:
    safetensors.torch.save_file(STATE, tmp_path / "x.safetensors")
    return open_weights(tmp_path / "x.safetensors").tensors


def test_reading(tensors: dict[str, StoredTensor]) -> None:
    read = Reading(tensors, torch.bfloat16)
    assert {name: tensor.dtype for name, tensor in read.items()} == {
        "a": torch.bfloat16,
        "b": torch.int64,
        "e": torch.bfloat16,
    }
    assert all(torch.equal(tensors[name].read(None), STATE[name]) for name in STATE)


def test_rows_shapes_and_joins_are_read_late(tensors: dict[str, StoredTensor]) -> None:
    rows = tensors["a"].rows(2, 4)
    assert (rows.shape, rows.nbytes) == ((2, 2), 16)
    assert torch.equal(rows.read(None), STATE["a"][2:4])
    assert torch.equal(tensors["a"].reshaped((3, 4)).read(None), STATE["a"].view(3, 4))
    both = joined([rows, tensors["a"]])
    assert both.shape == (8, 2)
    assert torch.equal(both.read(None), torch.cat([STATE["a"][2:4], STATE["a"]]))


def test_what_we_write_the_library_reads(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    state: dict[str, Tensor] = {
        name: torch.ones(3, 2).to(getattr(torch, TORCH_NAMES[name])) for name in ("U8", "F32", "BF16", "F8_E4M3", "I64")
    }
    outgoing = {name: Outgoing(name, (3, 2), lambda x=x: x) for name, x in state.items()}  # type: ignore[misc]
    write_safetensors(path, outgoing, {"format": "pt", "note": "图"})
    read = safetensors.torch.load_file(path)
    assert all(torch.equal(read[name].float(), state[name].float()) for name in state)
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt", "note": "图"}
