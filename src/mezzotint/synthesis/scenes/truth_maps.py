"""A scene's truth on a grid of cells, and batches of scenes with it: what a judge of scenes learns from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.scenes.colours import OBJECT_COLOURS
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.text import words
from mezzotint.synthesis.scenes.truth import Box, Scene

NOUNS: tuple[str, ...] = (*nouns(), *SHAPES)
OWN = "its own"
COLOURS: tuple[str, ...] = (*OBJECT_COLOURS, OWN)
CHARACTERS = "".join(sorted({*"0123456789", *"".join((*words("en"), *words("zh"))).upper()}))
IGNORED = -100  # in a map of classes: nothing is asked of this cell
_SHARPNESS = 6.0  # an object's side over the standard deviation of its peak, as in CenterNet


def character_classes(text: str) -> list[int]:
    """The judge's classes of a string; capitals and small letters are one."""
    return [CHARACTERS.index(character) + 1 for character in text.upper()]


@dataclass(frozen=True, kw_only=True)
class TruthMaps:
    """In each cell: 1 at an object's centre and less around it; the noun and the colour of the object on top; the
    character written there, 0 for none.
    """

    centres: Float[Tensor, "*b g g"]
    nouns: Int[Tensor, "*b g g"]
    colours: Int[Tensor, "*b g g"]
    characters: Int[Tensor, "*b g g"]


@dataclass(frozen=True, kw_only=True)
class SceneBatch:
    pictures: Float[Tensor, "b 3 h w"]  # fp32 in [−1, 1]
    truth: TruthMaps

    def __len__(self) -> int:
        return len(self.pictures)


def truth_maps(scene: Scene, grid: int) -> TruthMaps:
    """A rendered scene's truth in grid × grid cells over its picture, whatever the picture's shape."""
    centres = np.zeros((grid, grid), np.float32)
    kinds, colours = (np.full((grid, grid), IGNORED, np.int64) for _ in range(2))
    characters = np.zeros((grid, grid), np.int64)
    for item in scene.objects:
        rows, columns = _cells(item.box, grid)
        centres = np.maximum(centres, _peak(item.box, grid))
        kinds[rows, columns] = NOUNS.index(item.thing.noun)
        colours[rows, columns] = COLOURS.index(item.thing.paint.name if item.thing.paint else OWN)
    for line in scene.writings:
        rows, columns = _cells(line.box, grid)
        classes = np.array(character_classes(line.text))
        across = ((np.arange(grid)[columns] + 0.5) / grid - line.box.left) / line.box.width
        at = np.clip((across * len(classes)).astype(int), 0, len(classes) - 1)
        characters[rows, columns] = classes[at]
    maps = (torch.from_numpy(value) for value in (centres, kinds, colours, characters))
    return TruthMaps(**dict(zip(("centres", "nouns", "colours", "characters"), maps, strict=True)))


def _cells(box: Box, grid: int) -> tuple[slice, slice]:
    """The cells whose middle lies in the box, or else the one that holds its middle."""

    def span(start: float, length: float) -> slice:
        first, last = round(start * grid), round((start + length) * grid)
        if first < last:
            return slice(first, last)
        middle = min(grid - 1, int((start + length / 2) * grid))
        return slice(middle, middle + 1)

    return span(box.top, box.height), span(box.left, box.width)


def _peak(box: Box, grid: int) -> Float[np.ndarray, "g g"]:
    """A Gaussian around the cell that holds the box's middle, where it is exactly 1."""
    x, y = (min(grid - 1, int(at * grid)) for at in box.centre)
    column, row = np.meshgrid(np.arange(grid), np.arange(grid))
    spread_x, spread_y = (max(length * grid / _SHARPNESS, 0.3) for length in (box.width, box.height))
    return np.exp(-((column - x) ** 2) / (2 * spread_x**2) - (row - y) ** 2 / (2 * spread_y**2)).astype(np.float32)


class SceneBatches:
    """Batches of a corpus' scenes as pure functions of (seed, step); an epoch is a permutation.

    A picture is squeezed to size × size pixels, decoded when it is first asked for and kept (50 kB each at 128 pixels).

    Raises InputError when the corpus has no scenes of that split.
    """

    def __init__(self, corpus: Path, *, batch_size: int, size: int, grid: int, seed: int, split: str) -> None:
        self._batch_size, self._size, self._grid, self._seeds = batch_size, size, grid, Seeds(seed)
        self._corpus = corpus
        columns = ["id", "picture", "path", "truth"]
        self._records = list(read_records(corpus, columns, splits=[split], kinds=["scene"]))
        if not self._records:
            raise InputError(f"{corpus} has no scenes of split {split!r}: build them with `mezzotint corpus build`")
        self._pictures: list[Image.Image | None] = [None] * len(self._records)
        self._order = lru_cache(maxsize=2)(self._make_order)

    def __len__(self) -> int:
        """The number of scenes in an epoch."""
        return len(self._records)

    def at(self, step: int) -> SceneBatch:
        first = step * self._batch_size
        places = (divmod(position, len(self)) for position in range(first, first + self._batch_size))
        return self.of([int(self._order(epoch)[place]) for epoch, place in places])

    def of(self, chosen: Sequence[int]) -> SceneBatch:
        """Some scenes by their place in the corpus."""
        maps = [truth_maps(Scene.from_json(self._records[i].truth or ""), self._grid) for i in chosen]
        names = ("centres", "nouns", "colours", "characters")
        stacked = {name: torch.stack([getattr(one, name) for one in maps]) for name in names}
        return SceneBatch(pictures=to_tensor([self._decoded(i) for i in chosen]), truth=TruthMaps(**stacked))

    def _make_order(self, epoch: int) -> np.ndarray:
        return self._seeds.numpy("order", epoch).permutation(len(self))

    def _decoded(self, index: int) -> Image.Image:
        picture = self._pictures[index]
        if picture is None:
            drawn = decode(self._records[index], self._corpus).convert("RGB")
            picture = self._pictures[index] = drawn.resize((self._size, self._size), Image.Resampling.HAMMING)
        return picture
