"""Pictures in the form that the vision tower of Qwen2.5-VL reads (its `preprocessor_config.json`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mezzotint.errors import FileFormatError, InputError
from mezzotint.models.vision_language.config import VisionConfig

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's, of red, green, blue
MOST_ELONGATED = 200  # long side over short side


class Patches(NamedTuple):
    """A picture as the tower reads it.

    Attributes:
        pixels: Of each patch, those of one token together, tokens row by row.
        rows, columns: Patches.
    """

    pixels: Float[Tensor, "n patch"]
    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class PixelLimits:
    """Pictures are brought to between so many pixels."""

    least: int
    most: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PixelLimits:
        """Read transformers' `preprocessor_config.json`, with `min_pixels` and `max_pixels` or with a `size`.

        Raises:
            FileFormatError: A value is missing or of the wrong form.
        """
        size = values.get("size") or {}
        found = []
        for name, edge in (("min_pixels", "shortest_edge"), ("max_pixels", "longest_edge")):
            value = values.get(name) or (size.get(edge) if isinstance(size, Mapping) else None)
            if type(value) is not int or value < 1:
                raise FileFormatError(f"preprocessor config: {name} is {value!r}; it must be a whole number, 1 or more")
            found.append(value)
        return cls(least=found[0], most=found[1])


PUBLISHED_LIMITS = PixelLimits(least=56 * 56, most=28 * 28 * 16_384)
"""Those of Qwen-Image-Edit."""


def patches_of(picture: Image.Image, config: VisionConfig, limits: PixelLimits) -> Patches:
    """An RGB picture, brought to whole tokens with about its shape, as patches.

    Raises:
        InputError: One side is more than 200 times the other.
    """
    width, height = fitting_size(picture.width, picture.height, config.token_side, limits)
    resized = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    pixels = (torch.from_numpy(resized) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    patches = rearrange(
        pixels,
        "(rows m p) (columns n q) c -> (rows columns m n) c (p q)",
        m=config.spatial_merge_size,
        n=config.spatial_merge_size,
        p=config.patch_size,
        q=config.patch_size,
    )
    frames = repeat(patches, "n c pixels -> n (c frame pixels)", frame=config.temporal_patch_size)
    return Patches(frames, height // config.patch_size, width // config.patch_size)


def fitting_size(width: int, height: int, side: int, limits: PixelLimits) -> tuple[int, int]:
    """Width and height in multiples of `side`, within the limits, near the given shape; as transformers rounds them.

    Raises:
        InputError: One side is more than 200 times the other.
    """
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise InputError(f"a picture of {width}x{height} is too elongated: {MOST_ELONGATED}:1 is the most")
    fitting = round(width / side) * side, round(height / side) * side
    if fitting[0] * fitting[1] > limits.most:
        shrink = math.sqrt(width * height / limits.most)
        return _multiple(width / shrink, side, math.floor), _multiple(height / shrink, side, math.floor)
    if fitting[0] * fitting[1] < limits.least:
        grow = math.sqrt(limits.least / (width * height))
        return _multiple(width * grow, side, math.ceil), _multiple(height * grow, side, math.ceil)
    return fitting


def _multiple(length: float, side: int, rounding: Callable[[float], int]) -> int:
    """A whole number of sides, at least one."""
    return max(1, rounding(length / side)) * side
