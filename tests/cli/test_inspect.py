import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file
from tests.generation.tiny_model import write_model

from mezzotint.cli.main import main
from mezzotint.generation.picture_files import PictureParameters, write_picture
from mezzotint.models import bundle
from mezzotint.models.conversion import convert
from mezzotint.runtime import checkpoints

PARAMETERS = PictureParameters(
    prompt="a red apple",
    negative_prompt="",
    seed=7,
    steps=8,
    guidance=0.0,
    width=16,
    height=16,
    sampler="euler",
    model="mini",
    model_digest="0" * 64,
    version="0.1.0",
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    bundle.write_weights(folder / "vae", {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)})
    (folder / "vae" / "config.json").write_text("{}")
    (folder / "scheduler").mkdir()
    (folder / "mezzotint.json").write_text(json.dumps({"steps": 8}))
    index = {"_class_name": "ZImagePipeline", "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "Flow"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def inspected(capsys: pytest.CaptureFixture[str], path: Path) -> Any:
    assert main(["inspect", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "apple.png"
    write_picture(path, Image.new("RGB", (16, 16)), PARAMETERS)
    found = inspected(capsys, path)
    assert found["kind"] == "picture"
    assert PictureParameters(**found["parameters"]) == PARAMETERS
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "prompt          a red apple\n" in out
    assert "seed            7\n" in out
    assert "negative" not in out


def test_another_programs_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = PngInfo()
    info.add_text("parameters", "an apple\nSteps: 20")
    Image.new("RGB", (16, 16)).save(tmp_path / "foreign.png", pnginfo=info)
    assert inspected(capsys, tmp_path / "foreign.png")["text"] == "an apple\nSteps: 20"
    Image.new("RGB", (16, 16)).save(tmp_path / "bare.png")
    assert main(["inspect", str(tmp_path / "bare.png")]) == 0
    assert "does not say how it was made" in capsys.readouterr().out


def test_a_model_folder(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = inspected(capsys, model)
    assert (found["kind"], found["class"], found["parameters"], found["bytes"]) == ("model", "ZImagePipeline", 10, 32)
    vae, scheduler = found["components"]
    assert vae == {
        "name": "vae",
        "class": "AutoencoderKL",
        "tensors": 2,
        "parameters": 10,
        "dtypes": {"F32": 6, "BF16": 4},
        "bytes": 32,
    }
    assert scheduler == {"name": "scheduler", "class": "Flow"}
    assert main(["inspect", str(model)]) == 0
    assert "AutoencoderKL, 2 tensors, 10 parameters" in capsys.readouterr().out


def test_an_embedded_model_by_name(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "EMBEDDED", model.parent)
    assert inspected(capsys, Path("model"))["path"] == str(model)


def test_a_weights_file(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model / "vae" / "diffusion_pytorch_model.safetensors"
    found = inspected(capsys, path)
    assert found["metadata"] == {"format": "pt"}
    assert {(one["name"], one["dtype"], tuple(one["shape"])) for one in found["tensors"]} == {
        ("a", "F32", (2, 3)),
        ("b", "BF16", (4,)),
    }
    assert inspected(capsys, model / "vae")["tensors"] == found["tensors"]
    assert main(["inspect", str(path)]) == 0
    assert "  a  F32   [2, 3]\n" in capsys.readouterr().out


def test_what_is_broken_is_one_line(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (tmp_path / "no.png").write_bytes(b"text")
    (tmp_path / "text.txt").write_text("a text of more than eight letters")
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    for path, reason in {
        weights: "cut short",
        model: "cut short",
        tmp_path / "no.png": "is not a PNG",
        tmp_path / "text.txt": "not a safetensors file",
        tmp_path / "old.ckpt": "is a pickle",
        tmp_path / "absent": "is missing",
    }.items():
        assert main(["inspect", str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert reason in err
        assert err.count("\n") == 1


def test_what_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path / "tiny")
    convert(model, tmp_path / "z.gguf", "transformer", "gguf", "q4_0")
    found = inspected(capsys, tmp_path / "z.gguf")
    assert found["format"] == "gguf"
    (network,) = found["networks"]
    assert network == {
        "component": "transformer",
        "network": "Z-Image transformer",
        "dialect": "original",
        "prefix": "",
        "tensors": 65,
        "parameters": 590_816,
    }
    assert main(["inspect", str(tmp_path / "z.gguf")]) == 0
    assert "transformer: Z-Image transformer in the original layout, 65 tensors" in capsys.readouterr().out
    save_file({"double_blocks.0.img_attn.qkv.weight": torch.ones(1)}, tmp_path / "flux.safetensors")
    assert main(["inspect", str(tmp_path / "flux.safetensors")]) == 0
    assert "it seems to be a FLUX transformer" in capsys.readouterr().out


def test_a_folder_that_is_no_part_of_a_model_is_called_what_its_files_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.write_weights(tmp_path / "judge", {"out.weight": torch.zeros(2)})
    (tmp_path / "judge" / "config.json").write_text('{"_class_name": "SceneJudge"}')
    assert inspected(capsys, tmp_path / "judge")["seems"] == "a SceneJudge"
    checkpoint = checkpoints.save(tmp_path / "run", 3, {"master.x": torch.zeros(2)}, {"step": 3}, keep=1)
    assert inspected(capsys, checkpoint)["seems"].startswith("a checkpoint at step 3; train … --export")
    assert inspected(capsys, tmp_path / "judge" / "diffusion_pytorch_model.safetensors")["seems"].startswith(
        "something"
    )


def test_torch_is_not_imported(model: Path) -> None:
    code = f"""
import sys
from mezzotint.cli.main import main
assert main(["inspect", {str(model)!r}]) == 0
assert main(["models"]) == 0
assert main(["--help"]) == 0
assert not {{"torch", "numpy", "transformers", "diffusers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
