import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.generation.omni_model import write_omni_model
from tests.generation.pictures import photograph
from tests.generation.tiny_qwen_image import write_qwen_image

from mezzotint.cli.main import main
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.picture_files import read_parameters
from mezzotint.generation.pipeline import Pipeline

Output = pytest.CaptureFixture[str]
FIRST, SECOND = photograph(70, 52), photograph(40, 90)


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_image(tmp_path_factory.mktemp("models") / "plus", "QwenImageEditPlusPipeline")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_image(tmp_path_factory.mktemp("models") / "edit", "QwenImageEditPipeline")


@pytest.fixture(scope="module")
def omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_omni_model(tmp_path_factory.mktemp("models") / "omni")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with pictures."""
    monkeypatch.chdir(tmp_path)
    FIRST.save("first.png")
    SECOND.save("second.jpg", quality=95)
    Path("broken.png").write_bytes(Path("first.png").read_bytes()[:80])


def edit(model: Path | str, *arguments: str) -> int:
    return main(["edit", "--model", str(model), "--device", "cpu", "--dtype", "float32", *arguments])


def test_the_picture_is_the_pipelines(editor: Path, capsys: Output) -> None:
    pictures = ["--image", "first.png", "--image", "second.jpg"]
    assert edit(editor, "make the disc red", *pictures, "--seed", "3", "--out", "x.png") == 0
    assert capsys.readouterr().out == "x.png\n"
    pipe = Pipeline.from_pretrained(editor, "cpu", "float32")
    with Image.open("second.jpg") as second:
        images = [FIRST, second.convert("RGB")]
    (expected,) = pipe("make the disc red", image=images, seed=3).images
    with Image.open("x.png") as picture:
        assert picture.tobytes() == expected.tobytes()
        assert picture.height > picture.width  # as the last picture
    stored = read_parameters(Path("x.png"))
    assert stored is not None
    assert stored.image == Inputs(images=tuple(images)).digests()["image"]
    assert (stored.negative_prompt, stored.guidance) == (" ", 2.0)


def test_another_size_and_several_prompts(editor: Path, capsys: Output) -> None:
    options = ["--image", "first.png", "--size", "64x32", "--steps", "1", "--out", "out", "--seed", "0"]
    assert edit(editor, "make it red", "make it blue", *options) == 0
    assert capsys.readouterr().out.split() == ["out/0000.png", "out/0001.png"]
    with Image.open("out/0001.png") as picture:
        assert picture.size == (64, 32)
        assert len(np.unique(np.asarray(picture))) > 20


def refused(capsys: Output, model: Path | str, *arguments: str) -> str:
    """One line on stderr, exit code 2, nothing on stdout, no picture."""
    assert edit(model, "a red disc", "--out", "x.png", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not Path("x.png").exists()
    return err


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "--image"),
            (["--image", "absent.png"], "picture absent.png is missing"),
            (["--image", "broken.png"], "picture broken.png cannot be decoded"),
            (["--image", "first.png", "--image", "broken.png"], "picture broken.png cannot be decoded"),
            (["--image", "first.png", "--size", "40x32"], "width is 40; it must be a multiple of 16"),
            (["--image", "first.png", "--strength", "0.5"], "--strength"),
            (["--image", "first.png", "--guidance", "-1"], "guidance is -1"),
        ],
    )
    def test_options(self, editor: Path, capsys: Output, arguments: list[str], reason: str) -> None:
        assert reason in refused(capsys, editor, *arguments)

    def test_too_many_pictures(self, single: Path, capsys: Output) -> None:
        err = refused(capsys, single, "--image", "first.png", "--image", "second.jpg")
        assert "this model edits 1 image, not 2: a Qwen-Image-Edit-Plus model takes several" in err

    def test_a_model_that_cannot_edit(self, model: Path, capsys: Output) -> None:
        assert "cannot edit; Z-Image-Omni and Qwen-Image-Edit models can" in refused(
            capsys, model, "--image", "first.png"
        )

    def test_a_model_without_its_eyes(self, single: Path, capsys: Output, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(single, tmp_path / "copy"))
        config = folder / "text_encoder" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"vision_config": None}))
        err = refused(capsys, folder, "--image", "first.png")
        assert f"{folder / 'text_encoder'} has no vision tower, without which" in err

    def test_a_model_without_its_processor(self, single: Path, capsys: Output, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(single, tmp_path / "copy"))
        (folder / "processor" / "preprocessor_config.json").unlink()
        assert "preprocessor_config.json is missing" in refused(capsys, folder, "--image", "first.png")


class TestOmni:
    """Z-Image Omni, of the same verb."""

    @pytest.fixture(autouse=True)
    def references(self) -> None:
        photograph(80, 64).save("first.png")
        photograph(64, 96).save("second.png")

    def test_the_picture_is_the_pipelines(self, omni: Path, capsys: Output) -> None:
        pictures = ["--image", "first.png", "--image", "second.png"]
        assert edit(omni, "a red disc", *pictures, "--seed", "3", "--out", "x.png") == 0
        assert capsys.readouterr().out == "x.png\n"
        pipe = Pipeline.from_pretrained(omni, "cpu", "float32")
        (expected,) = pipe("a red disc", image=[photograph(80, 64), photograph(64, 96)], seed=3).images
        with Image.open("x.png") as picture:
            assert picture.size == (64, 96)
            assert picture.tobytes() == expected.tobytes()

    def test_without_references_it_generates(self, omni: Path, capsys: Output) -> None:
        options = ["--model", str(omni), "--device", "cpu", "--size", "48x32", "--steps", "1", "--out", "x.png"]
        assert main(["generate", "a red disc", *options]) == 0
        assert capsys.readouterr().out == "x.png\n"

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "--image"),
            (["--image", "small.png"], "a reference of 40x90 is too small: 64 pixels a side is the least"),
            (["--image", "first.png"] * 40, "40 references and the prompt 'a red disc' take"),
            (["--image", "first.png", "--size", "40x32"], "width is 40; it must be a multiple of 16"),
        ],
        ids=["none", "too small", "too many", "size"],
    )
    def test_bad_input(self, omni: Path, capsys: Output, arguments: list[str], reason: str) -> None:
        SECOND.save("small.png")
        assert reason in refused(capsys, omni, *arguments)

    def test_a_model_without_its_vision_tower(self, omni: Path, capsys: Output) -> None:
        folder = Path(shutil.copytree(omni, "copy"))
        shutil.rmtree(folder / "siglip")
        err = refused(capsys, folder, "--image", "first.png")
        assert f"{folder / 'siglip'} is missing: an Omni model has its vision tower there" in err
