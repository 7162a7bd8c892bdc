"""A scene's truth on a grid of cells, and batches of scenes with it: what a judge of scenes learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image, ImageOps
from torch import Tensor

from mezzotint.data.pictures import to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import read_records
from mezzotint.errors import InputError
from mezzotint.runtime.seeds import Seeds
from mezzotint.synthesis import hashing
from mezzotint.synthesis.colours import OBJECT_COLOURS
from mezzotint.synthesis.language.nouns import nouns
from mezzotint.synthesis.scenes.backgrounds import Photographs
from mezzotint.synthesis.scenes.casting import Props
from mezzotint.synthesis.scenes.library import SpriteLibrary
from mezzotint.synthesis.scenes.renderer import render
from mezzotint.synthesis.scenes.sampler import sample_lettering
from mezzotint.synthesis.scenes.shapes import SHAPES
from mezzotint.synthesis.scenes.text import Fonts, alphabet
from mezzotint.synthesis.scenes.truth import Box, Scene, Writing
from mezzotint.synthesis.styles import Fetch

NOUNS: tuple[str, ...] = (*nouns(), *SHAPES)
OWN = "its own"
COLOURS: tuple[str, ...] = (*OBJECT_COLOURS, OWN)  # the last is no colour's name
CHARACTERS = "".join(sorted({*alphabet("en"), *alphabet("zh")}))
IGNORED = -100  # in a map of classes: nothing is asked of this cell
_SHARPNESS = 6.0  # an object's side over the standard deviation of its peak, as in CenterNet


def character_classes(text: str) -> list[int]:
    """The judge's classes of a string; capitals and small letters are one."""
    return [CHARACTERS.index(character) + 1 for character in text.upper()]


@dataclass(frozen=True, kw_only=True)
class TruthMaps:
    """In each cell: 1 at an object's centre and less around it; the noun and the colour of the object on top; and, in
    cells of half the width, the character written there, 0 for none.
    """

    centres: Float[Tensor, "*b g g"]
    nouns: Int[Tensor, "*b g g"]
    colours: Int[Tensor, "*b g g"]
    characters: Int[Tensor, "*b g 2*g"]

    def flipped(self) -> "TruthMaps":
        """Of the mirrored picture, left for right."""
        return TruthMaps(**{field.name: getattr(self, field.name).flip(-1) for field in fields(self)})

    @staticmethod
    def stack(maps: Sequence["TruthMaps"]) -> "TruthMaps":
        names = [field.name for field in fields(TruthMaps)]
        return TruthMaps(**{name: torch.stack([getattr(one, name) for one in maps]) for name in names})


@dataclass(frozen=True, kw_only=True)
class SceneBatch:
    pictures: Float[Tensor, "b 3 h w"]  # fp32 in [−1, 1]
    truth: TruthMaps

    def __len__(self) -> int:
        return len(self.pictures)


def truth_maps(scene: Scene, grid: int, fonts: Fonts) -> TruthMaps:
    """A rendered scene's truth in grid × grid cells over its picture, whatever the picture's shape."""
    centres = np.zeros((grid, grid), np.float32)
    kinds, colours = (np.full((grid, grid), IGNORED, np.int64) for _ in range(2))
    characters = np.zeros((grid, 2 * grid), np.int64)
    for item in scene.objects:
        rows, columns = _span(item.box.top, item.box.height, grid), _span(item.box.left, item.box.width, grid)
        centres = np.maximum(centres, _peak(item.box, grid))
        kinds[rows, columns] = NOUNS.index(item.thing.noun)
        colours[rows, columns] = COLOURS.index(item.thing.paint.name if item.thing.paint else OWN)
    for line in scene.writings:
        _spell(characters, line, fonts)
    maps = (torch.from_numpy(value) for value in (centres, kinds, colours, characters))
    return TruthMaps(**dict(zip(("centres", "nouns", "colours", "characters"), maps, strict=True)))


def _spell(characters: Int[np.ndarray, "rows columns"], line: Writing, fonts: Fonts) -> None:
    """Each character in the cells between its own edges, at least in one."""
    rows = _span(line.box.top, line.box.height, len(characters))
    edges = [line.box.left + share * line.box.width for share in fonts.edges(line.font, line.text)]
    for number, (start, end) in zip(character_classes(line.text), pairwise(edges), strict=True):
        characters[rows, _span(start, end - start, characters.shape[1])] = number


