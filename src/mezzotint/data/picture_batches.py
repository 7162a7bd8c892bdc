"""Pictures with their captions, straight from the records: for the autoencoder and for the text tower."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from mezzotint.data.pictures import COLOURS, WHITE, Placement, place, shrink, to_tensor
from mezzotint.data.record_pictures import decode
from mezzotint.data.records import Caption, Record, read_records
from mezzotint.errors import InputError
from mezzotint.runtime.seeds import Seeds

_COLUMNS = ("id", "picture", "path", "concept", "captions")


@dataclass(frozen=True, kw_only=True)
class PictureBatch:
    pictures: Float[Tensor, "b 3 h w"]  # fp32 in [-1, 1]
    captions: list[tuple[Caption, ...]]  # all captions of each picture
    concepts: Int[Tensor, "b"]  # equal numbers: the same thing, perhaps in another style
    ids: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How pictures come onto a canvas: `size` pixels square, at a scale drawn from a range (see `Placement`).

    A range of one number centres the picture; otherwise its place is drawn too. A cut-out stands on white, or with the
    probability `colours` on a named colour. From the canvas a random square of `crop` pixels is taken, or all of it.
    """

    size: int
    scales: tuple[float, float]
    colours: float
    crop: int | None = None

    def draw(self, picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        """An "RGB" picture. It takes the same numbers from `rng` whatever the picture is."""
        at, scale, coloured, colour = rng.random(2), rng.uniform(*self.scales), rng.random(), rng.integers(len(COLOURS))
        corner = rng.random(2)
        fixed = self.scales[0] == self.scales[1]
        placement = Placement(
            scale=scale,
            anchor=(0.5, 0.5) if fixed else (float(at[0]), float(at[1])),
            background=COLOURS[colour] if coloured < self.colours else WHITE,
        )
        canvas = place(picture, self.size, self.size, placement)
        if self.crop is None:
            return canvas
        left, top = (int(c * (self.size - self.crop + 1)) for c in corner)
        return canvas.crop((left, top, left + self.crop, top + self.crop))


class PictureBatches:
    """Batches of `batch_size` pictures; an epoch is a permutation, and a batch may reach from one into the next.

    A picture is decoded when it is first asked for and kept in memory at the largest scale that `framing` can need,
    4 bytes a pixel (10,000 pictures at 128 pixels: 0.7 GB).

    Raises InputError when no picture is of that split, kind and part, or, `captioned`, none of those has a caption.
    """

    def __init__(
        self,
        corpus: Path,
        *,
        batch_size: int,
        framing: Framing,
        seed: int,
        split: str = "train",
        parts: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        captioned: bool = False,
    ) -> None:
        self._corpus, self._batch_size, self._framing, self._seeds = Path(corpus), batch_size, framing, Seeds(seed)
        self._pictures: list[Record | Image.Image] = []  # a record until it is decoded
        self._ids, self._captions, concepts = [], [], []
        for record in read_records(self._corpus, _COLUMNS, parts=parts, splits=[split], kinds=kinds):
            if captioned and not record.captions:
                continue
            self._pictures.append(record)
            self._ids.append(record.id)
            self._captions.append(record.captions)
            concepts.append(record.concept or record.id)
        if not self._ids:
            wanted = "captioned pictures" if captioned else "pictures"
            raise InputError(f"{corpus} has no {wanted} of split {split!r} among what was asked for")
        numbers = {concept: number for number, concept in enumerate(dict.fromkeys(concepts))}
        self._concepts = torch.tensor([numbers[concept] for concept in concepts])
        self._order = lru_cache(maxsize=2)(self._make_order)

    def __len__(self) -> int:
        """The number of pictures in an epoch."""
        return len(self._ids)

    def at(self, step: int) -> PictureBatch:
        first = step * self._batch_size
        chosen = [self._at_position(position) for position in range(first, first + self._batch_size)]
        framed = [
            self._framing.draw(self._decoded(i), self._seeds.numpy("framing", step, index))
            for index, i in enumerate(chosen)
        ]
        return PictureBatch(
            pictures=to_tensor(framed),
            captions=[self._captions[i] for i in chosen],
            concepts=self._concepts[chosen],
            ids=[self._ids[i] for i in chosen],
        )

    def _at_position(self, position: int) -> int:
        epoch, place_in_epoch = divmod(position, len(self._ids))
        return int(self._order(epoch)[place_in_epoch])

    def _make_order(self, epoch: int) -> np.ndarray:
        return self._seeds.numpy("order", epoch).permutation(len(self._ids))

    def _decoded(self, index: int) -> Image.Image:
        picture = self._pictures[index]
        if isinstance(picture, Record):
            side = math.ceil(self._framing.size * max(1.0, self._framing.scales[1]))
            picture = self._pictures[index] = shrink(decode(picture, self._corpus), side)
        return picture
