import json
from pathlib import Path

import pytest
import torch

from mezzotint.cli.main import main
from mezzotint.models.bundle import read_weights

Output = pytest.CaptureFixture[str]


def test_any_to_any(model: Path, tmp_path: Path, capsys: Output) -> None:
    single, gguf, folder = tmp_path / "z.safetensors", tmp_path / "z.gguf", tmp_path / "transformer"
    assert main(["convert", str(model), str(single), "--dtype", "bfloat16"]) == 0
    assert capsys.readouterr().out == f"{single}: Z-Image transformer, 65 tensors (65 BF16)\n"
    assert main(["convert", str(single), str(gguf), "--dtype", "q8_0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": str(gguf),
        "network": "Z-Image transformer",
        "tensors": 65,
        "dtypes": {"BF16": 49, "Q8_0": 16},
    }
    assert main(["convert", str(gguf), str(folder), "--dtype", "float32"]) == 0
    assert read_weights(folder).keys() == read_weights(model / "transformer").keys()
    assert main(["convert", str(model), str(tmp_path / "ae.safetensors"), "--component", "vae"]) == 0


def test_a_step_as_a_program(model: Path, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "step.pt2"
    assert main(["convert", str(model), str(path), "--size", "48x32", "--tokens", "20"]) == 0
    assert capsys.readouterr().out == f"{path}: a step for 48x32 pixels and 20 tokens\n"
    program = torch.export.load(path)
    shapes = [tuple(node.meta["val"].shape) for node in program.graph.nodes if node.name in program_inputs(program)]
    assert shapes == [(1, 16, 4, 6), (1,), (1, 20, 32)]


def program_inputs(program: torch.export.ExportedProgram) -> tuple[str, ...]:
    return tuple(program.graph_signature.user_inputs)


def test_what_is_wrong_is_one_line(model: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "text.safetensors").write_text("no weights at all")
    for arguments, reason in (
        ([str(model), str(tmp_path / "x"), "--component", "unet"], "component 'unet' is not known"),
        ([str(model), str(tmp_path / "x"), "--format", "onnx"], "format 'onnx' is not known"),
        ([str(model), str(tmp_path / "x"), "--dtype", "q4_0"], "GGUF's alone"),
        ([str(model), str(tmp_path / "x.onnx"), "--dtype", "q4_0"], "a program can be in float32"),
        ([str(model), str(tmp_path / "x.pt2"), "--size", "24x32"], "width is 24; it must be a multiple of 16"),
        ([str(model), str(tmp_path / "x.pt2"), "--tokens", "-3"], "tokens is -3; this model reads 1 to 224"),
        ([str(model), str(model)], "is the source"),
        ([str(model), str(model / "vae" / "diffusion_pytorch_model.safetensors")], "is the source"),
        ([str(model), str(tmp_path / "x.onnx"), "--component", "vae"], "leave --component and --format out"),
        ([str(model), str(tmp_path / "x.pt2"), "--format", "gguf"], "leave --component and --format out"),
        ([str(model), str(tmp_path / "x.gguf"), "--size", "32x32"], "--size and --tokens are a program's"),
        (["nothing", str(tmp_path / "x")], "model 'nothing' is neither"),
        ([str(tmp_path / "text.safetensors"), str(tmp_path / "x")], "text.safetensors: not a safetensors file"),
        ([str(model), "/proc/nowhere/x.gguf"], "cannot write /proc/nowhere/x.gguf"),
    ):
        assert main(["convert", *arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert reason in err
        assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.safetensors"]
