import json
from pathlib import Path

import pytest

from mezzotint.errors import FileFormatError, MissingFileError
from mezzotint.generation.settings import BASE, TURBO, Settings, read_defaults


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


def test_a_callers_choice_wins() -> None:
    assert TURBO.override(steps=4, guidance=None, width=256, height=None) == Settings(
        steps=4, guidance=0.0, width=256, height=1024
    )
    assert BASE.override(steps=None, guidance=0.0, width=None, height=None).guidance == 0.0
