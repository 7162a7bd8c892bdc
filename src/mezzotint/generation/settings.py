"""Steps, guidance and size: what a model wants when nobody says otherwise, and what a caller chose."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mezzotint.errors import FileFormatError
from mezzotint.models.bundle import INDEX, read_json

FILE = "mezzotint.json"
SIDE = 16  # a picture's sides are multiples of this in every published model
TURBO_SHIFT = 3.0  # the scheduler's shift by which the distilled release is known


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Steps, guidance, and the picture's size in pixels.

    Attributes:
        guidance: Its strength, as the model's pipeline counts it.
        unguided: The strength that is none: 0 for the g of `flow.guidance`, which Z-Image's pipelines take, 1 for the
            w of `TrueGuidance`, which Qwen-Image's take.
        negative: The negative prompt, where a caller gives none.
    """

    steps: int
    guidance: float
    width: int
    height: int
    unguided: float = 0.0
    negative: str = ""

    def override(
        self, *, steps: int | None, guidance: float | None, width: int | None, height: int | None
    ) -> "Settings":
        """The same with what a caller chose."""
        return replace(
            self,
            steps=self.steps if steps is None else steps,
            guidance=self.guidance if guidance is None else guidance,
            width=self.width if width is None else width,
            height=self.height if height is None else height,
        )

    def sized_like(self, width: int, height: int) -> "Settings":
        """The same for a picture of this size, or the next smaller one that can be made."""
        return replace(self, width=width // SIDE * SIDE, height=height // SIDE * SIDE)


TURBO = Settings(steps=8, guidance=0.0, width=1024, height=1024)
BASE = Settings(steps=28, guidance=4.0, width=1024, height=1024)
QWEN_IMAGE = Settings(steps=50, guidance=4.0, width=1024, height=1024, unguided=1.0, negative=" ")
QWEN_IMAGE_PIPELINE = "QwenImage"  # how the names of its pipelines begin
DUAL_ENCODER = "DualEncoder"  # of mini-clip


def read_defaults(model: Path) -> Settings:
    """What `mezzotint.json` in a model folder says; without one, what the release has.

    A release of Z-Image is known by its scheduler's shift.

    Raises:
        MissingFileError: There is neither.
        FileFormatError: The file is broken, a value is missing or impossible, or the model makes no pictures.
    """
    path, index = model / FILE, model / INDEX
    kind = str(read_json(index).get("_class_name")) if index.is_file() else ""
    is_qwen_image = kind.startswith(QWEN_IMAGE_PIPELINE)
    if kind == DUAL_ENCODER:
        raise FileFormatError(f"{index}: the model is a {kind}, which compares pictures with captions and makes none")
    if not path.is_file():
        return QWEN_IMAGE if is_qwen_image else _z_image(model)
    content = read_json(path)
    return replace(
        QWEN_IMAGE if is_qwen_image else BASE,
        steps=_count(path, content, "steps"),
        guidance=_guidance(path, content),
        width=_count(path, content, "width"),
        height=_count(path, content, "height"),
    )


def _z_image(model: Path) -> Settings:
    scheduler = read_json(model / "scheduler" / "scheduler_config.json")
    return TURBO if scheduler.get("shift") == TURBO_SHIFT else BASE


def _count(path: Path, content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    if type(value) is not int or value < 1:
        raise FileFormatError(f"{path}: {name} is {value!r}; it must be a whole number, 1 or more")
    return value


def _guidance(path: Path, content: Mapping[str, Any]) -> float:
    value = content.get("guidance")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise FileFormatError(f"{path}: guidance is {value!r}; it must be a number, 0 or more")
    return float(value)
