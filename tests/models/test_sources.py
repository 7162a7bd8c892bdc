import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from tests.generation.omni_model import write_omni_model
from tests.generation.tiny_model import write_model

from mezzotint.errors import FileFormatError, InputError, MissingFileError, UnknownModelError
from mezzotint.models import bundle
from mezzotint.models.conversion import convert
from mezzotint.models.sources import as_sources, find_sources


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


def test_a_folder(model: Path) -> None:
    sources = find_sources(model)
    assert sources == as_sources(model)
    assert sources.components["vae"] == model / "vae"
    assert sources.name == "tiny"
    assert sources.digest() == bundle.digest(model)


def test_a_vision_tower_that_a_folder_has(tmp_path: Path) -> None:
    sources = find_sources(write_omni_model(tmp_path / "omni"))
    assert sources == as_sources(tmp_path / "omni")
    assert sources.components["siglip"] == tmp_path / "omni" / "siglip"
    assert sources.digest() == bundle.digest(tmp_path / "omni")


def test_a_file_and_what_it_lacks(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "style.safetensors"
    convert(model, file, "transformer", "original", "bfloat16")
    sources = find_sources(file, base=model, text_encoder=model / "text_encoder")
    assert sources.components == {
        "transformer": file,
        "vae": model / "vae",
        "text_encoder": model / "text_encoder",
    }
    assert sources.name == "tiny + style"
    assert sources.digest() != bundle.digest(model)
    assert sources.digest([file]) != sources.digest()
    (tmp_path / "other").mkdir()
    other = shutil.copy(model / "vae" / "config.json", tmp_path / "other" / file.name)
    assert len({sources.digest(loras) for loras in ([file], [Path(other)], [file, Path(other)])}) == 3


def test_the_variant_is_the_folders(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "ae.safetensors"
    convert(model, file, "vae", "original", None)
    sources = find_sources(model, vae=file, variant="fp16")
    assert (sources.variant_of("transformer"), sources.variant_of("vae")) == ("fp16", None)


def test_nothing_is_ignored(model: Path) -> None:
    with pytest.raises(InputError, match=r"base .* has what a single file lacks, and model .* is no file"):
        find_sources(model, base=model)
    with pytest.raises(InputError, match=r"revision 'v2' is for a hub id; model .* is a folder here"):
        find_sources(model, revision="v2")


def test_without_a_base_the_file_is_named(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    convert(model, tmp_path / "ae.safetensors", "vae", "original", None)
    with pytest.raises(
        UnknownModelError, match=r"ae\.safetensors holds AutoencoderKL only; give a base .*Z-Image-Turbo"
    ):
        find_sources(tmp_path / "ae.safetensors")


def test_strangers(model: Path, tmp_path: Path) -> None:
    save_file({"double_blocks.0.img_attn.qkv.weight": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(FileFormatError, match="holds no network that is known here; it seems to be a FLUX"):
        find_sources(tmp_path / "x.safetensors", base=model)
    with pytest.raises(MissingFileError, match=r"y\.gguf is missing"):
        find_sources(tmp_path / "y.gguf", base=model)
