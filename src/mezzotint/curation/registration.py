"""Whether two previews show the same everywhere, once one is laid over the other."""

import numpy as np
import simplejpeg
from jaxtyping import Float
from numpy import ndarray
from PIL import Image
from scipy import ndimage

SIDE = 64  # pixels of the squares that are compared
_WINDOW = 8  # of them: so large is what must not differ
_NOISE, _ASTRAY = 3.0, 0.3  # grey levels; pixels: what sets copies apart that were compressed and reduced again
_MOVED, _COLOURED = 2.0, 0.1  # at most: pixels, as a shift and at the edges; share of a channel
_ROUNDS, _DAMPING = 3, 1e-3
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_PIXELS = np.arange(SIDE, dtype=np.float32)
_PLACES = (2 * _PIXELS + 1) / SIDE - 1  # from edge to edge, -1 to 1

Square = Float[ndarray, "s s 3"]


def worst_spot(one: bytes, other: bytes) -> float:
    """How much two JPEGs differ where they differ most, as a multiple of what a copy may: up to about 1 for copies.

    Root of the mean square difference over that expected, the greatest in any window of an eighth of the side. Expected
    are noise of 3 levels and whatever a displacement by 0.3 of 64 pixels changes. Before, small crops and changes of
    colour are taken out (`overlaid`). Ours. The smaller of both directions, since one picture may be sharper.
    """
    a, b = _square(one), _square(other)
    return min(_worst(overlaid(a, b), b), _worst(overlaid(b, a), a))


def overlaid(picture: Square, onto: Square) -> Square:
    """The picture, shifted, stretched along both axes and coloured by a factor a channel, as like `onto` as can be.

    Least squares of the luma in a few steps along its gradient, damped: Lucas & Kanade (1981), Marquardt (1963).
    """
    wanted = onto @ _LUMA
    shifts = np.zeros(4)
    moved = picture
    for _ in range(_ROUNDS):
        luma = moved @ _LUMA
        down, across = np.gradient(luma)
        directions = (across, across * _PLACES, down, down * _PLACES[:, None], luma)
        columns = np.stack([direction.ravel() for direction in directions])
        gram = columns @ columns.T
        damped = gram + np.diag(_DAMPING * gram.diagonal() + 1)
        shifts = (shifts + np.linalg.solve(damped, columns @ (wanted - luma).ravel())[:4]).clip(-_MOVED, _MOVED)
        across, down = _interpolation(shifts[0], shifts[1]), _interpolation(shifts[2], shifts[3])
        moved = np.tensordot(down, across @ picture, 1)
    gains = ((moved * onto).sum((0, 1)) + 1) / ((moved**2).sum((0, 1)) + 1)
    return moved * gains.clip(1 - _COLOURED, 1 + _COLOURED)


def _worst(moved: Square, onto: Square) -> float:
    down, across = np.gradient(onto, axis=(0, 1))
    steep = ndimage.maximum_filter((down**2 + across**2).mean(axis=2), 3)
    expected = ndimage.uniform_filter(_NOISE**2 + _ASTRAY**2 * steep, _WINDOW)
    found = ndimage.uniform_filter(((moved - onto) ** 2).mean(axis=2), _WINDOW)
    return float(np.sqrt((found / expected).max()))


def _interpolation(shift: float, stretch: float) -> Float[ndarray, "s s"]:
    """The matrix by which samples in a row are read at other places, linearly; beyond the edge the last one counts."""
    at = (_PIXELS + shift + stretch * _PLACES).clip(0, SIDE - 1)
    return np.maximum(1 - np.abs(at[:, None] - _PIXELS), 0).astype(np.float32)


def _square(file: bytes) -> Square:
    picture = Image.fromarray(simplejpeg.decode_jpeg(file, "RGB"))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
