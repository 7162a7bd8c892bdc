"""Pictures to begin with, smooth and with edges, made from numbers."""

import numpy as np
from PIL import Image


def photograph(width: int, height: int) -> Image.Image:
    """A colour gradient with a disc."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    disc = (x - 0.4) ** 2 + (y - 0.5) ** 2 < 0.06
    colours = np.stack([np.where(disc, 0.9, x), np.where(disc, 0.1, y), 0.5 + 0.4 * np.sin(9 * x * y)], axis=-1)
    return Image.fromarray((255 * colours).astype(np.uint8))


def right_half(width: int, height: int) -> Image.Image:
    """A mask: the right half is white."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 255
    return Image.fromarray(mask)
