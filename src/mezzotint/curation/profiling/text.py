"""How much text stands in a picture, and how small it is; of the lines that a reader found."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from PIL import Image, ImageDraw

from mezzotint.perception.text_reader import TextLine

_LEAST_CONFIDENCE = 0.5


def surely_read(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines that the reader is more sure of than not, from top to bottom, then from left to right."""
    sure = [line for line in lines if line.confidence >= _LEAST_CONFIDENCE and line.text.strip()]
    return sorted(sure, key=lambda line: (float(line.corners[:, 1].min()), float(line.corners[:, 0].min())))


def text_share(lines: Sequence[TextLine], width: int, height: int) -> float:
    """Share of the picture's area under the boxes of its lines, 0 to 1; where boxes overlap it counts once."""
    return float(_covered(lines, width, height).mean())


def smallest_character(lines: Sequence[TextLine], height: int) -> float:
    """Height of the lowest line's box over the picture's height; 1 without text. Small ones are lost in training."""
    heights = [np.linalg.norm(line.corners[3] - line.corners[0]) for line in lines]
    return float(min(heights, default=height) / height)


def _covered(lines: Sequence[TextLine], width: int, height: int) -> Bool[ndarray, "h w"]:
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        draw.polygon([(float(x), float(y)) for x, y in line.corners], fill=1)
    return np.asarray(canvas)
