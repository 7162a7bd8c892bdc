from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.generation.pictures import photograph, right_half
from tests.generation.tiny_control import write_controls

from mezzotint.errors import InputError
from mezzotint.generation.control import Controlled
from mezzotint.generation.image_to_image import ImageToImage
from mezzotint.generation.inpainting import Inpainting
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings
from mezzotint.generation.text_to_image import TextToImage
from mezzotint.generation.z_image import ZImage

IMAGE, MASK = photograph(70, 50), right_half(70, 50)
SETTINGS = Settings(steps=5, guidance=2.0, width=64, height=48)


@pytest.fixture(scope="module")
def plain(pipe: Pipeline) -> ZImage:
    assert isinstance(pipe.model, ZImage)
    return pipe.model


@pytest.fixture(scope="module")
def led(model: Path, tmp_path_factory: pytest.TempPathFactory) -> ZImage:
    control = write_controls(tmp_path_factory.mktemp("controls"))["2.1"]
    loaded = Pipeline.from_pretrained(model, "cpu", "float32", controlnet=control).model
    assert isinstance(loaded, ZImage)
    return loaded


def request(image: Image.Image | None = None, **inputs: object) -> Request:
    given = Inputs(images=() if image is None else (image,), **inputs)  # type: ignore[arg-type]
    return Request(prompts=("a",), negatives=("",), seed=0, count=1, settings=SETTINGS, inputs=given)


def test_the_inputs_choose_the_task(plain: ZImage, led: ZImage) -> None:
    assert isinstance(plain.task(request()), TextToImage)
    assert isinstance(plain.task(request(IMAGE)), ImageToImage)
    assert isinstance(plain.task(request(IMAGE, mask=MASK)), Inpainting)
    following = led.task(request(control=IMAGE))
    assert isinstance(following, TextToImage)
    assert isinstance(following.network, Controlled)
    seeing = led.task(request(IMAGE, mask=MASK, control=IMAGE))
    assert isinstance(seeing, TextToImage)
    assert isinstance(seeing.network, Controlled)
    begun = led.task(request(IMAGE, control=IMAGE))
    assert isinstance(begun, ImageToImage)
    assert isinstance(begun.task, TextToImage)
    assert isinstance(begun.task.network, Controlled)


@pytest.mark.parametrize(("strength", "steps"), [(None, 3), (0.2, 1), (1.0, 5)])
def test_strength_is_a_share_of_the_steps(plain: ZImage, strength: float | None, steps: int) -> None:
    task = plain.task(request(IMAGE, strength=strength))
    assert len(task.sigmas) == steps + 1
    assert task.noise_shape == (32, 6, 8)
    assert len(plain.task(request(IMAGE, strength=strength, mask=MASK)).sigmas) == (steps if strength else 5) + 1


def test_the_strength_that_a_picture_notes(plain: ZImage) -> None:
    assert plain.strength(Inputs()) is None
    assert plain.strength(Inputs(images=(IMAGE,))) == 0.6
    assert plain.strength(Inputs(images=(IMAGE,), mask=MASK)) == 1.0
    assert plain.strength(Inputs(images=(IMAGE,), mask=MASK, strength=0.3)) == 0.3
    assert plain.strength(Inputs(images=(IMAGE,), mask=MASK, control=IMAGE)) is None


def test_an_image_says_the_size(plain: ZImage) -> None:
    assert plain.defaults_for(Inputs()) == plain.defaults
    like_it = plain.defaults_for(Inputs(images=(IMAGE,)))
    assert like_it == replace(plain.defaults, width=64, height=48)


def test_what_runs_at_every_step(plain: ZImage, led: ZImage) -> None:
    assert plain.networks == [plain.transformer]
    assert led.networks == [led.control, led.transformer]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": replace(SETTINGS, width=40)}, "width is 40; it must be a multiple of 16"),
        ({"settings": replace(SETTINGS, height=16 * 17)}, "height is 272; this model goes up to 256"),
        ({"prompts": ("disc " * 300,)}, "more than the 224 tokens"),
        ({"inputs": Inputs(images=(IMAGE, IMAGE))}, "begins with one image, not with 2"),
        ({"inputs": Inputs(control=IMAGE)}, "no ControlNet to follow it"),
    ],
)
def test_the_impossible_is_refused(plain: ZImage, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        plain.task(replace(request(), **changes))  # type: ignore[arg-type]


def test_a_mask_that_the_control_sees_leaves_no_strength(led: ZImage) -> None:
    with pytest.raises(InputError, match="begins with noise; leave strength out"):
        led.task(request(IMAGE, mask=MASK, control=IMAGE, strength=0.5))
