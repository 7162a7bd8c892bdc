"""How sharp, how textured and how noisy a picture is."""

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray
from PIL import Image

_STEEPEST = 0.05  # share of the pixels whose edges are looked at
_FAINT, _FEW = 4, 20  # grey levels over two pixels, and pixels: less is no edge
_STEP = 2.0  # the clarity of a step from one pixel to the next
_BLOCK, _FLAT = 16, 4.0  # pixels; grey levels of deviation up to which a block counts as flat
_TILE, _FLATTEST = 32, 0.15  # pixels; of the tiles, counted from the flattest, the one that stands for all


def clarity(luma: UInt8[ndarray, "h w"]) -> float:
    """How sharp the edges are: 2 for steps from one pixel to the next, 1.3 to 2 for most, near 0 for a blurred picture.

    Root mean square of the Laplacian over that of the gradient, per pixel, at the twentieth of the pixels with the
    steepest gradient. Ours: the variance of the Laplacian (Pech-Pacheco et al. 2000) calls pale and empty pictures
    blurred; here contrast cancels out, and a picture without an edge has none that is blurred: 2. It depends on the
    size, so it is taken of the reduced picture.
    """
    if min(luma.shape) < 3:
        return _STEP
    across, down = _apart(luma[1:-1, 2:], luma[1:-1, :-2]), _apart(luma[2:, 1:-1], luma[:-2, 1:-1])
    steep = np.maximum(across, down)
    as_steep = np.cumsum(Image.fromarray(steep).histogram()[::-1])[::-1]  # how many pixels are, by levels
    level = max(_FAINT, int(np.flatnonzero(as_steep >= _STEEPEST * steep.size)[-1]))
    rows, columns = np.nonzero(steep >= level)
    if len(rows) < _FEW:
        return _STEP
    y = luma.astype(np.int16).ravel()
    at, width = (rows + 1) * luma.shape[1] + columns + 1, luma.shape[1]
    laplacian = (y[at - 1] + y[at + 1] + y[at - width] + y[at + width] - 4 * y[at]).astype(np.float32)
    gradient = np.hypot(across[rows, columns], down[rows, columns], dtype=np.float32) / 2
    return float(np.sqrt((laplacian**2).mean() / (gradient**2).mean()))


def texture(luma: UInt8[ndarray, "h w"]) -> float:
    """Share of 16x16 blocks that are not flat (luma's deviation above 4 levels): 0 plain, 1 detail all over.

    Ours: Qwen-Image's report names a texture filter and does not define it.
    """
    y = luma.astype(np.uint16)
    sums, squares = _tile_sums(y, _BLOCK), _tile_sums(y * y, _BLOCK)
    area = _BLOCK**2
    return float((squares * area - sums**2 > (_FLAT * area) ** 2).mean()) if sums.size else 0.0


def noise(patch: UInt8[ndarray, "p q"]) -> float:
    """Standard deviation of the noise in grey levels, of pixels as they are stored.

    Immerkær, "Fast noise variance estimation" (1996), in tiles of 32x32. Fine detail passes for noise, but noise is
    everywhere: so that tile stands for the picture than which 15 % are flatter. A plain border of more hides it.
    """
    if min(patch.shape) < _TILE + 2:
        return 0.0
    y = patch.astype(np.int16)
    second = y[:, :-2] - 2 * y[:, 1:-1] + y[:, 2:]
    response = np.abs(second[:-2] - 2 * second[1:-1] + second[2:])
    means = _tile_sums(response, _TILE) / _TILE**2
    return float(np.sqrt(np.pi / 2) / 6 * np.quantile(means, _FLATTEST))


def _apart(one: UInt8[ndarray, "h w"], other: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    return np.maximum(one, other) - np.minimum(one, other)


def _tile_sums(plane: ndarray, side: int) -> Int[ndarray, "i j"]:
    """Of square tiles from the upper left corner; what is left over at the other edges is left out."""
    rows, columns = (length // side for length in plane.shape)
    bands = plane[: rows * side, : columns * side].reshape(rows, side, columns * side).sum(axis=1, dtype=np.int64)
    return bands.reshape(rows, columns, side).sum(axis=2)
