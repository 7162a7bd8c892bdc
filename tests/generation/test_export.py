from pathlib import Path

import pytest
import torch
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.errors import InputError
from mezzotint.generation.export import Step, export_step, write_program
from mezzotint.generation.loading import load_transformer
from mezzotint.generation.loading_qwen_image import load_transformer as load_dual_stream

SIZE = {"batch": 2, "rows": 6, "columns": 4, "tokens": 11}


def inputs(channels: int, width: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, channels, 6, 4, generator=generator)
    return latents, torch.tensor([0.25, 0.5]), torch.randn(2, 11, width, generator=generator)


def test_a_program_is_the_network(model: Path, tmp_path: Path) -> None:
    network = load_transformer(model / "transformer", torch.float32)
    given = inputs(16, network.config.cap_feat_dim)
    write_program(export_step(network, **SIZE), path := tmp_path / "step.pt2")
    found = torch.export.load(path).module()(*given)
    torch.testing.assert_close(found, Step(network)(*given), rtol=0, atol=1e-6)


def test_so_is_one_of_a_dual_stream(tmp_path: Path) -> None:
    network = load_dual_stream(write_qwen_image(tmp_path / "model") / "transformer", torch.float32)
    given = inputs(network.config.latent_channels, network.config.text_dim)
    found = export_step(network, **SIZE).module()(*given)
    torch.testing.assert_close(found, Step(network)(*given), rtol=0, atol=1e-6)


def test_an_onnx_file_is_the_network(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="writing ONNX needs mezzotint[export]")
    runtime = pytest.importorskip("onnxruntime", reason="the oracle of ONNX files is not installed")
    network = load_transformer(model / "transformer", torch.float32)
    given = inputs(16, network.config.cap_feat_dim)
    write_program(export_step(network, **SIZE), path := tmp_path / "step.onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    named = dict(zip(("latents", "t", "features"), (tensor.numpy() for tensor in given), strict=True))
    found = torch.from_numpy(session.run(["velocity"], named)[0])
    expected = Step(network)(*given)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_other_names_are_refused(model: Path, tmp_path: Path) -> None:
    network = load_transformer(model / "transformer", torch.float32)
    with pytest.raises(InputError, match=r"\.onnx or \.pt2"):
        write_program(export_step(network, **SIZE), tmp_path / "step.engine")
