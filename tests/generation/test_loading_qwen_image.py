import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from tests.generation.tiny_model import write_model
from tests.generation.tiny_qwen_image import AUTOENCODER, PROCESSOR, TRANSFORMER, write_qwen_image
from torch import nn

from mezzotint.errors import FileFormatError, MissingFileError, UnknownModelError
from mezzotint.generation.loading_qwen_image import (
    load_autoencoder,
    load_components,
    load_pixel_limits,
    load_text_encoder,
    load_transformer,
)
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.settings import Settings
from mezzotint.models.bundle import read_weights
from mezzotint.models.components import CONFIG, open_component
from mezzotint.models.conversion import convert
from mezzotint.models.dialects import qwen2_5_vl, qwen2_5_vl_vision
from mezzotint.models.formats import Outgoing, StoredTensor
from mezzotint.models.formats.gguf_writer import write_gguf
from mezzotint.models.sources import find_sources
from mezzotint.models.vision_language import PixelLimits

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_image(tmp_path_factory.mktemp("model") / "tiny-qwen", "QwenImageEditPlusPipeline")


def equal(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


@pytest.mark.parametrize("vision", [True, False])
def test_all_components_in_the_dtype_asked_for(model: Path, vision: bool) -> None:
    loaded = load_components(model, CPU, torch.bfloat16, vision=vision)
    for network in (loaded.transformer, loaded.autoencoder, loaded.text):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))
    assert (loaded.text.vision is not None) == vision
    assert (loaded.transformer.config, loaded.autoencoder.config) == (TRANSFORMER, AUTOENCODER)
    assert loaded.defaults == Settings(steps=3, guidance=2.0, width=96, height=64, unguided=1.0, negative=" ")
    assert loaded.schedule(4, 256)[-2] == pytest.approx(0.02)


def test_rotary_tables_stay_exact_in_bfloat16(model: Path) -> None:
    loaded = load_components(model, CPU, torch.bfloat16, vision=True)
    assert {buffer.dtype for buffer in loaded.text.buffers()} == {torch.float32}