def _span(start: float, length: float, cells: int) -> slice:
    """The cells whose middle lies in a stretch, or else the one that holds its middle."""
    first, last = round(start * cells), round((start + length) * cells)
    if first < last:
        return slice(first, last)
    middle = min(cells - 1, int((start + length / 2) * cells))
    return slice(middle, middle + 1)


def _peak(box: Box, grid: int) -> Float[np.ndarray, "g g"]:
    """A Gaussian around the cell that holds the box's middle, where it is exactly 1."""
    x, y = (min(grid - 1, int(at * grid)) for at in box.centre)
    column, row = np.meshgrid(np.arange(grid), np.arange(grid))
    spread_x, spread_y = (max(length * grid / _SHARPNESS, 0.3) for length in (box.width, box.height))
    return np.exp(-((column - x) ** 2) / (2 * spread_x**2) - (row - y) ** 2 / (2 * spread_y**2)).astype(np.float32)


class SceneBatches:
    """Batches of scenes as pure functions of (seed, step): the corpus' own, and freshly drawn ones of random strings.

    An epoch of the corpus' scenes is a permutation. A picture is squeezed to size × size pixels, decoded when it is
    first asked for and kept (50 kB each at 128 pixels). Half of those without writing are mirrored in the split
    "train".

    Raises InputError when the corpus has no scenes of that split.
    """

    def __init__(
        self,
        corpus: Path,
        *,
        batch_size: int,
        lettered: int,
        size: int,
        grid: int,
        seed: int,
        split: str,
        fonts: Sequence[str],
        fetch: Fetch,
    ) -> None:
        """`lettered` of the `batch_size` scenes are of random strings; `fonts` and `fetch` as in `Scenes`."""
        self._own, self._lettered, self._size, self._grid = batch_size - lettered, lettered, size, grid
        self._seeds, self._mirrored = Seeds(seed), split == "train"
        self._letter_seed = hashing.key("letters", split, seed)
        self._corpus, self._fetch, self._fonts = corpus, fetch, fonts
        columns = ["id", "picture", "path", "truth"]
        self._records = list(read_records(corpus, columns, splits=[split], kinds=["scene"]))
        if not self._records:
            raise InputError(f"{corpus} has no scenes of split {split!r}: build them with `mezzotint corpus build`")
        self._pictures: list[Image.Image | None] = [None] * len(self._records)
        self._order = lru_cache(maxsize=2)(self._make_order)

    def __len__(self) -> int:
        """The number of the corpus' scenes in an epoch."""
        return len(self._records)

    def at(self, step: int) -> SceneBatch:
        places = (divmod(position, len(self)) for position in range(step * self._own, (step + 1) * self._own))
        coins = self._seeds.numpy("mirror", step).random(self._own) < 0.5
        scenes = [
            self._scene(int(self._order(epoch)[place]), mirrored=self._mirrored and bool(coin))
            for (epoch, place), coin in zip(places, coins, strict=True)
        ]
        scenes += [self._letters(step * self._lettered + number) for number in range(self._lettered)]
        pictures, maps = zip(*scenes, strict=True)
        return SceneBatch(pictures=to_tensor(list(pictures)), truth=TruthMaps.stack(maps))

    @cached_property
    def _props(self) -> Props:
        return Props(
            sprites=SpriteLibrary(self._corpus),
            photographs=Photographs(self._fetch),
            fonts=Fonts(self._fetch, self._fonts),
        )

    def _scene(self, index: int, *, mirrored: bool) -> tuple[Image.Image, TruthMaps]:
        scene, picture = Scene.from_json(self._records[index].truth or ""), self._decoded(index)
        maps = truth_maps(scene, self._grid, self._props.fonts)
        if mirrored and not scene.writings:
            return ImageOps.mirror(picture), maps.flipped()
        return picture, maps

    def _letters(self, index: int) -> tuple[Image.Image, TruthMaps]:
        """At twice the size and halved, as sharp as the corpus' own."""
        drawn, scene = render(sample_lettering(self._letter_seed, index, self._props), 2 * self._size, self._props)
        return self._squeezed(drawn), truth_maps(scene, self._grid, self._props.fonts)

    def _make_order(self, epoch: int) -> np.ndarray:
        return self._seeds.numpy("order", epoch).permutation(len(self))

    def _decoded(self, index: int) -> Image.Image:
        picture = self._pictures[index]
        if picture is None:
            picture = self._squeezed(decode(self._records[index], self._corpus).convert("RGB"))
            self._pictures[index] = picture
        return picture

    def _squeezed(self, picture: Image.Image) -> Image.Image:
        return picture.resize((self._size, self._size), Image.Resampling.HAMMING)
