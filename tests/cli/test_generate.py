import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.generation.pictures import photograph
from tests.generation.tiny_control import write_controls
from tests.generation.tiny_qwen_image import write_qwen_image

import mezzotint
from mezzotint.cli.generate import Options, _memory
from mezzotint.cli.main import main
from mezzotint.errors import InputError
from mezzotint.generation import memory_plan
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.memory_plan import Workload
from mezzotint.generation.picture_files import read_parameters, read_texts
from mezzotint.generation.pipeline import Pipeline
from mezzotint.models import bundle

Output = pytest.CaptureFixture[str]


def generate(model: Path, *arguments: str) -> int:
    return main(["generate", "--model", str(model), "--device", "cpu", "--dtype", "float32", *arguments])


class TestPictures:
    def test_one_prompt(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        path = tmp_path / "new" / "disc.png"
        assert generate(model, "a red disc", "--seed", "3", "--out", str(path)) == 0
        assert capsys.readouterr().out == f"{path}\n"
        parameters = read_parameters(path)
        assert parameters is not None
        assert asdict(parameters) == {
            "prompt": "a red disc",
            "negative_prompt": "",
            "seed": 3,
            "steps": 3,
            "guidance": 2.0,
            "width": 32,
            "height": 48,
            "sampler": "euler",
            "model": "tiny",
            "model_digest": bundle.digest(model),
            "version": mezzotint.__version__,
            "unguided": 0.0,
            **dict.fromkeys(("image", "mask", "control_image", "strength", "control_scale", "cache")),
        }
        (expected,) = Pipeline.from_pretrained(model, "cpu", "float32")("a red disc", seed=3).images
        with Image.open(path) as picture:
            assert picture.tobytes() == expected.tobytes()

    def test_qwen_image(self, tmp_path: Path, capsys: Output) -> None:
        folder = write_qwen_image(tmp_path / "tiny-qwen")
        assert generate(folder, "a red disc", "--seed", "3", "--out", str(tmp_path / "x.png")) == 0
        stored = read_parameters(tmp_path / "x.png")
        assert stored is not None
        assert (stored.steps, stored.guidance, stored.negative_prompt, stored.width) == (3, 2.0, " ", 96)
        (expected,) = Pipeline.from_pretrained(folder, "cpu", "float32")("a red disc", seed=3).images
        with Image.open(tmp_path / "x.png") as picture:
            assert picture.tobytes() == expected.tobytes()
            assert "CFG scale: 2," in picture.info["parameters"]
        capsys.readouterr()
        plain = ["--guidance", "1", "--negative", "blue", "--seed", "3", "--out", str(tmp_path)]
        assert generate(folder, "a red disc", *plain) == 0
        assert capsys.readouterr().err.startswith("note: without guidance the negative prompt does nothing")

    def test_every_option(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        options = "--seed 5 --steps 2 --guidance 1.5 --negative blue --size 48x32 --count 2 --sampler multistep --json"
        options += " --cache 0.1"
        assert generate(model, "一个红色圆", *options.split(), "--out", str(tmp_path)) == 0
        out = capsys.readouterr().out
        assert '"prompt": "一个红色圆"' in out  # as it was written, not as escapes
        lines = [json.loads(line) for line in out.splitlines()]
        assert [Path(line.pop("path")).name for line in lines] == ["一个红色圆-5.png", "一个红色圆-6.png"]
        for seed, line in zip((5, 6), lines, strict=True):
            stored = read_parameters(tmp_path / f"一个红色圆-{seed}.png")
            assert stored is not None
            assert line == asdict(stored)
            chosen = ("seed", "steps", "guidance", "negative_prompt", "width", "height", "sampler", "cache")
            assert tuple(line[name] for name in chosen) == (seed, 2, 1.5, "blue", 48, 32, "multistep", 0.1)

    def test_where_the_time_went(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        assert generate(model, "a red disc", "--seed", "3", "--out", str(tmp_path / "x.png"), "--profile") == 0
        out, err = capsys.readouterr()
        assert out == f"{tmp_path / 'x.png'}\n"
        parts = [line.split("  ")[0] for line in err.splitlines()]
        assert parts[0] == "part"
        assert parts[-1] == "all"
        assert {"text encoder", "layers: attention", "VAE decoder", "PNG"} <= set(parts)

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["sequence", "guidance"])
    def test_two_processes_write_one_picture(self, model: Path, how: str, tmp_path: Path) -> None:
        """And agree on a seed that nobody gave."""
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        verb = ["-m", "mezzotint", "generate", "a red disc", "--model", str(model), "--device", "cpu"]
        options = ["--dtype", "float32", "--parallel", how, "--out", str(tmp_path)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run([*launch, *verb, *options], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        (path,) = [Path(line) for line in done.stdout.splitlines()]
        stored = read_parameters(path)
        assert stored is not None
        (expected,) = Pipeline.from_pretrained(model, "cpu", "float32")("a red disc", seed=stored.seed).images
        with Image.open(path) as picture:
            difference = np.abs(np.asarray(picture, int) - np.asarray(expected, int))
        assert difference.max() <= 1

    def test_memory(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        """The plan is printed, and the picture is that without one, to rounding."""
        plain, planned = tmp_path / "plain.png", tmp_path / "planned.png"
        assert generate(model, "a red disc", "--seed", "3", "--out", str(plain)) == 0
        assert "plan" not in capsys.readouterr().err
        options = ["--memory", "8GB", "--offload", "block"]
        assert generate(model, "a red disc", "--seed", "3", "--out", str(planned), *options) == 0
        assert re.search(r"plan: weights as they are, offload block: \d+\.\d\d GB at most", capsys.readouterr().err)
        one, other = (np.asarray(Image.open(path), dtype=int) for path in (plain, planned))
        assert np.abs(one - other).max() <= 1

    def test_the_plan_is_for_the_image_to_begin_with(
        self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []

        def load(*sources: object, workload: Workload, **options: object) -> None:
            seen.append((workload.width, workload.height))
            raise InputError("enough")

        monkeypatch.setattr(Pipeline, "from_pretrained", load)
        photograph(90, 70).save(tmp_path / "photo.png")
        image = ["--image", str(tmp_path / "photo.png")]
        for options in ([], image, [*image, "--size", "16x32"]):
            assert generate(model, "a red disc", *options) == 2
        assert seen == [(32, 48), (80, 64), (16, 32)]

    def test_processes_agree_on_the_room_of_the_poorest(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def gather(values: list[int], own: int, group: object) -> None:
            values[:] = [own, own // 3]

        monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
        group = MagicMock()
        group.size.return_value = 2
        monkeypatch.setattr(memory_plan, "free_bytes", lambda device: 9_000_000)
        monkeypatch.setattr(memory_plan, "used_bytes", lambda device: 0)
        options = Options(prompt=("a red disc",), model=str(model))
        poorest = int(9_000_000 * memory_plan.SHARE) // 3
        assert _memory(options, options.sources(), "cpu", group) == poorest
        assert _memory(replace(options, memory="8GB"), options.sources(), "cpu", group) == "8GB"
        monkeypatch.setattr(memory_plan, "free_bytes", lambda device: 2**40)
        assert _memory(options, options.sources(), "cpu", group) == "free"

    def test_a_prompt_file(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        (tmp_path / "prompts.txt").write_text("a red disc\ntwo blue boxes\n")
        out = tmp_path / "out"
        options = ["--prompts", str(tmp_path / "prompts.txt"), "--out", str(out), "--seed", "0"]
        assert generate(model, *options) == 0
        assert capsys.readouterr().out.splitlines() == [str(out / "0000.png"), str(out / "0001.png")]
        assert generate(model, *options, "--count", "2") == 0
        names = ["0000-00.png", "0000-01.png", "0000.png", "0001-00.png", "0001-01.png", "0001.png"]
        assert sorted(path.name for path in out.iterdir()) == names
        stored = {name: read_parameters(out / name) for name in names}
        assert {name: one.seed for name, one in stored.items() if one} == dict(
            zip(names, [0, 1, 0, 0, 1, 0], strict=True)
        )

    def test_several_prompts(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        assert generate(model, "a red disc", "a blue box", "--out", str(tmp_path), "--seed", "0") == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.png", "0001.png"]

    def test_a_random_seed_is_printed_and_stored(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        path = tmp_path / "x.png"
        assert generate(model, "a red disc", "--out", str(path)) == 0
        told = re.search(r"^seed (\d+)$", capsys.readouterr().err, re.MULTILINE)
        stored = read_parameters(path)
        assert told is not None
        assert stored is not None
        assert stored.seed == int(told[1])

    def test_a_negative_prompt_without_guidance_is_noted(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        assert generate(model, "a", "--negative", "b", "--guidance", "0", "--seed", "0", "--out", str(tmp_path)) == 0
        assert capsys.readouterr().err == "note: without guidance the negative prompt does nothing; give --guidance\n"


class TestImageToImage:
    def test_the_image_says_the_size(self, model: Path, tmp_path: Path, capsys: Output) -> None:
        photograph(70, 50).save(tmp_path / "photo.png")
        path = tmp_path / "x.png"
        options = ["--image", str(tmp_path / "photo.png"), "--strength", "0.5", "--seed", "3", "--out", str(path)]
        assert generate(model, "a red disc", *options) == 0
        pipe = Pipeline.from_pretrained(model, "cpu", "float32")
        (expected,) = pipe("a red disc", image=photograph(70, 50), strength=0.5, seed=3).images
        with Image.open(path) as picture:
            assert picture.size == (64, 48)
            assert picture.tobytes() == expected.tobytes()
        stored = read_parameters(path)
        assert stored is not None
        assert (stored.strength, stored.image) == (0.5, Inputs(images=(photograph(70, 50),)).digests()["image"])
        assert "Denoising strength: 0.5" in read_texts(path)["parameters"]

    def test_another_size(self, model: Path, tmp_path: Path) -> None:
        photograph(64, 48).save(tmp_path / "photo.jpg")
        options = ["--image", str(tmp_path / "photo.jpg"), "--size", "32x32", "--out", str(tmp_path / "x.png")]
        assert generate(model, "a red disc", *options) == 0
        with Image.open(tmp_path / "x.png") as picture:
            assert picture.size == (32, 32)
        stored = read_parameters(tmp_path / "x.png")
        assert stored is not None
        assert stored.strength == 0.6


class TestControl:
    @pytest.fixture(scope="class")
    @classmethod
    def controls(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        return write_controls(tmp_path_factory.mktemp("controls"))

    @pytest.mark.parametrize("release", ["1.0", "2.0", "2.1"])
    def test_the_picture_is_the_pipelines(
        self, model: Path, controls: dict[str, Path], tmp_path: Path, release: str
    ) -> None:
        lines, path = tmp_path / "lines.png", tmp_path / "x.png"
        photograph(90, 70).save(lines)
        options = ["--control", str(controls[release]), "--control-image", str(lines), "--control-scale", "0.6"]
        assert generate(model, "a red disc", "--seed", "3", "--out", str(path), *options) == 0
        pipe = Pipeline.from_pretrained(model, "cpu", "float32", controlnet=controls[release])
        common: dict[str, Any] = {"control_image": photograph(90, 70), "controlnet_conditioning_scale": 0.6}
        (expected,) = pipe("a red disc", seed=3, **common).images
        with Image.open(path) as picture:
            assert picture.tobytes() == expected.tobytes()
        stored = read_parameters(path)
        assert stored is not None
        assert (stored.model, stored.control_scale) == (f"tiny + {release}", 0.6)
        assert stored.control_image == Inputs(control=photograph(90, 70)).digests()["control_image"]

    def test_a_single_file(self, model: Path, controls: dict[str, Path], tmp_path: Path) -> None:
        photograph(90, 70).save(tmp_path / "lines.png")
        file = controls["2.1"] / "diffusion_pytorch_model.safetensors"
        options = ["--control", str(file), "--control-image", str(tmp_path / "lines.png")]
        assert generate(model, "a red disc", "--out", str(tmp_path / "x.png"), *options) == 0


class TestBadInput:
    """One line on stderr, exit code 2, nothing on stdout, no picture."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def refused(self, capsys: Output, model: Path | str, *arguments: str) -> str:
        assert generate(Path(model), *arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert not list(Path().rglob("*.png"))
        return err

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "there is no prompt"),
            ([""], "a prompt is empty"),
            (["good", "  "], "a prompt is empty"),
            (["\udcff"], "not valid UTF-8"),
            (["a", "--negative", "\udcff"], "the negative prompt is not valid UTF-8"),
            (["a", "--size", "100x100"], "width is 100; it must be a multiple of 16"),
            (["a", "--size", "0x16"], "width is 0"),
            (["a", "--size", "16x4096"], "height is 4096; this model goes up to 256"),
            (["a", "--size", "big"], "size is 'big'; it must be WIDTHxHEIGHT"),
            (["a", "--size", "16x-16"], "size is '16x-16'"),
            (["a", "--steps", "-3"], "steps is -3"),
            (["a", "--steps", "0"], "steps is 0"),
            (["a", "--steps", "many"], "--steps"),
            (["a", "--count", "0"], "count is 0"),
            (["a", "--guidance", "-1"], "guidance is -1"),
            (["a", "--guidance", "nan"], "guidance is nan"),
            (["a", "--seed", "-1"], "seed is -1"),
            (["a", "--seed", str(2**64)], "seed is"),
            (["a", "--sampler", "heun"], "no sampler 'heun': samplers are euler, multistep"),
            (["a", "--dtype", "int4"], "dtype 'int4' is not known"),
            (["a", "--quantize", "int3"], "no quantisation 'int3': there are int8"),
            (["a", "--offload", "disk"], "no offload 'disk': there are none"),
            (["a", "--memory", "much"], "memory is 'much'; it must be like 8GB"),
            (["a", "--memory", "1MB"], "does not fit into 0.00 GB"),
            (["a", "--offload", "block", "--compile"], "offload block moves the transformer"),
            (["a", "--device", "abacus"], "device 'abacus' cannot be used"),
            (["a", "--out", "x.jpg"], "written as .png"),
            (["a", "--lora", "absent.safetensors:0.5"], "LoRA absent.safetensors is missing"),
            (["a", "--lora", "/dev/null:strong"], "the weight of LoRA /dev/null is 'strong'"),
            (["a", "--lora", "/dev/null:nan"], "the weight of LoRA /dev/null is 'nan'"),
            (["a", "--vae", "absent.gguf"], "absent.gguf"),
            (["a", "--image", "absent.png"], "picture absent.png is missing"),
            (["a", "--image", "/"], "picture / cannot be read: Is a directory"),
            (["a", "--image", "/dev/null"], "picture /dev/null cannot be decoded"),
            (["a", "--strength", "0.5"], "there is strength but no image that it is for"),
            (["a", "--control", "absent.safetensors"], "--control needs --control-image"),
            (
                ["a", "--control", "absent.safetensors", "--control-image", "absent.png"],
                "picture absent.png is missing",
            ),
            (["a", "--control-scale", "nan"], "the control scale is nan"),
            (["a", "b", "--out", "x.png"], "several prompts need a folder"),
            (["a", "--prompts", "absent.txt"], "not both"),
            (["--prompts", "absent.txt"], "prompt file absent.txt is missing"),
            (["a", "--out", "/proc/nowhere/x.png"], "cannot write pictures to /proc/nowhere"),
            (["a", "--unknown"], "Unrecognized options: --unknown"),
            (["disc " * 300], "more than the 224 tokens"),
        ],
    )
    def test_options(self, model: Path, capsys: Output, arguments: list[str], reason: str) -> None:
        assert reason in self.refused(capsys, model, *arguments)

    def test_controls(self, model: Path, capsys: Output, tmp_path: Path) -> None:
        photograph(32, 32).save("photo.jpg")
        led = ["a", "--control-image", "photo.jpg"]
        assert "no ControlNet to follow it" in self.refused(capsys, model, *led)
        assert "absent.safetensors is missing" in self.refused(capsys, model, *led, "--control", "absent.safetensors")
        other = str(model / "transformer" / "diffusion_pytorch_model.safetensors")
        assert "it holds Z-Image transformer" in self.refused(capsys, model, *led, "--control", other)
        control = write_controls(tmp_path / "controls")["2.1"]
        values = json.loads((control / "config.json").read_text()) | {"dim": 96}
        (control / "config.json").write_text(json.dumps(values))
        message = self.refused(capsys, model, *led, "--control", str(control))
        assert "the ControlNet is for another network: dim is 96, the model's is 64" in message

    def test_an_empty_prompt_file(self, model: Path, capsys: Output) -> None:
        Path("prompts.txt").write_text("\n\n")
        assert "prompt file prompts.txt is empty" in self.refused(capsys, model, "--prompts", "prompts.txt")

    def test_a_folder_that_cannot_be(self, model: Path, capsys: Output) -> None:
        Path("file").write_text("")
        assert "cannot write pictures to file" in self.refused(capsys, model, "a", "--out", "file/folder")

    def test_unknown_models(self, capsys: Output) -> None:
        Path("empty").mkdir()
        assert "model 'nothing' is neither a folder nor an embedded model" in self.refused(capsys, "nothing", "a")
        assert "empty is not a model folder: it has no model_index.json" in self.refused(capsys, "empty", "a")

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("transformer/diffusion_pytorch_model.safetensors", -1, "cut short"),
            ("vae/diffusion_pytorch_model.safetensors", None, "has no *.safetensors file"),
            ("text_encoder/config.json", None, "config.json is missing"),
            ("transformer/config.json", "{", "is not valid JSON"),
            ("mezzotint.json", '{"steps": "few"}', "steps is 'few'"),
            ("tokenizer/tokenizer.json", "{}", "is not a tokenizer"),
        ],
    )
    def test_broken_models(
        self, model: Path, capsys: Output, name: str, content: str | int | None, reason: str
    ) -> None:
        path = Path(shutil.copytree(model, "copy")) / name
        if content is None:
            path.unlink()
        elif isinstance(content, int):
            path.write_bytes(path.read_bytes()[:content])
        else:
            path.write_text(content)
        err = self.refused(capsys, "copy", "a")
        assert reason in err
        assert "copy/" in err

    def test_wrong_shapes(self, model: Path, capsys: Output) -> None:
        folder = Path(shutil.copytree(model, "copy"))
        state = bundle.read_weights(folder / "vae")
        bundle.write_weights(
            folder / "vae", state | {"decoder.conv_in.bias": state["decoder.conv_in.bias"][:3].clone()}
        )
        expected = "copy/vae does not fit its configuration: wrong shapes: decoder.conv_in.bias [3] instead of [8]"
        assert expected in self.refused(capsys, "copy", "a")


class TestFiles:
    """Single files and LoRAs in place of a folder's weights."""

    def picture(self, path: Path) -> bytes:
        with Image.open(path) as picture:
            return picture.tobytes()

    def test_single_files_give_the_same_picture(self, model: Path, tmp_path: Path) -> None:
        parts = {"transformer": "z.gguf", "vae": "ae.safetensors", "text_encoder": "qwen.safetensors"}
        for component, name in parts.items():
            assert main(["convert", str(model), str(tmp_path / name), "--component", component]) == 0
        assert generate(model, "a red disc", "--seed", "3", "--out", str(tmp_path / "a.png")) == 0
        options = ["--base", str(model), "--vae", str(tmp_path / "ae.safetensors")]
        options += ["--text-encoder", str(tmp_path / "qwen.safetensors"), "--seed", "3"]
        assert generate(tmp_path / "z.gguf", "a red disc", *options, "--out", str(tmp_path / "b.png")) == 0
        assert self.picture(tmp_path / "a.png") == self.picture(tmp_path / "b.png")
        stored = read_parameters(tmp_path / "b.png")
        assert stored is not None
        assert stored.model == "tiny + z + qwen + ae"

    def test_loras_with_weights(self, model: Path, tmp_path: Path) -> None:
        down = torch.full((2, 64), 0.3)
        for name, sign in (("one", 1.0), ("two", -1.0)):
            key = "diffusion_model.layers.0.attention.to_v"
            up = sign * torch.ones(64, 2)
            save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, tmp_path / f"{name}.safetensors")
        one, two = str(tmp_path / "one.safetensors"), str(tmp_path / "two.safetensors")
        made = {}
        for name, loras in {"none": [], "one": [one], "both": [f"{one}:0.5", f"{two}:0.5"]}.items():
            options = [text for lora in loras for text in ("--lora", lora)]
            out = tmp_path / f"{name}.png"
            assert generate(model, "a red disc", "--seed", "4", "--out", str(out), *options) == 0
            made[name] = self.picture(out)
        assert made["one"] != made["none"]
        assert made["both"] == made["none"]
        stored = read_parameters(tmp_path / "both.png")
        assert stored is not None
        assert stored.model == "tiny + one:0.5 + two:0.5"
        assert stored.model_digest != bundle.digest(model)


class TestProcess:
    def command(self, model: Path, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "mezzotint", "generate", "--model", str(model), *arguments]

    def test_an_error_is_one_line_and_two(self, model: Path, tmp_path: Path) -> None:
        done = subprocess.run(self.command(model, "a", "--steps", "-1"), capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "error: steps is -1; it must be 1 or more\n"

    def test_an_interruption_keeps_what_is_finished(self, model: Path, tmp_path: Path) -> None:
        prompts = tmp_path / "prompts.txt"
        prompts.write_text("a red disc\n" * 5000)
        quick = ["--seed", "0", "--steps", "1", "--guidance", "0", "--size", "256x256"]
        command = self.command(model, "--prompts", str(prompts), "--out", str(tmp_path / "out"), *quick)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as run:
            assert run.stdout is not None
            first = run.stdout.readline().strip()
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
        assert run.returncode == 130
        assert err.splitlines()[-1] == "interrupted"
        assert "Traceback" not in err
        finished = [first, *out.splitlines()]
        assert len(finished) < 5000
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [Path(path).name for path in finished]
        assert all(read_parameters(Path(path)) for path in finished)
