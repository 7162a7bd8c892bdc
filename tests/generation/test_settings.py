import json
from dataclasses import replace
from pathlib import Path

import pytest

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.generation.settings import BASE, QWEN_IMAGE, TURBO, Settings, read_defaults
from mezzotint.models.bundle import find_model


def model(folder: Path, shift: float, own: object = None) -> Path:
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"shift": shift}))
    if own is not None:
        (folder / "mezzotint.json").write_text(json.dumps(own))
    return folder


def test_a_models_own_defaults(tmp_path: Path) -> None:
    own = {"steps": 20, "guidance": 3, "width": 128, "height": 192, "later": "ignored"}
    assert read_defaults(model(tmp_path, 3.0, own)) == Settings(steps=20, guidance=3.0, width=128, height=192)


def test_the_releases_are_known_by_their_shift(tmp_path: Path) -> None:
    (tmp_path / "turbo").mkdir()
    (tmp_path / "base").mkdir()
    assert read_defaults(model(tmp_path / "turbo", 3.0)) == TURBO
    assert read_defaults(model(tmp_path / "base", 6.0)) == BASE
    assert (TURBO.steps, TURBO.guidance, BASE.steps, BASE.guidance) == (8, 0.0, 28, 4.0)


@pytest.mark.parametrize("kind", ["QwenImagePipeline", "QwenImageEditPipeline", "QwenImageEditPlusPipeline"])
def test_qwen_image_is_known_by_its_pipeline(tmp_path: Path, kind: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    assert read_defaults(model(tmp_path, 1.0)) == QWEN_IMAGE
    assert (QWEN_IMAGE.steps, QWEN_IMAGE.guidance, QWEN_IMAGE.unguided, QWEN_IMAGE.negative) == (50, 4.0, 1.0, " ")
    (tmp_path / "mezzotint.json").write_text(json.dumps({"steps": 8, "guidance": 1, "width": 64, "height": 48}))
    own = Settings(steps=8, guidance=1.0, width=64, height=48, unguided=1.0, negative=" ")
    assert read_defaults(tmp_path) == own


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"steps": 0, "guidance": 1, "width": 16, "height": 16}, "steps is 0"),
        ({"steps": 2.5, "guidance": 1, "width": 16, "height": 16}, "steps is 2.5"),
        ({"steps": 1, "guidance": -1, "width": 16, "height": 16}, "guidance is -1"),
        ({"steps": 1, "guidance": float("nan"), "width": 16, "height": 16}, "guidance is nan"),
        ({"steps": 1, "guidance": 1, "height": 16}, "width is None"),
    ],
)
def test_impossible_defaults(tmp_path: Path, own: object, reason: str) -> None:
    with pytest.raises(FileFormatError, match=rf"mezzotint\.json: {reason}"):
        read_defaults(model(tmp_path, 3.0, own))


def test_neither_defaults_nor_a_scheduler(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="scheduler_config"):
        read_defaults(tmp_path)


def test_what_makes_no_pictures_says_so() -> None:
    with pytest.raises(FileFormatError, match="is a DualEncoder, which compares pictures with captions"):
        read_defaults(find_model("mini-clip"))


def test_a_callers_choice_wins() -> None:
    assert TURBO.override(steps=4, guidance=None, width=256, height=None) == Settings(
        steps=4, guidance=0.0, width=256, height=1024
    )
    assert BASE.override(steps=None, guidance=0.0, width=None, height=None).guidance == 0.0


def test_sized_like_a_picture_or_the_next_smaller_multiple_of_16() -> None:
    assert replace(TURBO, width=64, height=48) == TURBO.sized_like(71, 48)
