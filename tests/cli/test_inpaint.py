from pathlib import Path

import pytest
from PIL import Image
from tests.generation.pictures import photograph, right_half
from tests.generation.tiny_control import write_controls

from mezzotint.cli.main import main
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.picture_files import read_parameters
from mezzotint.generation.pipeline import Pipeline

Output = pytest.CaptureFixture[str]
IMAGE, MASK = photograph(64, 48), right_half(64, 48)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a picture and masks."""
    monkeypatch.chdir(tmp_path)
    IMAGE.save("photo.png")
    MASK.save("mask.png")
    right_half(32, 48).save("small.png")
    Path("broken.png").write_bytes(Path("photo.png").read_bytes()[:80])


def inpaint(model: Path, *arguments: str) -> int:
    return main(["inpaint", "--model", str(model), "--device", "cpu", "--dtype", "float32", *arguments])


def test_the_picture_is_the_pipelines(model: Path, capsys: Output) -> None:
    assert (
        inpaint(model, "a red disc", "--image", "photo.png", "--mask", "mask.png", "--seed", "3", "--out", "x.png") == 0
    )
    assert capsys.readouterr().out == "x.png\n"
    pipe = Pipeline.from_pretrained(model, "cpu", "float32")
    (expected,) = pipe("a red disc", image=IMAGE, mask_image=MASK, seed=3).images
    with Image.open("x.png") as picture:
        assert picture.tobytes() == expected.tobytes()
    stored = read_parameters(Path("x.png"))
    assert stored is not None
    digests = Inputs(images=(IMAGE,), mask=MASK.convert("RGB")).digests()
    assert (stored.image, stored.mask) == (digests["image"], digests["mask"])


class TestControl:
    @pytest.fixture(scope="class")
    @classmethod
    def controls(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        return write_controls(tmp_path_factory.mktemp("controls"))

    options = ("--image", "photo.png", "--mask", "mask.png", "--control-image", "photo.png", "--seed", "3")

    def test_a_controlnet_that_sees_the_mask(self, model: Path, controls: dict[str, Path]) -> None:
        assert inpaint(model, "a red disc", *self.options, "--control", str(controls["2.1"]), "--out", "x.png") == 0
        pipe = Pipeline.from_pretrained(model, "cpu", "float32", controlnet=controls["2.1"])
        (expected,) = pipe("a red disc", image=IMAGE, mask_image=MASK, control_image=IMAGE, seed=3).images
        with Image.open("x.png") as picture:
            assert picture.tobytes() == expected.tobytes()

    def test_one_that_does_not(self, model: Path, controls: dict[str, Path], capsys: Output) -> None:
        assert inpaint(model, "a red disc", *self.options, "--control", str(controls["1.0"]), "--out", "x.png") == 2
        assert "has 16 channels and sees no mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--mask", "mask.png"], "--image"),
        (["--image", "photo.png"], "--mask"),
        (["--image", "absent.png", "--mask", "mask.png"], "picture absent.png is missing"),
        (["--image", "photo.png", "--mask", "absent.png"], "picture absent.png is missing"),
        (["--image", "broken.png", "--mask", "mask.png"], "picture broken.png cannot be decoded"),
        (["--image", "photo.png", "--mask", "small.png"], "the mask is 32x48 and the image 64x48"),
        (["--image", "photo.png", "--mask", "mask.png", "--strength", "1.2"], "strength is 1.2"),
        (["--image", "photo.png", "--mask", "mask.png", "--strength", "0"], "strength is 0.0"),
    ],
)
def test_what_is_wrong_is_one_line(model: Path, capsys: Output, arguments: list[str], reason: str) -> None:
    assert inpaint(model, "a red disc", "--out", "x.png", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert reason in err
    assert not Path("x.png").exists()
