import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.flux2.image_processor import Flux2ImageProcessor
from tests.generation.omni_model import opened_by_diffusers, write_omni_model
from tests.generation.oracle import assert_parity
from tests.generation.pictures import photograph

from mezzotint.errors import FileFormatError, InputError, MissingFileError
from mezzotint.generation.inputs import Inputs
from mezzotint.generation.omni import cropped, segments_of, shrunk
from mezzotint.generation.pipeline import Pipeline
from mezzotint.generation.request import Request
from mezzotint.generation.settings import Settings

PROMPT = "a red disc, the table of the first picture"
ONE = [photograph(80, 64)]
TWO = [photograph(64, 96), photograph(70, 85).rotate(180)]


@pytest.fixture(scope="module")
def omni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_omni_model(tmp_path_factory.mktemp("omni") / "tiny")


@pytest.fixture(scope="module")
def pipe(omni: Path) -> Pipeline:
    return Pipeline.from_pretrained(omni, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def theirs(omni: Path) -> Any:
    return opened_by_diffusers(omni)


CASES: dict[str, dict[str, Any]] = {
    "no reference": {"image": None, "width": 64, "height": 48},
    "1 reference": {"image": ONE},
    "2 references": {"image": TWO},
    "1 reference, guided": {
        "image": ONE,
        "guidance_scale": 3.0,
        "negative_prompt": "a long list of what is not wanted",
    },
    "2 references, guided, another size": {"image": TWO, "guidance_scale": 3.0, "width": 48, "height": 96},
    "2 references, limited guidance": {
        "image": TWO,
        "guidance_scale": 6.0,
        "cfg_normalization": 0.9,
        "cfg_truncation": 0.6,
    },
    "1 reference, two pictures of each of two prompts": {
        "image": ONE,
        "prompt": [PROMPT, "two"],
        "num_images_per_prompt": 2,
    },
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_pictures(pipe: Pipeline, theirs: Any, name: str) -> None:
    options = {"prompt": PROMPT, "guidance_scale": 0.0, "num_inference_steps": 4, "output_type": "np"} | CASES[name]
    count = 4 if isinstance(options["prompt"], list) else 1
    image = options["image"] and list(options["image"])
    width, height = image[-1].size if image else (64, 48)
    rows, columns = (options.get(side, size) // 16 * 2 for side, size in (("height", height), ("width", width)))
    latents = torch.randn(count, 16, rows, columns, generator=torch.Generator().manual_seed(3))
    mine = dict(options, latents=latents, image=image)
    prompts = options["prompt"] if isinstance(options["prompt"], str) else list(options["prompt"])
    assert_parity(
        f"Z-Image Omni: pictures, {name}",
        pipe,
        theirs,
        lambda: pipe(**mine),
        lambda: theirs(**dict(mine, prompt=prompts, latents=latents.clone())),
    )


@pytest.mark.parametrize("size", [(1024, 1025), (2000, 700), (64, 512), (70, 85)], ids=str)
@pytest.mark.parametrize("area", [1024 * 1024, 512 * 768])
def test_references_are_prepared_as_diffusers_does(size: tuple[int, int], area: int) -> None:
    picture = photograph(*size)
    expected = picture
    if size[0] * size[1] > 1024 * 1024:
        expected = Flux2ImageProcessor._resize_to_target_area(picture, area)
    ours = shrunk(picture, 1024 * 1024, area)
    assert ours.size == expected.size
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(expected))
    width, height = (side // 16 * 16 for side in ours.size)
    theirs = Flux2ImageProcessor().preprocess(expected, height=height, width=width, resize_mode="crop")
    mine = torch.from_numpy(np.asarray(cropped(ours, 16)).copy()).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(mine, theirs[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_segments_are_diffusers(pipe: Pipeline, theirs: Any, count: int) -> None:
    expected = theirs._encode_prompt([PROMPT], num_condition_images=count)[0]
    found = pipe.text.encode_segments(segments_of(PROMPT, count))
    assert len(found) == len(expected) == (count + 2 if count else 1)
    for ours, features in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, features, atol=1e-5, rtol=1e-5)


class TestCalls:
    def test_the_last_reference_says_the_size(self, pipe: Pipeline) -> None:
        options: dict[str, Any] = {"seed": 0, "num_inference_steps": 1}
        assert pipe(PROMPT, image=TWO, **options).images[0].size == (64, 80)
        assert pipe(PROMPT, image=TWO[0], **options).images[0].size == (64, 96)
        assert pipe(PROMPT, image=TWO, width=48, height=32, **options).images[0].size == (48, 32)

    def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(self, pipe: Pipeline) -> None:
        common: dict[str, Any] = {"image": TWO, "output_type": "pt", "guidance_scale": 2.0}
        together = pipe([PROMPT, "two blue boxes"], seed=4, num_images_per_prompt=2, **common).images
        alone = pipe("two blue boxes", seed=5, **common).images
        torch.testing.assert_close(together[3], alone[0], atol=1e-4, rtol=0)

    def test_references_count_where_batches_are_made(self, pipe: Pipeline) -> None:
        request = Request(
            prompts=(PROMPT,),
            negatives=("",),
            seed=0,
            count=1,
            settings=Settings(steps=1, guidance=0.0, width=64, height=48),
        )
        images = [(), tuple(ONE), tuple(TWO)]
        requests = [replace(request, inputs=Inputs(images=some)) for some in images]
        assert [pipe.model.tokens(one) for one in requests] == [12, 12 + 20, 12 + 47]

    def test_everything_that_does_not_change_is_encoded_once(
        self, pipe: Pipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = {"autoencoder": 0, "vision": 0, "text": 0, "refine": 0}

        def counting(owner: Any, method: str, name: str) -> None:
            original = getattr(owner, method)

            def counted(*given: Any, **named: Any) -> Any:
                counts[name] += 1
                return original(*given, **named)

            monkeypatch.setattr(owner, method, counted)

        counting(pipe.autoencoder, "encode", "autoencoder")
        counting(pipe.model.vision, "encode", "vision")  # type: ignore[attr-defined]
        counting(pipe.text, "encode_segments", "text")
        counting(pipe.transformer, "refine", "refine")
        pipe(PROMPT, image=TWO, num_inference_steps=3, guidance_scale=2.0, num_images_per_prompt=40)
        assert counts == {"autoencoder": 2, "vision": 1, "text": 1, "refine": 1}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image": photograph(63, 80)}, "a reference of 63x80 is too small: 64 pixels a side is the least"),
        ({"image": photograph(64, 520)}, "a reference of 64x520 is too elongated: 8:1 is the most"),
        (
            {"image": ONE * 40},
            "40 references and the prompt 'a red disc, .*' take .* places, this model has 226: fewer",
        ),
        ({"image": photograph(64, 320), "width": 64, "height": 64}, "position 39 on the row axis is beyond"),
        ({"prompt": "disc " * 300}, "1 references and the prompt 'disc disc"),
        ({"mask_image": ONE[0]}, "no use for a mask"),
        ({"strength": 0.5}, "no use for a mask, a strength"),
    ],
)
def test_the_impossible_is_refused(pipe: Pipeline, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        pipe(**({"prompt": PROMPT, "image": ONE} | options))


class TestBrokenModels:
    @pytest.fixture
    def copied(self, omni: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(omni, tmp_path / "copy"))

    def refused(self, folder: Path) -> str:
        with pytest.raises((FileFormatError, MissingFileError)) as caught:
            Pipeline.from_pretrained(folder, device="cpu")
        message = str(caught.value)
        assert "\n" not in message
        return message

    def test_no_vision_tower(self, copied: Path) -> None:
        shutil.rmtree(copied / "siglip")
        assert self.refused(copied) == f"{copied / 'siglip'} is missing: an Omni model has its vision tower there"

    def test_no_processor(self, copied: Path) -> None:
        shutil.rmtree(copied / "siglip_processor")
        assert self.refused(copied) == f"{copied / 'siglip_processor' / 'preprocessor_config.json'} is missing"

    def test_a_tower_of_another_width(self, copied: Path, model: Path) -> None:
        shutil.rmtree(copied / "transformer")
        shutil.copytree(model / "transformer", copied / "transformer")
        assert "siglip_feat_dim is None, and the vision tower in" in self.refused(copied)

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("siglip/config.json", {"hidden_size": 48}),
            ("siglip/config.json", {"model_type": "clip_vision_model"}),
            ("siglip_processor/preprocessor_config.json", {"patch_size": 14}),
        ],
    )
    def test_what_does_not_fit_is_named(self, copied: Path, name: str, changes: dict[str, Any]) -> None:
        path = copied / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        assert str(path.parent) in self.refused(copied)
