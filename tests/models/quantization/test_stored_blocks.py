"""A GGUF's blocks multiplied as they are, beside the decoded file."""

from pathlib import Path

import pytest
import torch
from tests.generation.tiny_model import write_model
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.generation.loading import load_transformer
from mezzotint.generation.loading_qwen_image import load_transformer as load_qwen_image
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.placement import Placement
from mezzotint.models import conversion
from mezzotint.models.conversion import convert
from mezzotint.models.formats import Outgoing
from mezzotint.models.formats.gguf_writer import write_gguf
from mezzotint.models.formats.opening import open_weights
from mezzotint.models.quantization import QuantizedLinear

STORED = Placement(quantize="gguf")


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_decoded_at_once_or_row_by_row(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x.gguf"
    convert(write_model(tmp_path / "tiny"), file, "transformer", "gguf", kind)
    decoded, stored = load_transformer(file, torch.float32), load_transformer(file, torch.float32, placement=STORED)
    layers = {name: module for name, module in stored.named_modules() if isinstance(module, QuantizedLinear)}
    assert {name.rpartition(".")[2] for name in layers} == {"qkv", "out", "w13"}  # w2's rows are no whole blocks
    for name, layer in layers.items():
        assert torch.equal(layer.weight, decoded.get_submodule(name).weight), name
    bits = 8 * sum(x.nbytes for layer in layers.values() for x in layer.buffers())
    assert bits == {"q8_0": 8.5, "q4_0": 4.5}[kind] * sum(x.in_features * x.out_features for x in layers.values())


def test_qwen_image(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    convert(write_qwen_image(tmp_path / "tiny"), file, "transformer", "gguf", "q8_0")
    decoded, stored = load_qwen_image(file, torch.float32), load_qwen_image(file, torch.float32, placement=STORED)
    kept = [name for name, module in stored.named_modules() if isinstance(module, QuantizedLinear)]
    assert {name.split(".", 2)[2] for name in kept} == {"picture.feed_forward.out", "text.feed_forward.out"}
    assert all(torch.equal(stored.get_submodule(n).weight, decoded.get_submodule(n).weight) for n in kept)


def test_an_embedding_in_blocks_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As llama.cpp quantises it; the layers keep theirs."""
    folder, file = write_model(tmp_path / "tiny"), tmp_path / "qwen.gguf"
    monkeypatch.setattr(conversion, "_is_quantisable", lambda name, stored: not any(n % 32 for n in stored.shape[-1:]))
    convert(folder, file, "text_encoder", "gguf", "q8_0")
    decoded, stored = (
        Pipeline.from_pretrained(folder, "cpu", "float32", text_encoder=file, quantize=quantize).model.text
        for quantize in (None, "gguf")
    )
    assert any(isinstance(module, QuantizedLinear) for module in stored.modules())
    torch.testing.assert_close(*(tower.encode(["a red disc"])[0] for tower in (decoded, stored)), atol=1e-4, rtol=1e-4)


def test_unequal_quantisations_in_one_layer(tmp_path: Path) -> None:
    """Queries in eight bits, keys and values in four: the fused layer has rows of both."""
    folder = write_model(tmp_path / "tiny")
    decoded = load_transformer(folder / "transformer", torch.float32)
    state = {}
    for name, tensor in open_weights(folder / "transformer" / "diffusion_pytorch_model.safetensors").tensors.items():
        kind = "Q8_0" if "to_q" in name else "Q4_0" if "to_k" in name or "to_v" in name else "F32"
        state[name] = Outgoing(kind, tensor.shape, lambda t=tensor: t.read(torch.float32))
    write_gguf(tmp_path / "mixed.gguf", state, {})
    file = tmp_path / "mixed.gguf"
    plain, stored = load_transformer(file, torch.float32), load_transformer(file, torch.float32, placement=STORED)
    layer = stored.layers[1].attention.qkv
    assert isinstance(layer, QuantizedLinear)
    assert sorted({name for name, _ in layer.named_buffers()}) == ["blocks_0", "blocks_1", "blocks_2"]
    assert torch.equal(layer.weight, plain.layers[1].attention.qkv.weight)
    difference = (layer.weight - decoded.layers[1].attention.qkv.weight).abs()
    queries, keys = difference[:64].mean(), difference[64:128].mean()
    assert 5 * queries < keys


def test_the_same_picture(tmp_path: Path) -> None:
    folder, file = write_model(tmp_path / "tiny"), tmp_path / "x.gguf"
    convert(folder, file, "transformer", "gguf", "q8_0")
    pictures = [
        Pipeline.from_pretrained(file, "cpu", "float32", base=folder, quantize=quantize)(
            "a red disc", seed=0, output_type="pt"
        ).images
        for quantize in (None, "gguf")
    ]
    torch.testing.assert_close(*pictures, atol=1e-4, rtol=0)
