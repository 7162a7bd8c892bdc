"""What was laid over a picture: watermarks in a pattern, and mosaics that hide a face."""

from functools import cache

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

_SIDE = 256  # pixels of the square that the pattern is looked for in
_CLIP = 1.5  # grey levels: an overlay's edges are faint, so strong ones count for no more
_NEAR = 24  # pixels; nearer than this every picture is like itself

_WINDOW, _HALF = 48, 24  # pixels of the squares that are looked at one by one, and of their overlap
_EVERY = 4  # of its rows and columns are enough
_CELLS = range(6, 17)  # pixels of a mosaic's cells
_STEP, _TIMES = 2.0, 4.0  # grey levels of every step between cells, and how often the mean one inside of them


def repetition(luma: UInt8[ndarray, "h w"]) -> float:
    """How far one distance stands out at which faint detail comes back: 5 to 8 for most, more for a mark all over.

    The highest autocorrelation beyond 24 pixels less the median one, in standard deviations of all; of the luma less
    its surroundings, cut off at 1.5 levels, in 256x256 pixels. Ours. Bricks, fences and chequered cloth repeat as well,
    and a single mark in a corner does not.
    """
    picture = np.asarray(Image.fromarray(luma).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), np.float32)
    detail = (picture - _surroundings(picture)).clip(-_CLIP, _CLIP)
    detail -= detail.mean()
    if float((detail**2).mean()) < 0.01:
        return 0.0
    spectrum = np.abs(np.fft.rfft2(detail, (2 * _SIDE, 2 * _SIDE))) ** 2
    found = (np.fft.irfft2(spectrum)[: _SIDE // 2 + 1] / _overlap())[_far()]
    return float((found.max() - np.median(found)) / found.std())


def _surroundings(picture: Float[ndarray, "s s"]) -> Float[ndarray, "s s"]:
    """Means of 9x9 pixels."""
    sums = np.pad(picture, 5, mode="edge").cumsum(0).cumsum(1)
    return (sums[9:-1, 9:-1] - sums[:-10, 9:-1] - sums[9:-1, :-10] + sums[:-10, :-10]) / 81


@cache
def _overlap() -> Float[ndarray, "d e"]:
    """The share of the pixels that have a partner at a distance."""
    down = np.arange(_SIDE // 2 + 1)
    across = np.minimum(np.arange(2 * _SIDE), 2 * _SIDE - np.arange(2 * _SIDE))
    return np.maximum((1 - down / _SIDE)[:, None] * (1 - across / _SIDE)[None], 0.2)


@cache
def _far() -> Bool[ndarray, "d e"]:
    down = np.arange(_SIDE // 2 + 1)[:, None]
    across = np.minimum(np.arange(2 * _SIDE), 2 * _SIDE - np.arange(2 * _SIDE))[None]
    return (np.hypot(down, across) >= _NEAR) & (across <= _SIDE // 2)


def mosaic(stored: UInt8[ndarray, "h w"]) -> float:
    """Share of 48x48 windows that are a mosaic: flat cells of 6 to 16 pixels, with steps between them both ways.

    Of pixels as they are stored, in windows that overlap by half. Ours: it finds the mosaic, not the face; pixel art
    and magnified pictures are mosaics.
    """
    rows, columns = (length // _HALF for length in stored.shape)
    if min(rows, columns) < 2:
        return 0.0
    y = stored[: rows * _HALF, : columns * _HALF]
    across = _windows(np.ascontiguousarray(y[::_EVERY]))
    down = _windows(np.ascontiguousarray(y[:, ::_EVERY].T)).swapaxes(0, 1)
    found = _spiky(across) & _spiky(down)
    found[found] = _stepped(across[found])
    found[found] = _stepped(down[found])
    return float(found.mean())


def _windows(lines: UInt8[ndarray, "n w"]) -> Float[ndarray, "i j s"]:
    """The mean step from each pixel to the next one, over the lines of each window."""
    steps = np.zeros_like(lines)
    np.subtract(np.maximum(lines[:, 1:], lines[:, :-1]), np.minimum(lines[:, 1:], lines[:, :-1]), out=steps[:, 1:])
    of_half = rearrange(steps.astype(np.uint16), "(i a) w -> i a w", a=_HALF // _EVERY)
    halves = sum((of_half[:, line] for line in range(1, of_half.shape[1])), of_half[:, 0])
    bands = (halves[1:] + halves[:-1]) / np.float32(_WINDOW // _EVERY)
    return sliding_window_view(bands, _WINDOW, axis=1)[:, ::_HALF]


def _spiky(steps: Float[ndarray, "i j s"]) -> Bool[ndarray, "i j"]:
    """What `_stepped` needs at least: cells of 6 pixels with steps of `_TIMES` what is between them."""
    least = _CELLS[0]
    return steps.max(axis=2) >= np.maximum(_STEP, steps.mean(axis=2) / (1 / least + (1 - 1 / least) / _TIMES))


def _stepped(steps: Float[ndarray, "n s"]) -> Bool[ndarray, "n"]:
    """Whether every step at some distance and phase is high, and what lies between is flat."""
    found = np.zeros(len(steps), bool)
    by_place = np.ascontiguousarray(steps.T)
    for cell in _CELLS:
        times = _WINDOW // cell
        phases = rearrange(by_place[: times * cell], "(times cell) n -> times cell n", times=times)
        sums = phases.sum(axis=0)
        between = (sums.sum(axis=0) - sums) / (times * (cell - 1))
        found |= (phases.min(axis=0) >= np.maximum(_STEP, _TIMES * between)).any(axis=0)
    return found
