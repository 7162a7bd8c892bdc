"""What a file's compression cost the picture, and how much there is to compress."""

import numpy as np
import simplejpeg
from jaxtyping import UInt8
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
    steps = [step for plane in (patch, patch.T) if (step := _steps(plane)) is not None]
    return float(np.mean(steps)) if steps else 1.0


def _steps(plane: UInt8[ndarray, "p q"]) -> float | None:
    steps = np.abs(np.diff(plane.astype(np.int16), axis=1))
    across = (steps * (steps < _EDGE)).mean(axis=0, dtype=np.float32)
    border = np.arange(1, len(across) + 1) % _BLOCK == 0
    if not border.any():
        return None
    return float((across[border].mean() + _LEVEL) / (across[~border].mean() + _LEVEL))
