"""How a picture comes into the vision tower: resized to a whole number of patches, its shape nearly kept ("naflex").

SigLIP 2 (Tschannen et al. 2025, arXiv 2502.14786), section 2.4.2; the sizes are those of transformers'
`Siglip2ImageProcessor`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.errors import FileFormatError

CLASS_NAMES = ("Siglip2ImageProcessor", "Siglip2ImageProcessorFast", "Siglip2ImageProcessorPil")
# What no published tower does otherwise: pixels from −1 to 1, bilinear (2) resizing.
FIXED = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 1 / 255,
}
EPSILON = 1e-5  # how near a picture's scale is sought
LARGEST = 100.0  # scale


class Grid(NamedTuple):
    """Rows and columns of patches."""

    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Pictures become at most `max_num_patches` patches with sides of `patch_size` pixels."""

    patch_size: int
    max_num_patches: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preparation:
        """Read transformers' `preprocessor_config.json`.

        Raises:
            FileFormatError: A value is missing or impossible, or pictures are to be prepared in another way.
        """
        if values.get("image_processor_type", CLASS_NAMES[0]) not in CLASS_NAMES:
            raise FileFormatError(
                f"preprocessor config is of a {values['image_processor_type']}, supported is {CLASS_NAMES[0]}"
            )
        for name, expected in FIXED.items():
            if values.get(name, expected) != expected:
                raise FileFormatError(f"preprocessor config: {name} is {values[name]!r}, supported is {expected!r}")
        return cls(patch_size=_count(values, "patch_size"), max_num_patches=_count(values, "max_num_patches"))

    def to_json(self) -> dict[str, Any]:
        """The same in transformers' form."""
        return {
            "image_processor_type": CLASS_NAMES[0],
            **FIXED,
            "patch_size": self.patch_size,
            "max_num_patches": self.max_num_patches,
        }

    def grid(self, width: int, height: int) -> Grid:
        """The finest grid for a picture of this size in pixels, each side rounded up to whole patches.

        The scale is bisected as transformers does it: where both sides are about to need one more patch, its last digit
        decides which of them is finer.
        """
        low, high = EPSILON / 10, LARGEST
        while high - low >= EPSILON:
            scale = (low + high) / 2
            rows, columns = self._scaled(width, height, scale)
            low, high = (scale, high) if rows * columns <= self.max_num_patches else (low, scale)
        return self._scaled(width, height, low)

    def _scaled(self, width: int, height: int, scale: float) -> Grid:
        return Grid(*(max(1, math.ceil(side * scale / self.patch_size)) for side in (height, width)))


def _count(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or value < 1:
        raise FileFormatError(f"preprocessor config: {name} is {value!r}; it must be a whole number, 1 or more")
    return value


def patches_of(picture: Image.Image, preparation: Preparation) -> tuple[Float[Tensor, "n patch"], Grid]:
    """A picture's patches, row by row, values in [−1, 1]; in a patch the channel runs fastest."""
    grid, p = preparation.grid(*picture.size), preparation.patch_size
    resized = picture.convert("RGB").resize((grid.columns * p, grid.rows * p), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.asarray(resized).copy()).float() / 127.5 - 1
    return rearrange(values, "(h p) (w q) c -> (h w) (p q c)", p=p, q=p), grid
