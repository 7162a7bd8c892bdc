import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.generation.omni_model import write_omni_model

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.generation.loading import (
    load_autoencoder,
    load_components,
    load_text_tower,
    load_transformer,
    load_vision_tower,
)
from mezzotint.generation.settings import Settings
from mezzotint.models.single_stream import OmniTransformer


def test_all_components_in_the_dtype_asked_for(model: Path) -> None:
    loaded = load_components(model, torch.device("cpu"), torch.bfloat16)
    for network in (loaded.transformer, loaded.autoencoder, loaded.text):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert loaded.defaults == Settings(steps=3, guidance=2.0, width=32, height=48)
    assert loaded.schedule(4, 6)[0] == 1.0


def test_the_files_dtype_by_default(model: Path) -> None:
    for network in (load_transformer(model / "transformer"), load_autoencoder(model / "vae"), load_text_tower(model)):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_a_vision_tower_and_the_transformer_that_listens_to_it(tmp_path: Path) -> None:
    folder = write_omni_model(tmp_path / "omni")
    tower = load_vision_tower(folder / "siglip", torch.bfloat16, processor=folder / "siglip_processor")
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.bfloat16}
    assert not any(tensor.is_meta or tensor.requires_grad for tensor in (*tower.parameters(), *tower.buffers()))
    transformer = load_transformer(folder / "transformer")
    assert isinstance(transformer, OmniTransformer)
    assert not any(parameter.is_meta for parameter in transformer.parameters())


class TestBrokenModels:
    @pytest.fixture
    def copied(self, model: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(model, tmp_path / "copy"))

    def refused(self, folder: Path) -> str:
        with pytest.raises((FileFormatError, MissingFileError)) as caught:
            load_components(folder, torch.device("cpu"), torch.float32)
        message = str(caught.value)
        assert "\n" not in message
        return message

    @pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
    def test_truncated_weights(self, copied: Path, part: str) -> None:
        (weights,) = (copied / part).glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:-5])
        message = self.refused(copied)
        assert str(weights) in message
        assert "cut short" in message

    @pytest.mark.parametrize(
        "name",
        [
            "transformer/config.json",
            "transformer/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/tokenizer.json",
            "scheduler/scheduler_config.json",
        ],
    )
    def test_a_missing_file(self, copied: Path, name: str) -> None:
        (copied / name).unlink()
        message = self.refused(copied)
        assert Path(name).name in message or "has no *.safetensors file" in message

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("transformer/config.json", {"dim": 96, "n_heads": 3, "n_kv_heads": 3}),
            ("transformer/config.json", {"n_layers": 3}),
            ("transformer/config.json", {"n_layers": 1}),
            ("vae/config.json", {"block_out_channels": [4, 4, 8, 16]}),
            ("text_encoder/config.json", {"hidden_size": 64}),
            ("transformer/config.json", {"dim": float("inf")}),
            ("transformer/config.json", {"n_layers": 10**6}),
            ("transformer/config.json", {"axes_lens": [10**10, 16, 16]}),
            ("vae/config.json", {"norm_num_groups": 0}),
            ("vae/config.json", {"block_out_channels": []}),
            ("text_encoder/config.json", {"num_attention_heads": 0}),
            ("text_encoder/config.json", {"rope_parameters": [1]}),
            ("text_encoder/config.json", {"vocab_size": -5}),
            ("scheduler/scheduler_config.json", {"shift": 0}),
        ],
    )
    def test_weights_that_do_not_fit(self, copied: Path, name: str, changes: dict[str, Any]) -> None:
        path = copied / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        assert str(path.parent) in self.refused(copied)

    @pytest.mark.parametrize(
        "name", ["transformer/config.json", "vae/config.json", "text_encoder/config.json", "mezzotint.json"]
    )
    @pytest.mark.parametrize("content", ["{", "[]", "{}"])
    def test_broken_configurations(self, copied: Path, name: str, content: str) -> None:
        (copied / name).write_text(content)
        assert str(copied / name) in self.refused(copied)
