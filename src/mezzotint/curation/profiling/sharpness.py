"""How sharp, how textured and how noisy a picture is."""

import numpy as np
from einops import rearrange
from jaxtyping import Num, UInt8
from numpy import ndarray

_BLOCK, _FLAT = 16, 4.0  # pixels; grey levels of deviation up to which a block counts as flat
_TILE = 32


def clarity(luma: UInt8[ndarray, "h w"]) -> float:
    """Variance of the Laplacian, in grey levels squared: low for a blurred picture, and for one without edges.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000). It depends on the size, so it is taken
    of the reduced picture.
    """
    if min(luma.shape) < 3:
        return 0.0
    y = luma.astype(np.float32)
    middle = y[1:-1, 1:-1]
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def texture(luma: UInt8[ndarray, "h w"]) -> float:
    """Share of 16x16 blocks that are not flat (luma's deviation above 4 levels): 0 plain, 1 detail all over.

    Ours: Qwen-Image's report names a texture filter and does not define it.
    """
    blocks = _tiles(luma, _BLOCK).astype(np.float32)
    return float((blocks.var(axis=1) > _FLAT**2).mean()) if len(blocks) else 0.0


def noise(patch: UInt8[ndarray, "p q"]) -> float:
    """Standard deviation of the noise in grey levels, of pixels as they are stored.

    Immerkær, "Fast noise variance estimation" (1996), in tiles of 32x32; the median tile, since edges pass for noise.
    """
    if min(patch.shape) < _TILE + 2:
        return 0.0
    y = patch.astype(np.int16)
    second = y[:, :-2] - 2 * y[:, 1:-1] + y[:, 2:]
    response = np.abs(second[:-2] - 2 * second[1:-1] + second[2:])
    return float(np.sqrt(np.pi / 2) / 6 * np.median(_tiles(response, _TILE).mean(axis=1, dtype=np.float32)))


def _tiles(plane: Num[ndarray, "h w"], side: int) -> Num[ndarray, "n area"]:
    """Square tiles from the upper left corner; what is left over at the other edges is left out."""
    height, width = (length // side * side for length in plane.shape)
    return rearrange(plane[:height, :width], "(i a) (j b) -> (i j) (a b)", a=side, b=side)
