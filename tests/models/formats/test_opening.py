import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.models.formats import open_weights


@pytest.mark.parametrize("name", ["x.bin", "x.ckpt", "x.pt", "x.safetensors", "x.gguf", "x"])
def test_pickles_are_refused_under_any_name(tmp_path: Path, name: str) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / name)
    with pytest.raises(FileFormatError, match="is a pickle, which can run code"):
        open_weights(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_bare_pickles_too(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "x.safetensors").write_bytes(pickle.dumps({"a": 1}, protocol))
    with pytest.raises(FileFormatError, match="is a pickle"):
        open_weights(tmp_path / "x.safetensors")


def test_a_header_whose_length_looks_like_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for letters in range(1000):
        save_file({"a": torch.ones(2)}, path, metadata={"note": "x" * letters})
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert torch.equal(open_weights(path).tensors["a"].read(None), torch.ones(2))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP"])
def test_a_picture_is_called_one(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x", format=kind)
    with pytest.raises(FileFormatError, match=rf"x is a picture \({kind}\); weights are"):
        open_weights(tmp_path / "x")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="absent is missing"):
        open_weights(tmp_path / "absent")
    with pytest.raises(FileFormatError, match="cannot be read"):
        open_weights(tmp_path)


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2000)}, path)
    stored = open_weights(path).tensors["a"]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileFormatError, match="cut short since it was opened"):
        stored.read(None)
