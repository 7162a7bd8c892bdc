"""Round trips through every format, and files that others wrote."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from gguf import GGUFReader
from tests.generation.omni_model import write_omni_model
from tests.generation.tiny_control import write_controls
from tests.generation.tiny_model import write_model
from tests.models.adapters.control.oracle import RELEASES
from torch import Tensor

from mezzotint.errors import FileFormatError, InputError
from mezzotint.generation.loading import load_autoencoder, load_text_encoder, load_transformer
from mezzotint.models.bundle import read_weights, write_weights
from mezzotint.models.components import open_component
from mezzotint.models.conversion import convert, format_of
from mezzotint.models.formats import Reading
from mezzotint.models.single_stream import OmniTransformer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_omni_transformer_takes_its_vision_parts_along(tmp_path: Path) -> None:
    model = write_omni_model(tmp_path / "omni")
    source = model
    for station, format in {"one.safetensors": "original", "two.gguf": "gguf", "three": "folder"}.items():
        convert(source, tmp_path / station, "transformer", format, None)
        source = tmp_path / station
    assert isinstance(load_transformer(tmp_path / "one.safetensors"), OmniTransformer)
    assert equal(read_weights(tmp_path / "three"), read_weights(model / "transformer"))


@pytest.mark.parametrize("component", ["transformer", "vae", "text_encoder"])
def test_a_way_through_every_format_is_exact(model: Path, tmp_path: Path, component: str) -> None:
    """folder → original → GGUF → diffusers' names in one file → folder."""
    stations = ["one.safetensors", "two.gguf", "three.safetensors", "four"]
    source = model
    for station, format in zip(stations, ["original", "gguf", "diffusers", "folder"], strict=True):
        convert(source, tmp_path / station, component, format, None)
        source = tmp_path / station
    assert equal(read_weights(tmp_path / "four"), read_weights(model / component))
    noted = open_component(tmp_path / "one.safetensors", component).config
    assert noted == open_component(model / component, component).config


@pytest.mark.parametrize("release", RELEASES)
def test_a_controlnets_way_is_exact(tmp_path: Path, release: str) -> None:
    source = folder = write_controls(tmp_path)[release]
    for station, format in {"one.safetensors": "original", "two.gguf": "gguf", "three": "folder"}.items():
        convert(source, tmp_path / station, "controlnet", format, None)
        source = tmp_path / station
    assert equal(read_weights(tmp_path / "three"), read_weights(folder))
    assert open_component(source, "controlnet").config == open_component(folder, "controlnet").config


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.004), ("float16", 0.0005), ("q8_0", 0.008), ("q4_0", 0.13)])
def test_rounding_is_the_formats(model: Path, tmp_path: Path, dtype: str, most: float) -> None:
    convert(model, tmp_path / "x.gguf", "transformer", "gguf", dtype)
    before = read_weights(model / "transformer")
    after = Reading(open_component(tmp_path / "x.gguf", "transformer").tensors, torch.float32)
    assert before.keys() == set(after)
    for name, tensor in before.items():
        assert (after[name] - tensor).abs().max() <= most * tensor.abs().max(), name
    kinds = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(tmp_path / "x.gguf").tensors}
    delicate = "F32" if dtype.startswith("q") else kinds["layers.0.attention.qkv.weight"]
    assert kinds["cap_embedder.1.weight"] == kinds["layers.0.adaLN_modulation.0.weight"] == delicate


def test_diffusers_opens_our_single_files(model: Path, tmp_path: Path) -> None:
    convert(model, tmp_path / "z.safetensors", "transformer", "original", None)
    single = ZImageTransformer2DModel.from_single_file(
        str(tmp_path / "z.safetensors"), config=str(model / "transformer"), local_files_only=True
    )
    assert equal(dict(single.state_dict()), read_weights(model / "transformer"))
    convert(model, tmp_path / "ae.safetensors", "vae", "original", None)
    vae = AutoencoderKL.from_single_file(
        str(tmp_path / "ae.safetensors"), config=str(model / "vae"), local_files_only=True
    )
    assert equal(dict(vae.state_dict()), read_weights(model / "vae"))


def test_single_files_load(model: Path, tmp_path: Path) -> None:
    for component in ("transformer", "vae", "text_encoder"):
        convert(model, tmp_path / f"{component}.safetensors", component, "original", None)
    pairs = [
        (load_transformer(tmp_path / "transformer.safetensors"), load_transformer(model / "transformer")),
        (load_autoencoder(tmp_path / "vae.safetensors"), load_autoencoder(model / "vae")),
        (
            load_text_encoder(tmp_path / "text_encoder.safetensors", tokenizer=model / "tokenizer"),
            load_text_encoder(model / "text_encoder", tokenizer=model / "tokenizer"),
        ),
    ]
    for one, other in pairs:
        assert equal(dict(one.state_dict()), dict(other.state_dict()))


def test_a_variant_is_read(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model / "transformer", tmp_path / "transformer"))
    half = {name: tensor.half() for name, tensor in read_weights(folder).items()}
    ZImageTransformer2DModel.from_pretrained(folder).half().save_pretrained(
        folder, variant="fp16", max_shard_size="1MB"
    )
    assert (folder / "diffusion_pytorch_model.safetensors.index.fp16.json").is_file()
    tensors = open_component(folder, "transformer", "fp16").tensors
    assert equal(dict(Reading(tensors)), half)
    assert open_component(folder, "transformer").tensors["x_pad_token"].dtype == "F32"


class TestRefused:
    def test_options(self, model: Path, tmp_path: Path) -> None:
        for format, dtype, reason in (
            ("onnx", None, "format 'onnx' is not known"),
            ("gguf", "q2", "dtype 'q2' is not known"),
            ("folder", "q8_0", "GGUF's alone"),
        ):
            with pytest.raises(InputError, match=reason):
                convert(model, tmp_path / "x", "transformer", format, dtype)
        assert not list(tmp_path.iterdir())

    def test_a_folder_with_something_in_it(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "kept.txt").write_text("kept")
        with pytest.raises(InputError, match="is a folder with something in it; write to a new one"):
            convert(model, tmp_path, "transformer", "folder", None)
        assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]

    def test_an_incomplete_network(self, model: Path, tmp_path: Path) -> None:
        state = read_weights(model / "transformer")
        del state["layers.1.attention.norm_q.weight"]
        write_weights(tmp_path, state, name="part")
        with pytest.raises(FileFormatError, match=r"no complete .* are layers\.1\.attention\.norm_q\.weight"):
            convert(tmp_path / "part.safetensors", tmp_path / "x", "transformer", "folder", None)
        with pytest.raises(FileFormatError, match=r"part\.safetensors: .*layers\.1\.attention\.norm_q\.weight missing"):
            load_transformer(tmp_path / "part.safetensors")


def test_a_destinations_name_says_its_format() -> None:
    names = {"x.gguf": "gguf", "x.safetensors": "original", "x": "folder"}
    assert {name: format_of(Path(name)) for name in names} == names