@pytest.mark.parametrize("suffix", ["safetensors", "gguf"])
def test_single_files_hold_the_same_weights(model: Path, tmp_path: Path, suffix: str) -> None:
    files = {name: tmp_path / f"{name}.{suffix}" for name in ("transformer", "vae", "text_encoder")}
    for name, file in files.items():
        convert(model, file, name, "gguf" if suffix == "gguf" else "original", None)
    assert equal(load_transformer(files["transformer"]), load_transformer(model / "transformer"))
    assert equal(load_autoencoder(files["vae"]), load_autoencoder(model / "vae"))
    folder, file = (
        load_text_encoder(path, tokenizer=model / "tokenizer", vision=True)
        for path in (model / "text_encoder", files["text_encoder"])
    )
    assert equal(folder, file)
    pipe = Pipeline.from_pretrained(
        files["transformer"], "cpu", "float32", base=model, vae=files["vae"], text_encoder=files["text_encoder"]
    )
    own = Pipeline.from_pretrained(model, "cpu", "float32")
    picture = torch.randint(0, 256, (40, 50, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    options: dict[str, Any] = {"image": Image.fromarray(picture.numpy()), "seed": 0, "output_type": "pt"}
    # Not to the last bit: how the processor's library sums depends on where in a file a mapped matrix begins.
    ours, theirs = (one("a red disc", **options).images for one in (pipe, own))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_quantised_weights_are_near(model: Path, tmp_path: Path) -> None:
    convert(model, tmp_path / "x.gguf", "transformer", "gguf", "bfloat16")
    near, exact = load_transformer(tmp_path / "x.gguf", torch.float32), load_transformer(model / "transformer")
    for name, tensor in exact.state_dict().items():
        torch.testing.assert_close(near.state_dict()[name], tensor, atol=0, rtol=2**-8)


def write_llama(file: Path, names: dict[str, StoredTensor], architecture: str, config: dict[str, Any]) -> None:
    outgoing = {name: Outgoing("F32", x.shape, partial(x.read, None)) for name, x in names.items()}
    write_gguf(file, outgoing, {"general.architecture": architecture, CONFIG: json.dumps(config)})


def test_a_text_encoder_of_llama_cpp_serves_for_text(model: Path, tmp_path: Path) -> None:
    opened = open_component(model / "text_encoder", "text_encoder")
    config = opened.config | {"vision_config": None}
    write_llama(tmp_path / "qwen.gguf", qwen2_5_vl.to_llama(opened.tensors), "qwen2vl", config)
    own, theirs = (
        load_text_encoder(path, tokenizer=model / "tokenizer", vision=False)
        for path in (model / "text_encoder", tmp_path / "qwen.gguf")
    )
    assert equal(own, theirs)
    with pytest.raises(FileFormatError, match=r"qwen\.gguf has no vision tower, without which"):
        load_text_encoder(tmp_path / "qwen.gguf", tokenizer=model / "tokenizer", vision=True)


def test_llama_cpps_vision_tower_beside_its_language_model_is_taken_along(model: Path, tmp_path: Path) -> None:
    opened = open_component(model / "text_encoder", "text_encoder")
    vision = {name: tensor for name, tensor in opened.tensors.items() if name.startswith("visual.")}
    write_llama(tmp_path / "qwen.gguf", qwen2_5_vl.to_llama(opened.tensors), "qwen2vl", opened.config)
    beside = tmp_path / "mmproj-qwen-f32.gguf"
    write_llama(beside, qwen2_5_vl_vision.to_llama(vision), "clip", {})
    own, theirs = (
        load_text_encoder(path, tokenizer=model / "tokenizer", vision=True)
        for path in (model / "text_encoder", tmp_path / "qwen.gguf")
    )
    assert equal(own, theirs)
    with pytest.raises(FileFormatError, match=r"is a Qwen2\.5-VL vision tower; put it beside"):
        find_sources(beside)


@pytest.mark.parametrize("component", ["transformer", "vae", "text_encoder"])
def test_a_round_trip_through_every_dialect(model: Path, tmp_path: Path, component: str) -> None:
    chain = [model / component, tmp_path / "a.safetensors", tmp_path / "b.gguf", tmp_path / "c"]
    for source, dest, format in zip(chain, chain[1:], ("original", "gguf", "folder"), strict=False):
        convert(source, dest, component, format, None)
    before, after = (read_weights(folder) for folder in (chain[0], chain[-1]))
    before.pop("lm_head.weight", None)  # nobody reads it
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_base_is_taken_for_a_file_of_qwen_image(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --base the rest of the model is the release's, here asked for in an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for component in ("transformer", "vae", "text_encoder"):
        convert(model, tmp_path / "x.safetensors", component, "original", None)
        with pytest.raises(UnknownModelError, match="model 'Qwen/Qwen-Image' is not in the cache"):
            find_sources(tmp_path / "x.safetensors")


def test_pixel_limits_in_both_forms(model: Path, tmp_path: Path) -> None:
    assert load_pixel_limits(model) == PixelLimits(least=64, most=4096)
    (tmp_path / "processor").mkdir()
    (tmp_path / "processor" / "processor_config.json").write_text(json.dumps({"image_processor": PROCESSOR}))
    assert load_pixel_limits(tmp_path) == PixelLimits(least=64, most=4096)


class TestBrokenModels:
    @pytest.fixture
    def copied(self, model: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(model, tmp_path / "copy"))

    def refused(self, folder: Path) -> str:
        with pytest.raises((FileFormatError, MissingFileError)) as caught:
            Pipeline.from_pretrained(folder, "cpu", "float32")
        message = str(caught.value)
        assert "\n" not in message
        return message

    @pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
    def test_truncated_weights(self, copied: Path, part: str) -> None:
        (weights,) = (copied / part).glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:-5])
        assert f"{weights}: cut short" in self.refused(copied)

    @pytest.mark.parametrize(
        "name",
        [
            "transformer/config.json",
            "vae/config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/tokenizer.json",
            "scheduler/scheduler_config.json",
            "processor/preprocessor_config.json",
        ],
    )
    def test_a_missing_file(self, copied: Path, name: str) -> None:
        (copied / name).unlink()
        message = self.refused(copied)
        assert Path(name).name in message or "has no *.safetensors file" in message

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("transformer/config.json", {"num_layers": 3}),
            ("transformer/config.json", {"joint_attention_dim": 32}),
            ("vae/config.json", {"base_dim": 8}),
            ("text_encoder/config.json", {"text_config": {"vocab_size": 100}}),
            ("text_encoder/config.json", {"vision_config": {"depth": 1}}),
        ],
    )
    def test_weights_that_do_not_fit(self, copied: Path, name: str, changes: dict[str, Any]) -> None:
        path = copied / name
        values = json.loads(path.read_text())
        for key, value in changes.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        path.write_text(json.dumps(values))
        assert str(path.parent) in self.refused(copied)

    @pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
    def test_z_images_parts_are_not_qwen_images(self, copied: Path, part: str, tmp_path: Path) -> None:
        other = write_model(tmp_path / "z-image")
        shutil.rmtree(copied / part)
        shutil.copytree(other / part, copied / part)
        assert f"{copied / part / 'config.json'}: " in self.refused(copied)
