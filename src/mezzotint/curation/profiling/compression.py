"""What a file's compression cost the picture, and how much there is to compress."""

import numpy as np
import simplejpeg
from jaxtyping import Float32, UInt8
from numpy import ndarray

_QUALITY = 75
_BLOCK, _EDGE = 8, 24  # pixels; grey levels: from there on a step is an edge of the picture itself and counts for none
_LEVEL = 1.0  # grey level, added to both means: where a picture is flat, a trace of a step is no block


def compression_ratio(width: int, height: int, file_bytes: int) -> float:
    """Bytes of the picture as it would be without compression (3 a pixel) over bytes of the file.

    High is worse: about 5 to 15 for a JPEG at good quality, above 50 where little of the picture can be left, or where
    little was in it. Z-Image report, section 2.1 (which gives no figure).
    """
    return 3 * width * height / file_bytes


def transient_jpeg(rgb: UInt8[ndarray, "h w 3"]) -> float:
    """Bytes per pixel of the reduced picture, encoded once more as a JPEG (quality 75, 4:2:0): near 0 for an empty one.

    Z-Image report, section 2.1: a cheap stand-in for the information in a picture.
    """
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality=_QUALITY, colorsubsampling="420")
    return len(encoded) / (rgb.shape[0] * rgb.shape[1])


def blockiness(patch: UInt8[ndarray, "p q"]) -> float:
    """Mean step of luma across the borders of JPEG's blocks over the mean step elsewhere: 1 without blocks, above with.

    After Wang, Sheikh & Bovik, "No-reference perceptual quality assessment of JPEG compressed images" (2002), section
    3, without steps of 24 levels and more: drawings on a grid have those. Of pixels as they are stored: in a picture
    that was scaled after its compression the borders are not found.
    """
    found = [
        _over_others(_faint_steps(patch[:, 1:], patch[:, :-1]).mean(axis=0, dtype=np.float32)),
        _over_others(_faint_steps(patch[1:], patch[:-1]).mean(axis=1, dtype=np.float32)),
    ]
    ratios = [ratio for ratio in found if ratio is not None]
    return float(np.mean(ratios)) if ratios else 1.0


def _faint_steps(one: UInt8[ndarray, "h w"], other: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    steps = np.maximum(one, other) - np.minimum(one, other)
    steps *= steps < _EDGE
    return steps


def _over_others(means: Float32[ndarray, "n"]) -> float | None:
    """Of the mean steps from each line of pixels to the next one; None where no block ends."""
    border = np.arange(1, len(means) + 1) % _BLOCK == 0
    if not border.any():
        return None
    return float((means[border].mean() + _LEVEL) / (means[~border].mean() + _LEVEL))
